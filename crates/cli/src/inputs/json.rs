//! JSON: nested lists of numbers are arrays, objects are named values.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dlbacktrace::Value;
use ndarray::{ArrayD, IxDyn};
use serde_json::Value as Json;

/// Parses JSON text as a value: a number, a bool, a string, `null`, an array of numbers or bools of any rank, a list of
/// other things, or an object. A request to TensorFlow Serving is replaced by the inputs in it.
///
/// # Errors
/// What is wrong with it.
pub fn parse(text: &str) -> Result<Value, String> {
    value(&requested(serde_json::from_str(text).map_err(|e| format!("it is not JSON ({e})"))?))
}

fn value(json: &Json) -> Result<Value, String> {
    Ok(match json {
        Json::Null => Value::Nothing,
        Json::Bool(flag) => Value::Flag(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Value::Integer(integer),
            None => Value::Float(float(number)?),
        },
        Json::String(text) => Value::Text(text.clone()),
        Json::Object(entries) if entries.len() == 1 && entries.contains_key("b64") => {
            bytes(entries.get("b64"))?
        }
        Json::Object(entries) => Value::Dict(
            entries
                .iter()
                .map(|(key, json)| Ok((key.clone(), value(json)?)))
                .collect::<Result<_, String>>()?,
        ),
        Json::Array(items) => list(items)?,
    })
}

/// Bytes in base64, as TensorFlow Serving takes them: `{"b64": "…"}`.
fn bytes(text: Option<&Json>) -> Result<Value, String> {
    let text = text.and_then(Json::as_str).ok_or("the value of `b64` is not a text")?;
    STANDARD.decode(text).map(Value::Bytes).map_err(|e| format!("the value of `b64` is not base64 ({e})"))
}

/// The inputs in a request to TensorFlow Serving: its `inputs`, or its `instances` as one column for each of their keys. Any
/// other JSON stays as it is.
fn requested(json: Json) -> Json {
    let Json::Object(mut request) = json else { return json };
    let envelope = ["inputs", "instances", "signature_name"];
    if !request.keys().all(|key| envelope.contains(&key.as_str())) {
        return Json::Object(request);
    }
    match (request.remove("inputs"), request.remove("instances")) {
        (Some(inputs), None) => inputs,
        (None, Some(Json::Array(instances))) => columns(instances),
        (inputs, instances) => {
            let put = [("inputs", inputs), ("instances", instances)];
            request.extend(put.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
            Json::Object(request)
        }
    }
}

fn columns(instances: Vec<Json>) -> Json {
    let keys = |instance: &Json| instance.as_object().filter(|keys| !keys.contains_key("b64")).cloned();
    let Some(rows) = instances.iter().map(keys).collect::<Option<Vec<_>>>() else {
        return Json::Array(instances);
    };
    let mut columns = serde_json::Map::new();
    for (key, value) in rows.into_iter().flatten() {
        if let Some(column) = columns.entry(key).or_insert_with(|| Json::Array(Vec::new())).as_array_mut() {
            column.push(value);
        }
    }
    Json::Object(columns)
}

fn float(number: &serde_json::Number) -> Result<f64, String> {
    number.as_f64().ok_or_else(|| format!("the number {number} does not fit a double"))
}

/// An array if all leaves are numbers or all are bools, otherwise a list.
fn list(items: &[Json]) -> Result<Value, String> {
    let mut leaves = Leaves::default();
    let mut shape = vec![items.len()];
    leaves.gather(items, 1, &mut shape)?;
    Ok(match leaves {
        Leaves { others: true, .. } => Value::List(items.iter().map(value).collect::<Result<_, _>>()?),
        Leaves { bools, numbers, .. } if numbers.is_empty() && !bools.is_empty() => {
            Value::Bool(array(&shape, bools)?)
        }
        Leaves { bools, .. } if !bools.is_empty() => {
            return Err("an array mixes bools and numbers".to_owned());
        }
        Leaves { numbers, .. } => {
            let integers: Option<Vec<i64>> = numbers.iter().map(|number| number.as_i64()).collect();
            match integers.filter(|integers| !integers.is_empty()) {
                Some(integers) => Value::Int(array(&shape, integers)?),
                None => Value::F64(array(&shape, numbers.into_iter().map(float).collect::<Result<_, _>>()?)?),
            }
        }
    })
}

fn array<T>(shape: &[usize], elements: Vec<T>) -> Result<ArrayD<T>, String> {
    ArrayD::from_shape_vec(IxDyn(shape), elements).map_err(|e| e.to_string())
}

/// The items at the bottom of nested lists.
#[derive(Default)]
struct Leaves<'a> {
    numbers: Vec<&'a serde_json::Number>,
    bools: Vec<bool>,
    /// Whether an item is something that no array can hold.
    others: bool,
}

impl<'a> Leaves<'a> {
    /// Collects the items. `depth` counts the lists around them; the first path downwards fixes the shape of all.
    fn gather(&mut self, items: &'a [Json], depth: usize, shape: &mut Vec<usize>) -> Result<(), String> {
        for item in items {
            match item {
                Json::Array(inner) => {
                    let leaf_above =
                        shape.len() == depth && !(self.numbers.is_empty() && self.bools.is_empty());
                    if shape.len() == depth && !leaf_above {
                        shape.push(inner.len());
                    }
                    if leaf_above || shape.get(depth) != Some(&inner.len()) {
                        return Err("the rows of an array have different lengths; pad them".to_owned());
                    }
                    self.gather(inner, depth + 1, shape)?;
                }
                _ if shape.len() != depth
                    && !matches!(item, Json::String(_) | Json::Object(_) | Json::Null) =>
                {
                    return Err("the rows of an array have different depths".to_owned());
                }
                Json::Number(number) => self.numbers.push(number),
                Json::Bool(flag) => self.bools.push(*flag),
                _ => self.others = true,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{arr1, arr2};

    #[test]
    fn numbers_become_arrays() -> Result<(), String> {
        assert!(
            matches!(parse("[[1, 2], [3, 4]]")?, Value::Int(a) if a == arr2(&[[1, 2], [3, 4]]).into_dyn())
        );
        assert!(matches!(parse("[1, 2.5]")?, Value::F64(a) if a == arr1(&[1.0, 2.5]).into_dyn()));
        assert!(matches!(parse("[[true], [false]]")?, Value::Bool(a) if a.shape() == [2, 1]));
        assert!(matches!(parse("[[], []]")?, Value::F64(a) if a.shape() == [2, 0]));
        Ok(())
    }

    #[test]
    fn other_things_keep_their_structure() -> Result<(), String> {
        assert!(matches!(parse("16000")?, Value::Integer(16000)));
        assert!(matches!(parse("0.5")?, Value::Float(0.5)));
        assert!(matches!(parse("null")?, Value::Nothing));
        assert!(matches!(parse(r#"["a", "b"]"#)?, Value::List(items) if items.len() == 2));
        assert!(
            matches!(parse(r#"{"ids": [1], "flag": true}"#)?, Value::Dict(entries) if entries.len() == 2)
        );
        Ok(())
    }

    #[test]
    fn bytes_and_requests_are_as_serving_takes_them() -> Result<(), String> {
        assert!(matches!(parse(r#"{"b64": "/9gA"}"#)?, Value::Bytes(bytes) if bytes == [255, 216, 0]));
        let nested = format!("{:?}", parse(r#"[[{"b64": "YQ=="}], [{"b64": "Yg=="}]]"#)?);
        assert_eq!(nested, "List([List([Bytes([97])]), List([Bytes([98])])])");
        assert!(parse(r#"{"b64": "?"}"#).is_err());
        let rows = format!("{:?}", parse(r#"{"instances": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]}"#)?);
        assert_eq!(rows, format!("{:?}", parse(r#"{"a": [1, 2], "b": ["x", "y"]}"#)?));
        assert!(matches!(parse(r#"{"instances": [[1, 2]]}"#)?, Value::Int(a) if a.shape() == [1, 2]));
        assert!(
            matches!(parse(r#"{"inputs": {"a": [1]}, "signature_name": "s"}"#)?, Value::Dict(entries) if entries.len() == 1)
        );
        assert!(
            matches!(parse(r#"{"inputs": [1], "other": [2]}"#)?, Value::Dict(entries) if entries.len() == 2)
        );
        Ok(())
    }

    #[test]
    fn ragged_and_mixed_arrays_are_errors() {
        for text in ["[[1, 2], [3]]", "[1, [2]]", "[[1], 2]", "[1, true]", "[[1, 2", "", "[[[1]], [2]]"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&"[".repeat(100_000)).is_err(), "deep nesting");
    }
}
