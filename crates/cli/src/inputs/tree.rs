//! The parts of one argument, put together from several inputs.

use super::Item;
use super::item::Note;
use super::kind::Kind;
use dlbacktrace::Value;
use std::collections::BTreeMap;

/// The values given for an argument, or for a part of it.
#[derive(Debug, Default)]
pub enum Node {
    /// Nothing yet.
    #[default]
    Empty,
    /// The whole argument.
    Whole(Item),
    /// Its parts by key or index.
    Parts(Vec<(String, Node)>),
}

impl Node {
    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Puts an item at a path; a second item at the same place makes a list of both.
    ///
    /// # Errors
    /// If the same place is given twice in different ways.
    pub fn put(&mut self, path: &[&str], item: Item) -> Result<(), String> {
        match path.split_first() {
            Some((key, rest)) => self.part(key)?.put(rest, item),
            None => {
                match std::mem::take(self) {
                    Self::Empty => *self = Self::Whole(item),
                    Self::Whole(first) => {
                        *self = Self::Parts(vec![
                            ("0".to_owned(), Self::Whole(first)),
                            ("1".to_owned(), Self::Whole(item)),
                        ]);
                    }
                    Self::Parts(mut parts) => {
                        parts.push((parts.len().to_string(), Self::Whole(item)));
                        *self = Self::Parts(parts);
                    }
                }
                Ok(())
            }
        }
    }

    fn part(&mut self, key: &str) -> Result<&mut Node, String> {
        if self.is_empty() {
            *self = Self::Parts(Vec::new());
        }
        let Self::Parts(parts) = self else {
            return Err(format!("it is given both as a whole and by its part {key}"));
        };
        let index = parts.iter().position(|(present, _)| present == key).unwrap_or(parts.len());
        if index == parts.len() {
            parts.push((key.to_owned(), Self::Empty));
        }
        parts.get_mut(index).map(|(_, node)| node).ok_or_else(|| "no such part".to_owned())
    }

    /// The value as this type takes it; adds notes of its tensors under the names they will have.
    ///
    /// # Errors
    /// What does not fit the type.
    pub fn value(self, kind: &str, name: &str, notes: &mut BTreeMap<String, Note>) -> Result<Value, String> {
        let kind = Kind::of(kind);
        match (self, kind) {
            (Self::Empty, _) => Ok(Value::Nothing),
            (Self::Whole(item), Kind::List(element) | Kind::Tuple(element)) => {
                if matches!(item.value, Value::List(_) | Value::Tuple(_) | Value::Nothing) {
                    return Ok(item.value);
                }
                let values = match scalars(&item.value)
                    .filter(|_| Kind::of(element) == Kind::Single && element != "Tensor")
                {
                    Some(scalars) => scalars,
                    None => vec![Self::Whole(item).value(kind.element(0), &format!("{name}[0]"), notes)?],
                };
                Ok(sequence(kind, values))
            }
            (Self::Whole(item), _) => {
                notes.insert(name.to_owned(), item.note);
                Ok(item.value)
            }
            (Self::Parts(parts), Kind::Dict(inner)) => {
                let entry = |(key, node): (String, Self)| {
                    let value = node.value(inner, &format!("{name}.{key}"), notes)?;
                    Ok((key, value))
                };
                Ok(Value::Dict(parts.into_iter().map(entry).collect::<Result<_, String>>()?))
            }
            (Self::Parts(parts), Kind::Single) => Err(format!("{} values are given for it", parts.len())),
            (Self::Parts(parts), _) => {
                let mut parts: Vec<(usize, Self)> = parts
                    .into_iter()
                    .map(|(key, node)| Ok((kind.index(&key).ok_or_else(|| no_part(kind, &key))?, node)))
                    .collect::<Result<_, String>>()?;
                parts.sort_by_key(|(index, _)| *index);
                if parts.iter().enumerate().any(|(i, (index, _))| i != *index) {
                    return Err("its parts are not 0, 1, 2 and so on".to_owned());
                }
                let element = |(i, node): (usize, Self)| {
                    node.value(kind.element(i), &(name.to_owned() + &kind.suffix(i)), notes)
                };
                Ok(sequence(kind, parts.into_iter().map(element).collect::<Result<_, _>>()?))
            }
        }
    }
}

fn no_part(kind: Kind<'_>, key: &str) -> String {
    let parts = match kind {
        Kind::Named(_) => {
            let name = |(name, _): (String, _)| name.trim_start_matches('.').to_owned();
            kind.elements().into_iter().map(name).collect::<Vec<_>>().join(", ")
        }
        _ => "0, 1, 2 and so on".to_owned(),
    };
    format!("it has no part {key}; its parts are {parts}")
}

fn sequence(kind: Kind<'_>, values: Vec<Value>) -> Value {
    if matches!(kind, Kind::List(_)) { Value::List(values) } else { Value::Tuple(values) }
}

/// The elements of a list of numbers, for a model that takes numbers rather than a tensor.
fn scalars(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::Int(array) if array.ndim() == 1 => Some(array.iter().map(|v| Value::Integer(*v)).collect()),
        Value::F64(array) if array.ndim() == 1 => Some(array.iter().map(|v| Value::Float(*v)).collect()),
        Value::Bool(array) if array.ndim() == 1 => Some(array.iter().map(|v| Value::Flag(*v)).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(kind: &str, items: &[&str]) -> Result<String, String> {
        let mut node = Node::default();
        for (i, path) in items.iter().enumerate() {
            let path: Vec<&str> = path.split('.').filter(|key| !key.is_empty()).collect();
            node.put(&path, Value::Integer(i as i64).into())?;
        }
        let mut notes = BTreeMap::new();
        let value = node.value(kind, "a", &mut notes)?;
        Ok(format!("{value:?} {:?}", notes.keys().collect::<Vec<_>>()))
    }

    #[test]
    fn parts_become_what_the_model_takes() -> Result<(), String> {
        for (kind, items, expected) in [
            ("Tensor", &[""][..], r#"Integer(0) ["a"]"#),
            ("List[Tensor]", &[""], r#"List([Integer(0)]) ["a[0]"]"#),
            (
                "List[Tensor]",
                &["", "", ""],
                r#"List([Integer(0), Integer(1), Integer(2)]) ["a[0]", "a[1]", "a[2]"]"#,
            ),
            ("Tuple[Tensor, int]", &["1", "0"], r#"Tuple([Integer(1), Integer(0)]) ["a[0]", "a[1]"]"#),
            (
                "Optional[Dict[str, Tensor]]",
                &["k", "l"],
                r#"Dict([("k", Integer(0)), ("l", Integer(1))]) ["a.k", "a.l"]"#,
            ),
            (
                "Dict[str, List[Tensor]]",
                &["k.0", "k.1"],
                r#"Dict([("k", List([Integer(0), Integer(1)]))]) ["a.k[0]", "a.k[1]"]"#,
            ),
            (
                "Tuple[Tensor, Tuple[Tensor, int]]",
                &["0", "1.0", "1.1"],
                r#"Tuple([Integer(0), Tuple([Integer(1), Integer(2)])]) ["a[0]", "a[1][0]", "a[1][1]"]"#,
            ),
            ("__torch__.Point", &["0", "1"], r#"Tuple([Integer(0), Integer(1)]) ["a[0]", "a[1]"]"#),
            (
                "NamedTuple[x: Tensor, y: Tensor]",
                &["y", "x"],
                r#"Tuple([Integer(1), Integer(0)]) ["a.x", "a.y"]"#,
            ),
        ] {
            assert_eq!(built(kind, items)?, expected);
        }
        Ok(())
    }

    #[test]
    fn lists_of_numbers_are_no_tensors() -> Result<(), String> {
        let mut node = Node::default();
        node.put(&[], Value::Int(ndarray::arr1(&[3, 4]).into_dyn()).into())?;
        let value = node.value("List[int]", "a", &mut BTreeMap::new())?;
        assert!(
            matches!(value, Value::List(items) if matches!(items[..], [Value::Integer(3), Value::Integer(4)]))
        );
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_said() {
        for (kind, items) in [
            ("Tensor", &["", ""][..]),
            ("Tensor", &["k"]),
            ("Dict[str, Tensor]", &["", "k"]),
            ("List[Tensor]", &["0", "2"]),
            ("List[Tensor]", &["k"]),
        ] {
            assert!(built(kind, items).is_err(), "{kind} from {items:?}");
        }
    }
}
