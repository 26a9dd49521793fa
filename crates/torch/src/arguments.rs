//! The arguments of a recorded call, by their names in the operator's schema.

use dlbacktrace_core::{Error, Result};
use dlbacktrace_torch_recorder::{ArgumentValue, Call, Slot};

/// Reads arguments. An argument that is missing or has another type is an error that names it.
pub(crate) trait Arguments {
    /// A tensor.
    fn tensor(&self, name: &str) -> Result<&Slot>;
    /// A tensor, if given.
    fn optional(&self, name: &str) -> Option<&Slot>;
    /// A list of tensors; undefined ones are `None`.
    fn tensors(&self, name: &str) -> Result<Vec<Option<&Slot>>>;
    /// An integer.
    fn int(&self, name: &str) -> Result<i64>;
    /// A number of any type, if given.
    fn optional_number(&self, name: &str) -> Option<f64>;
    /// A truth value; `false` if absent.
    fn flag(&self, name: &str) -> bool;
    /// Integers; a single integer counts as a list of one.
    fn ints(&self, name: &str) -> Option<Vec<i64>>;
    /// Extents for each of `rank` axes; a single one serves for all.
    fn extents(&self, name: &str, rank: usize) -> Result<Vec<usize>>;
    /// A text.
    fn text(&self, name: &str) -> Option<&str>;
}

fn missing(call: &Call, name: &str, wanted: &str) -> Error {
    let names: Vec<&str> = call.arguments.iter().map(|argument| argument.name.as_str()).collect();
    Error::Uncovered(format!(
        "argument {name} is not a {wanted}; the overload {:?} takes {names:?}",
        call.overload
    ))
}

impl Arguments for Call {
    fn tensor(&self, name: &str) -> Result<&Slot> {
        self.optional(name).ok_or_else(|| missing(self, name, "tensor"))
    }

    fn optional(&self, name: &str) -> Option<&Slot> {
        match self.argument(name)? {
            ArgumentValue::Tensor(slot) => Some(slot),
            _ => None,
        }
    }

    fn tensors(&self, name: &str) -> Result<Vec<Option<&Slot>>> {
        match self.argument(name) {
            Some(ArgumentValue::Tensors(slots)) => Ok(slots.iter().map(Option::as_ref).collect()),
            _ => Err(missing(self, name, "list of tensors")),
        }
    }

    fn int(&self, name: &str) -> Result<i64> {
        match self.argument(name) {
            Some(ArgumentValue::Int(value)) => Ok(*value),
            _ => Err(missing(self, name, "integer")),
        }
    }

    fn optional_number(&self, name: &str) -> Option<f64> {
        match self.argument(name)? {
            ArgumentValue::Int(value) => Some(*value as f64),
            ArgumentValue::Double(value) => Some(*value),
            ArgumentValue::Bool(value) => Some(f64::from(u8::from(*value))),
            _ => None,
        }
    }

    fn flag(&self, name: &str) -> bool {
        matches!(self.argument(name), Some(ArgumentValue::Bool(true)))
    }

    fn ints(&self, name: &str) -> Option<Vec<i64>> {
        match self.argument(name)? {
            ArgumentValue::Ints(values) => Some(values.clone()),
            ArgumentValue::Int(value) => Some(vec![*value]),
            _ => None,
        }
    }

    fn extents(&self, name: &str, rank: usize) -> Result<Vec<usize>> {
        let values = self.ints(name).ok_or_else(|| missing(self, name, "list of integers"))?;
        let values = match values.as_slice() {
            [value] => vec![*value; rank],
            _ => values,
        };
        let extents: Option<Vec<usize>> = values.iter().map(|&value| usize::try_from(value).ok()).collect();
        extents.filter(|extents| extents.len() == rank).ok_or_else(|| {
            Error::Uncovered(format!("argument {name} is {values:?}, not one extent for each of {rank} axes"))
        })
    }

    fn text(&self, name: &str) -> Option<&str> {
        match self.argument(name)? {
            ArgumentValue::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// An axis, which may be counted from the end.
pub(crate) fn axis(index: i64, rank: usize) -> Result<usize> {
    let from_front = if index < 0 { index + rank.max(1) as i64 } else { index };
    usize::try_from(from_front)
        .ok()
        .filter(|&axis| axis < rank.max(1))
        .ok_or_else(|| Error::Uncovered(format!("there is no axis {index} among {rank}")))
}

/// Axes, which may be counted from the end; an empty list means all.
pub(crate) fn axes(indices: Option<Vec<i64>>, rank: usize) -> Result<Vec<usize>> {
    match indices {
        Some(indices) if !indices.is_empty() => indices.into_iter().map(|index| axis(index, rank)).collect(),
        _ => Ok((0..rank).collect()),
    }
}
