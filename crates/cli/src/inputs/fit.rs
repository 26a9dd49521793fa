//! Converts element types to fit the model. Files store whole numbers as floats and floats as whole numbers; only the model
//! knows which it takes.

use super::bind::Bound;
use super::item::Note;
use super::kind::{Kind, Leaf};
use crate::failure::{Failure, Result};
use dlbacktrace::core::DType;
use dlbacktrace::{Argument, Error, Inputs, Model, Value};
use ndarray::{ArrayD, Dimension};

/// Above this, floats cannot represent every integer.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Converts inputs to the model's types: whole floats to integers and integers to floats, in single values and arrays.
///
/// # Errors
/// [`Failure::Inputs`] for a fraction where the model takes an integer.
pub fn to_types(arguments: &[Argument], bound: &mut Bound) -> Result<()> {
    for (name, value) in &mut bound.values {
        let Some(argument) = arguments.iter().find(|argument| argument.name == *name) else { continue };
        if Kind::of(&argument.kind) != Kind::Single {
            continue;
        }
        let of = Of { name, note: bound.notes.get(name) };
        let converted = match (Leaf::of(&argument.kind), &*value) {
            (Leaf::Integer, _) => {
                integers(value).map_err(|fraction| of.fraction(&argument.kind, fraction))?
            }
            (Leaf::Float, Value::Integer(number)) => Some(Value::Float(*number as f64)),
            (Leaf::Float, Value::Int(_) | Value::Int32(_)) => {
                bound.assumed.extend(of.taken("integers", "floats"));
                None
            }
            _ => None,
        };
        if let Some(converted) = converted {
            bound.assumed.extend(of.taken("whole floats", "integers"));
            *value = converted;
        }
    }
    Ok(())
}

/// An input and its source, for messages.
struct Of<'a> {
    name: &'a str,
    note: Option<&'a Note>,
}

impl Of<'_> {
    fn file(&self) -> Option<String> {
        self.note?.file.as_ref().map(|file| file.display().to_string())
    }

    /// The sentence about a conversion, for values from a file; typed values have no type of their own.
    fn taken(&self, held: &str, wanted: &str) -> Option<String> {
        self.file().map(|file| format!("the {held} of {file} are {wanted} for input {}", self.name))
    }

    fn fraction(&self, kind: &str, (place, number): (Vec<usize>, f64)) -> Failure {
        let holds = self.file().map_or("the value given".to_owned(), |file| file);
        Failure::Inputs(format!(
            "input {} takes integers ({kind}), but {holds} has {number} at {place:?}; round it, or give another file",
            self.name
        ))
    }
}

/// Floats as integers; `None` if the value holds no floats.
fn integers(value: &Value) -> Result<Option<Value>, (Vec<usize>, f64)> {
    if let Value::Float(number) = value {
        return whole(*number).map(|number| Some(Value::Integer(number))).ok_or((Vec::new(), *number));
    }
    let Some(floats) = floats(value) else { return Ok(None) };
    match floats.indexed_iter().find(|(_, number)| whole(**number).is_none()) {
        Some((place, number)) => Err((place.slice().to_vec(), *number)),
        None => Ok(Some(Value::Int(floats.mapv(|number| number as i64)))),
    }
}

fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < EXACT).then_some(number as i64)
}

/// The numbers of a floating array.
fn floats(value: &Value) -> Option<ArrayD<f64>> {
    Some(match value {
        Value::F64(array) => array.clone(),
        Value::F32(array) => array.mapv(f64::from),
        Value::F16(array) => array.mapv(f64::from),
        Value::BF16(array) => array.mapv(f64::from),
        _ => return None,
    })
}

/// Calls the model with the values. TorchScript does not say which element type a tensor must have. If the model fails, one
/// input, then all, are converted and tried; the first choice that runs is used and reported.
///
/// # Errors
/// Those of the call, and [`Failure::Inputs`] if an input holds NaN or infinity and therefore the output does too.
pub fn run<T>(
    model: &Model,
    mut bound: Bound,
    call: impl Fn(&Inputs) -> dlbacktrace::Result<T>,
) -> Result<(T, Bound)> {
    let mut inputs = bound.inputs();
    let error = match call(&inputs) {
        Ok(found) => return Ok((found, bound)),
        Err(error) => error,
    };
    let unexplained = !matches!(error, Error::NoRule(_) | Error::Load(_) | Error::Library(_));
    if unexplained && let Some(told) = no_number(&mut inputs, &bound) {
        return Err(Failure::Inputs(told));
    }
    if matches!(error, Error::Inputs(_))
        && let Some(taken) = converted(model, &mut inputs, &bound)
    {
        bound.assumed.extend(taken);
        return Ok((call(&inputs)?, bound));
    }
    match fraction(&mut inputs, &bound).filter(|_| error.to_string().contains(WANTS_INTEGERS)) {
        Some(failure) => Err(failure),
        None => Err(error.into()),
    }
}

/// What libtorch says when a lookup is given floats.
const WANTS_INTEGERS: &str = "scalar types: Long, Int";

/// The error for the first fraction in an input.
fn fraction(inputs: &mut Inputs, bound: &Bound) -> Option<Failure> {
    inputs.named_mut().iter().find_map(|(name, value)| {
        let found = integers(value).err()?;
        Some(Of { name, note: bound.notes.get(name) }.fraction("tokens", found))
    })
}

/// Converts the first choice of inputs with which the model runs; says what was converted.
fn converted(model: &Model, inputs: &mut Inputs, bound: &Bound) -> Option<Vec<String>> {
    let count = inputs.named_mut().len();
    let single = (0..count).map(|index| vec![index]);
    for chosen in single.chain((count > 1).then(|| (0..count).collect())) {
        let mut before = Vec::new();
        let mut taken = Vec::new();
        for &index in &chosen {
            let Some((name, value)) = inputs.named_mut().get_mut(index) else { continue };
            let Some((other, held, wanted)) = other(value, model.precision()) else { continue };
            let of = Of { name, note: bound.notes.get(name) };
            taken.push(of.taken(held, wanted).unwrap_or(format!("the {held} of input {name} are {wanted}")));
            before.push((index, std::mem::replace(value, other)));
        }
        if !before.is_empty() && model.forward(inputs).is_ok() {
            return Some(taken);
        }
        for (index, value) in before {
            if let Some((_, changed)) = inputs.named_mut().get_mut(index) {
                *changed = value;
            }
        }
    }
    None
}

/// Integers as floats of the model's precision, or whole floats as integers.
fn other(value: &Value, precision: Option<DType>) -> Option<(Value, &'static str, &'static str)> {
    let numbers = match value {
        Value::Int(array) => array.mapv(|number| number as f64),
        Value::Int32(array) => array.mapv(f64::from),
        Value::U8(array) => array.mapv(f64::from),
        Value::Bool(array) => array.mapv(|flag| f64::from(u8::from(flag))),
        _ => return integers(value).ok().flatten().map(|value| (value, "whole floats", "integers")),
    };
    let mut value = Value::F64(numbers);
    super::cast::floats(&mut value, crate::args::Dtype::Auto, precision);
    Some((value, "integers", "floats"))
}

/// Says where the first NaN or infinity of an input is.
fn no_number(inputs: &mut Inputs, bound: &Bound) -> Option<String> {
    inputs.named_mut().iter().find_map(|(name, value)| {
        let array = floats(value)?;
        let (place, number) = array.indexed_iter().find(|(_, number)| !number.is_finite())?;
        let of = Of { name, note: bound.notes.get(name) };
        let file = of.file().map_or(String::new(), |file| format!(" ({file})"));
        Some(format!(
            "input {name}{file} holds {number}, first at {:?}, so the output has no value to explain; put a number in its \
             place, such as the mean that the model was trained with",
            place.slice()
        ))
    })
}
