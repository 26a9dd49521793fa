//! Decides which input goes to which argument of the model.

use super::item::{Contents, Item, Note};
use super::kind::{self, Kind};
use super::tree::Node;
use crate::failure::{Failure, Result};
use dlbacktrace::rules::Bounds;
use dlbacktrace::{Argument, Inputs, Value};
use dlbacktrace_report::Given;
use std::collections::BTreeMap;

/// Values by the names of the model's arguments, in the model's order.
#[derive(Debug, Default)]
pub struct Bound {
    pub values: Vec<(String, Value)>,
    /// What is known of each input, by the name that the explained input will have: `x`, `batch.ids`, `feats[0]`.
    pub notes: BTreeMap<String, Note>,
    /// Which source went to which input.
    pub given: Vec<Given>,
    /// Integer inputs that hold quantities, as the pixels of a picture do.
    pub quantities: Vec<String>,
    /// The darkest and the lightest pixel, if all inputs that are not tokens are pictures.
    pub bounds: Option<Bounds>,
    /// Inputs that say where tokens stand, not what they are: constants, unless the command line names them.
    pub bookkeeping: Vec<String>,
    /// What the command assumed, one sentence each.
    pub assumed: Vec<String>,
}

impl Bound {
    /// The names of the inputs that are pictures.
    pub fn pictures(&self) -> impl Iterator<Item = &str> {
        self.notes.iter().filter(|(_, note)| note.image.is_some()).map(|(name, _)| name.as_str())
    }

    /// Whether all arrays that are not tokens are pictures.
    pub fn is_of_pictures(&self) -> bool {
        let arrays: usize = self.values.iter().map(|(_, value)| quantities(value)).sum();
        arrays == self.pictures().count()
    }

    /// The inputs as the model takes them.
    pub fn inputs(&mut self) -> Inputs {
        std::mem::take(&mut self.values)
            .into_iter()
            .fold(Inputs::new(), |inputs, (name, value)| inputs.set(&name, value))
    }
}

/// The arrays of numbers or bytes in a value.
fn quantities(value: &Value) -> usize {
    match value {
        Value::F32(_) | Value::F64(_) | Value::F16(_) | Value::BF16(_) | Value::U8(_) => 1,
        Value::List(values) | Value::Tuple(values) => values.iter().map(quantities).sum(),
        Value::Dict(entries) => entries.iter().map(|(_, value)| quantities(value)).sum(),
        _ => 0,
    }
}

/// Collects what each argument gets.
pub struct Binder<'a> {
    arguments: &'a [Argument],
    /// Whether the arguments are in the model's own order.
    ordered: bool,
    given: Vec<Node>,
    /// The source being assigned.
    source: String,
    sources: Vec<Given>,
}

impl<'a> Binder<'a> {
    pub fn new(arguments: &'a [Argument], ordered: bool) -> Self {
        let given = arguments.iter().map(|_| Node::default()).collect();
        Self { arguments, ordered, given, source: String::new(), sources: Vec::new() }
    }

    /// Assigns the contents of one source.
    pub fn add(&mut self, name: Option<String>, contents: Contents, source: &str) -> Result<()> {
        source.clone_into(&mut self.source);
        match (name, contents) {
            (Some(name), Contents::One(item)) => self.named(&name, item),
            (None, Contents::One(item)) => self.next(item),
            (Some(name), Contents::Many(items)) => self.all_to(&name, items),
            (None, Contents::Many(items)) => self.by_their_names(items),
        }
    }

    /// Assigns to `NAME`, or by `NAME.KEY` to a part of it.
    fn named(&mut self, name: &str, item: Item) -> Result<()> {
        let Some((argument, path)) = self.meant(name) else {
            return Err(self.misfit(&format!("there is no input {name}{}", self.parts(name))));
        };
        match self.given.get_mut(argument).map(|node| node.put(&path, item)) {
            Some(Ok(())) => {
                self.went_to(name);
                Ok(())
            }
            Some(Err(what)) => Err(self.misfit(&format!("{name} is {what}"))),
            None => Err(self.misfit(&format!("there is no input {name}"))),
        }
    }

    fn next(&mut self, item: Item) -> Result<()> {
        let Some(place) = self.place(&item)? else {
            return Err(self.misfit(&format!("more inputs are given than it takes{}", self.parts("KEY"))));
        };
        if let (Some(node), Some(argument)) = (self.given.get_mut(place), self.arguments.get(place)) {
            node.put(&[], item).map_err(Failure::Inputs)?;
            self.went_to(&argument.name);
        }
        Ok(())
    }

    /// The next argument by position. If the model does not say the order of its arguments, there must be only one candidate.
    fn place(&self, item: &Item) -> Result<Option<usize>> {
        let open = || (0..self.given.len()).filter(|&place| self.given[place].is_empty());
        let mut fitting = open().filter(|&place| self.arguments[place].takes(&item.value));
        if self.ordered || open().count() < 2 {
            return Ok(open().next());
        }
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => Ok(Some(only)),
            _ => Err(self.misfit(&format!(
                "their order is not known; say which one {} is for: --input NAME={0}",
                self.source
            ))),
        }
    }

    fn went_to(&mut self, input: &str) {
        if !self.source.is_empty() {
            self.sources.push(Given { input: input.to_owned(), source: self.source.clone() });
        }
    }

    /// Assigns several arrays to one argument: the entries of its dictionary or named tuple, or a file of a single array.
    fn all_to(&mut self, name: &str, mut items: Vec<(String, Item)>) -> Result<()> {
        let argument = self.find(name).and_then(|argument| self.arguments.get(argument));
        if argument.is_some_and(has_keys) {
            return items.into_iter().try_for_each(|(key, item)| self.named(&format!("{name}.{key}"), item));
        }
        match (items.pop(), items.is_empty()) {
            (Some((_, item)), true) => self.named(name, item),
            (last, _) => {
                let held = list(items.iter().chain(&last).map(|(name, _)| name.clone()));
                Err(self.misfit(&format!(
                    "the file for {name} holds {held}; choose one with --input {name}=FILE:KEY"
                )))
            }
        }
    }

    /// A hint how to give the parts of the model's dictionary, list or tuple, if it takes one.
    fn parts(&self, key: &str) -> String {
        let told = |argument: &Argument| {
            let name = &argument.name;
            match Kind::of(&argument.kind) {
                Kind::Dict(_) => Some(format!("; give an entry of {name} with --input {name}.{key}=FILE")),
                Kind::List(_) | Kind::Tuple(_) => {
                    Some(format!("; give the parts of {name} in order, each with --input {name}=FILE"))
                }
                Kind::Named(_) | Kind::Class | Kind::Single => None,
            }
        };
        self.arguments.iter().find_map(told).unwrap_or_default()
    }

    /// Assigns arrays to the inputs of the same names and leaves out the others of the file. If no name matches, they are the
    /// entries of the model's only dictionary or named tuple. A single array needs no name.
    fn by_their_names(&mut self, mut items: Vec<(String, Item)>) -> Result<()> {
        let ours = |name: &str| self.meant(name).is_some();
        if items.iter().any(|(name, _)| ours(name)) {
            items.retain(|(name, _)| ours(name));
            return items.into_iter().try_for_each(|(name, item)| self.named(&name, item));
        }
        let keyed = self.arguments.iter().filter(|argument| has_keys(argument));
        if let [keyed] = keyed.collect::<Vec<_>>().as_slice() {
            return self.all_to(&keyed.name, items);
        }
        match (items.pop(), items.is_empty()) {
            (Some((_, item)), true) => self.next(item),
            (last, _) => {
                let held = list(items.iter().chain(&last).map(|(name, _)| name.clone()));
                Err(self.misfit(&format!(
                    "the file holds {held}; say which goes where with --input NAME=FILE:KEY"
                )))
            }
        }
    }

    /// The argument that a name means, the longest whose name it starts with, and the path within it.
    fn meant<'n>(&self, name: &'n str) -> Option<(usize, Vec<&'n str>)> {
        let rest = |argument: &Argument| {
            let rest = name.strip_prefix(&argument.name)?;
            if rest.is_empty() { Some(None) } else { rest.strip_prefix('.').map(Some) }
        };
        let fits = self
            .arguments
            .iter()
            .enumerate()
            .filter_map(|(index, argument)| Some((index, argument, rest(argument)?)));
        let (index, argument, rest) = fits.max_by_key(|(_, argument, _)| argument.name.len())?;
        Some((index, rest.map_or(Vec::new(), |rest| kind::path(&argument.kind, rest))))
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.arguments.iter().position(|argument| argument.name == name)
    }

    fn misfit(&self, what: &str) -> Failure {
        let takes = list(self.arguments.iter().map(|Argument { name, kind, .. }| format!("{name}: {kind}")));
        Failure::Inputs(format!("the model takes {takes}; {what}"))
    }

    /// The values of all arguments that got one.
    pub fn finish(mut self) -> Result<Bound> {
        let mut bound = Bound { given: std::mem::take(&mut self.sources), ..Bound::default() };
        let given = std::mem::take(&mut self.given);
        for (Argument { name, kind, optional }, node) in self.arguments.iter().zip(given) {
            if !node.is_empty() {
                let value = node.value(kind, name, &mut bound.notes);
                bound
                    .values
                    .push((name.clone(), value.map_err(|e| self.misfit(&format!("input {name}: {e}")))?));
            } else if !optional {
                return Err(self.misfit(&format!("nothing is given for {name}; use --input {name}=FILE")));
            }
        }
        Ok(bound)
    }
}

fn list(names: impl Iterator<Item = String>) -> String {
    let names: Vec<_> = names.collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// Whether the argument has named parts.
fn has_keys(argument: &Argument) -> bool {
    matches!(Kind::of(&argument.kind), Kind::Dict(_) | Kind::Named(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bind(kinds: &[(&str, &str)], contents: Vec<(Option<&str>, Contents)>) -> Result<Bound> {
        let arguments: Vec<Argument> = kinds
            .iter()
            .map(|(name, kind)| Argument {
                name: (*name).to_owned(),
                kind: (*kind).to_owned(),
                optional: kind.starts_with("Optional"),
            })
            .collect();
        let mut binder = Binder::new(&arguments, true);
        for (name, contents) in contents {
            binder.add(name.map(str::to_owned), contents, "a file")?;
        }
        binder.finish()
    }

    fn number(value: i64) -> Contents {
        Contents::One(Value::Integer(value).into())
    }

    fn several(names: &[&str]) -> Contents {
        Contents::Many(names.iter().map(|name| ((*name).to_owned(), Value::Integer(1).into())).collect())
    }

    fn names(bound: Result<Bound>) -> Vec<String> {
        bound.map_or_else(
            |e| vec![e.to_string()],
            |bound| bound.values.into_iter().map(|(name, _)| name).collect(),
        )
    }

    const TWO: [(&str, &str); 2] = [("x", "Tensor"), ("y", "Optional[Tensor]")];

    #[test]
    fn by_position_and_by_name() {
        assert_eq!(names(bind(&TWO, vec![(None, number(1)), (None, number(2))])), ["x", "y"]);
        assert_eq!(names(bind(&TWO, vec![(Some("y"), number(1)), (None, number(2))])), ["x", "y"]);
        assert_eq!(names(bind(&TWO, vec![(None, several(&["y", "x", "output"]))])), ["x", "y"]);
        assert_eq!(names(bind(&TWO, vec![(None, several(&["arr_0"]))])), ["x"]);
        assert_eq!(names(bind(&TWO, vec![(Some("x"), several(&["arr_0"]))])), ["x"]);
    }

    #[test]
    fn without_an_order_only_what_fits_one_input_goes_by_position() -> Result<()> {
        let argument = |name: &str, kind: &str| Argument {
            name: name.to_owned(),
            kind: kind.to_owned(),
            optional: false,
        };
        let bound = |kinds: [&str; 2]| {
            let arguments = [argument("item", kinds[0]), argument("user", kinds[1])];
            let mut binder = Binder::new(&arguments, false);
            let image = ndarray::ArrayD::<f32>::zeros(vec![1, 4]);
            binder.add(None, Contents::One(Value::F32(image).into()), "a.npy")?;
            binder.add(None, number(3), "b.json")?;
            binder.finish()
        };
        let found = bound(["Tensor int64 []", "Tensor float32 [?, 4]"])?;
        assert_eq!(
            found.given.iter().map(|given| given.input.as_str()).collect::<Vec<_>>(),
            ["user", "item"]
        );
        let error =
            bound(["Tensor float32 [?, 4]", "Tensor float32 [?, 4]"]).map(|_| ()).map_err(|e| e.to_string());
        assert!(error.is_err_and(|text| text.contains("--input NAME=a.npy")));
        Ok(())
    }

    #[test]
    fn misfits_say_what_the_model_takes() {
        for contents in [
            vec![],
            vec![(Some("y"), number(1))],
            vec![(Some("z"), number(1))],
            vec![(None, number(1)), (None, number(1)), (None, number(1))],
            vec![(Some("x"), number(1)), (Some("x"), number(1))],
            vec![(Some("x"), number(1)), (Some("x.k"), number(1))],
            vec![(None, several(&["a", "b"]))],
            vec![(None, several(&[]))],
            vec![(Some("x"), several(&["a", "b"]))],
        ] {
            match bind(&TWO, contents) {
                Err(Failure::Inputs(text)) => {
                    assert!(text.contains("x: Tensor, y: Optional[Tensor]"), "{text}")
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_file_of_several_fills_a_dictionary() -> Result<()> {
        let dict = [("a", "Dict[str, Tensor]")];
        for contents in [
            (Some("a"), several(&["k", "l"])),
            (None, several(&["a.k", "a.l"])),
            (None, several(&["k", "l"])),
        ] {
            let bound = bind(&dict, vec![contents])?;
            assert!(matches!(&bound.values[0].1, Value::Dict(entries) if entries.len() == 2));
        }
        let beside = [("x", "Tensor"), ("a", "Dict[str, Tensor]")];
        let bound = bind(&beside, vec![(None, number(1)), (None, several(&["k", "l"]))])?;
        assert!(matches!(&bound.values[1].1, Value::Dict(entries) if entries.len() == 2));
        Ok(())
    }

    #[test]
    fn parts_of_an_input_are_told_how_to_be_given() {
        for (kind, contents, advice) in [
            ("Dict[str, Tensor]", vec![(Some("k"), number(1))], "--input a.k=FILE"),
            ("List[Tensor]", vec![(None, number(1)), (None, number(1))], "each with --input a=FILE"),
        ] {
            let error = bind(&[("a", kind)], contents).map(|_| ()).map_err(|error| error.to_string());
            assert!(error.as_ref().is_err_and(|text| text.contains(advice)), "{error:?}");
        }
    }

    #[test]
    fn dots_divide_keys_only_where_the_type_goes_deeper() -> Result<()> {
        let keys = |kind: &str| -> Result<String> {
            let bound = bind(&[("a.b", kind)], vec![(None, several(&["k.l", "k.m"]))])?;
            Ok(format!("{:?}", bound.values[0].1))
        };
        assert_eq!(keys("Dict[str, Tensor]")?, "Dict([(\"k.l\", Integer(1)), (\"k.m\", Integer(1))])");
        let nested = "Dict([(\"k\", Dict([(\"l\", Integer(1)), (\"m\", Integer(1))]))])";
        assert_eq!(keys("Dict[str, Dict[str, Tensor]]")?, nested);
        assert_eq!(
            names(bind(&[("a.b", "Tensor"), ("a", "Tensor")], vec![(None, several(&["a.b", "a"]))])),
            ["a.b", "a"]
        );
        Ok(())
    }
}
