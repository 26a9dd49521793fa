//! `tf.Example` messages for models that parse them, built from columns and arrays that are named as the features the
//! model reads.

use super::{Contents, Item};
use dlbacktrace::tensorflow::{DataType, ExampleSpec, Feature, FeatureSpec, example};
use dlbacktrace::{Argument, Value};
use ndarray::{ArrayD, Axis};

/// The features as if they were arguments, for tables.
pub fn arguments(spec: &ExampleSpec) -> Vec<Argument> {
    let argument = |feature: &FeatureSpec| Argument {
        name: feature.name.clone(),
        kind: format!(
            "Tensor {} [?, {}]",
            feature.data_type,
            count(feature).map_or("?".to_owned(), |count| count.to_string())
        ),
        optional: !feature.required,
    };
    spec.features.iter().map(argument).collect()
}

/// How many values of a feature a message holds; `None` for any number.
fn count(feature: &FeatureSpec) -> Option<usize> {
    feature.shape.as_ref()?.iter().copied().product()
}

/// Builds messages from named values, one a row; what names no feature stays as it is. JSON may hold one message, or a list
/// of them; in a request to TensorFlow Serving, under `examples`.
///
/// # Errors
/// What is missing or does not fit.
pub fn messages(spec: &ExampleSpec, contents: Contents) -> Result<Contents, String> {
    let is_feature = |name: &String| spec.features.iter().any(|feature| feature.name == *name);
    match contents {
        Contents::Many(mut items)
            if items.len() == 1 && !is_feature(&items[0].0) && holds_rows(&items[0].1.value) =>
        {
            let value = items.remove(0).1.value;
            messages(spec, Contents::One(value.into()))
        }
        Contents::One(Item { value: Value::Dict(entries), .. }) => messages(spec, Contents::named(entries)),
        Contents::One(Item { value: Value::List(rows), .. }) if rows.iter().any(is_row) => {
            let rows = rows.into_iter().map(|row| match row {
                Value::Dict(row) => message(spec, row.iter().map(|(name, value)| (name, value))),
                _ => Err("its list holds something other than messages".to_owned()),
            });
            Ok(Contents::One(Value::List(rows.collect::<Result<_, _>>()?).into()))
        }
        // A value that is not a list belongs to one message, so lists beside it do too.
        Contents::Many(items)
            if items.iter().any(|(name, item)| is_feature(name) && is_single(&item.value)) =>
        {
            let row = message(spec, items.iter().map(|(name, item)| (name, &item.value)))?;
            Ok(Contents::One(Value::List(vec![row]).into()))
        }
        Contents::Many(items) if items.iter().any(|(name, _)| is_feature(name)) => {
            written(spec, &items).map(|messages| Contents::One(messages.into()))
        }
        contents => Ok(contents),
    }
}

fn is_row(value: &Value) -> bool {
    matches!(value, Value::Dict(_))
}

fn holds_rows(value: &Value) -> bool {
    matches!(value, Value::List(rows) if rows.iter().any(is_row)) || is_row(value)
}

fn is_single(value: &Value) -> bool {
    matches!(value, Value::Integer(_) | Value::Float(_) | Value::Text(_) | Value::Bytes(_))
}

/// One message with all its features.
fn message<'a>(
    spec: &ExampleSpec,
    row: impl Iterator<Item = (&'a String, &'a Value)> + Clone,
) -> Result<Value, String> {
    let mut features = Vec::new();
    for feature in &spec.features {
        let Some((name, value)) = row.clone().find(|(name, _)| **name == feature.name) else {
            missing(spec, feature)?;
            continue;
        };
        features.push((name.clone(), joined(value, feature.data_type).ok_or_else(|| other_kind(feature))?));
    }
    Ok(Value::Bytes(example(features)))
}

/// All values of a feature, in order.
fn joined(value: &Value, data_type: DataType) -> Option<Feature> {
    let mut rows = values(value, data_type)?.into_iter();
    rows.next().map(|first| {
        rows.fold(first, |all, row| match (all, row) {
            (Feature::Bytes(all), Feature::Bytes(row)) => Feature::Bytes([all, row].concat()),
            (Feature::Floats(all), Feature::Floats(row)) => Feature::Floats([all, row].concat()),
            (Feature::Ints(all), Feature::Ints(row)) => Feature::Ints([all, row].concat()),
            (all, _) => all,
        })
    })
}

/// Reports a missing feature that each message must hold.
///
/// # Errors
/// The error that names the feature.
fn missing(spec: &ExampleSpec, feature: &FeatureSpec) -> Result<(), String> {
    if !feature.required {
        return Ok(());
    }
    let names: Vec<&str> = spec.features.iter().map(|feature| feature.name.as_str()).collect();
    let name = &feature.name;
    let columns = match count(feature) {
        Some(count @ 2..) => {
            format!(" ({count} values; in a table, columns {name}_0 to {name}_{})", count - 1)
        }
        _ => String::new(),
    };
    Err(format!("it has no {name}{columns}; the model reads {} from each message", names.join(", ")))
}

fn other_kind(feature: &FeatureSpec) -> String {
    format!("its {} is not of type {}, which the model reads", feature.name, feature.data_type)
}

fn written(spec: &ExampleSpec, items: &[(String, Item)]) -> Result<Value, String> {
    let mut rows: Option<Vec<Vec<(String, Feature)>>> = None;
    for feature in &spec.features {
        let Some((_, item)) = items.iter().find(|(name, _)| *name == feature.name) else {
            missing(spec, feature)?;
            continue;
        };
        let values = values(&item.value, feature.data_type).ok_or_else(|| other_kind(feature))?;
        let rows = rows.get_or_insert_with(|| values.iter().map(|_| Vec::new()).collect());
        if rows.len() != values.len() {
            return Err(format!(
                "it has {} rows for {}, but {} for other features",
                values.len(),
                feature.name,
                rows.len()
            ));
        }
        for (row, value) in rows.iter_mut().zip(values) {
            row.push((feature.name.clone(), value));
        }
    }
    Ok(Value::List(rows.unwrap_or_default().into_iter().map(|row| Value::Bytes(example(row))).collect()))
}

/// The values of a feature for each row; `None` if they are of another kind.
fn values(value: &Value, data_type: DataType) -> Option<Vec<Feature>> {
    if data_type == DataType::STRING {
        let rows = if let Value::List(rows) = value { rows.as_slice() } else { std::slice::from_ref(value) };
        return rows.iter().map(|row| texts(row).map(Feature::Bytes)).collect();
    }
    let numbers = match value {
        Value::Int(array) => array.mapv(|number| number as f64),
        Value::Int32(array) => array.mapv(f64::from),
        Value::F64(array) => array.clone(),
        Value::F32(array) => array.mapv(f64::from),
        Value::Integer(number) => ndarray::arr1(&[*number as f64]).into_dyn(),
        Value::Float(number) => ndarray::arr1(&[*number]).into_dyn(),
        _ => return None,
    };
    let whole = numbers.iter().all(|number| number.fract() == 0.0);
    let feature = |row: Vec<f64>| match data_type {
        DataType::INT64 => {
            whole.then(|| Feature::Ints(row.into_iter().map(|number| number as i64).collect()))
        }
        _ => Some(Feature::Floats(row.into_iter().map(|number| number as f32).collect())),
    };
    rows(&numbers).into_iter().map(feature).collect()
}

fn rows(numbers: &ArrayD<f64>) -> Vec<Vec<f64>> {
    numbers.axis_iter(Axis(0)).map(|row| row.iter().copied().collect()).collect()
}

fn texts(value: &Value) -> Option<Vec<Vec<u8>>> {
    match value {
        Value::Text(text) => Some(vec![text.clone().into_bytes()]),
        Value::Bytes(bytes) => Some(vec![bytes.clone()]),
        Value::List(values) => {
            Some(values.iter().map(texts).collect::<Option<Vec<_>>>()?.into_iter().flatten().collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr1;

    fn spec() -> ExampleSpec {
        let feature = |name: &str, data_type, required| FeatureSpec {
            name: name.to_owned(),
            data_type,
            shape: None,
            required,
        };
        let features = vec![
            feature("age", DataType::FLOAT, true),
            feature("count", DataType::INT64, false),
            feature("town", DataType::STRING, false),
        ];
        ExampleSpec { input: "examples".to_owned(), features }
    }

    fn written(items: Vec<(&str, Value)>) -> Result<String, String> {
        let items = items.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(format!("{:?}", messages(&spec(), Contents::named(items))?))
    }

    #[test]
    fn a_row_is_a_message() -> Result<(), String> {
        let text = |text: &str| Value::List(vec![Value::Text(text.to_owned())]);
        let numbers = |numbers: &[f64]| Value::F64(arr1(numbers).into_dyn());
        let towns = Value::List(vec![text("Rome"), text("Oslo")]);
        let found =
            written(vec![("age", numbers(&[1.0, 2.0])), ("count", numbers(&[3.0, 4.0])), ("town", towns)])?;
        let row = |age: f32, count: i64, town: &str| {
            let features = [
                ("age", Feature::Floats(vec![age])),
                ("count", Feature::Ints(vec![count])),
                ("town", Feature::Bytes(vec![town.as_bytes().to_vec()])),
            ];
            Value::Bytes(example(features.map(|(name, feature)| (name.to_owned(), feature))))
        };
        let expected = Contents::One(Value::List(vec![row(1.0, 3, "Rome"), row(2.0, 4, "Oslo")]).into());
        assert_eq!(found, format!("{expected:?}"));
        Ok(())
    }

    #[test]
    fn json_holds_one_message_or_a_list_of_them() -> Result<(), String> {
        let row = |age: f64| {
            Value::Dict(vec![
                ("age".to_owned(), Value::Float(age)),
                ("count".to_owned(), Value::Int(arr1(&[3, 4]).into_dyn())),
                ("town".to_owned(), Value::Text("Rome".to_owned())),
            ])
        };
        let expected = |ages: &[f32]| {
            let message = |&age: &f32| {
                let features = [
                    ("age", Feature::Floats(vec![age])),
                    ("count", Feature::Ints(vec![3, 4])),
                    ("town", Feature::Bytes(vec![b"Rome".to_vec()])),
                ];
                Value::Bytes(example(features.map(|(name, feature)| (name.to_owned(), feature))))
            };
            format!("{:?}", Contents::One(Value::List(ages.iter().map(message).collect()).into()))
        };
        let one =
            |value: Value| messages(&spec(), Contents::One(value.into())).map(|found| format!("{found:?}"));
        assert_eq!(one(row(1.0))?, expected(&[1.0]));
        assert_eq!(one(Value::List(vec![row(1.0), row(2.0)]))?, expected(&[1.0, 2.0]));
        assert_eq!(written(vec![("examples", Value::List(vec![row(2.0)]))])?, expected(&[2.0]));
        Ok(())
    }

    #[test]
    fn what_is_missing_or_of_another_kind_is_named() {
        let numbers = |numbers: &[f64]| Value::F64(arr1(numbers).into_dyn());
        for (items, words) in [
            (vec![("count", numbers(&[1.0]))], "it has no age"),
            (vec![("age", numbers(&[1.0])), ("count", numbers(&[0.5]))], "count is not of type int64"),
            (vec![("age", numbers(&[1.0])), ("count", numbers(&[1.0, 2.0]))], "2 rows for count, but 1"),
        ] {
            let told = written(items).expect_err("nonsense");
            assert!(told.contains(words), "{told}");
        }
        assert!(written(vec![("other", numbers(&[1.0]))]).is_ok_and(|kept| kept.starts_with("Many")));
    }
}
