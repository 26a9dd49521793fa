//! The arguments in integer inputs and attributes: axes and single numbers.

use crate::Record;
use crate::lowering::{axis, integers};
use dlbacktrace_core::{Error, Result};

/// The axes in an integer input; none if it is empty.
pub(crate) fn axes(record: &Record, input: usize, rank: usize) -> Result<Vec<usize>> {
    integers(record, input)?.into_iter().map(|index| axis(index, rank)).collect()
}

/// The single number in an integer input.
pub(crate) fn integer(record: &Record, input: usize) -> Result<i64> {
    match integers(record, input)?.as_slice() {
        &[number] => Ok(number),
        numbers => Err(Error::Uncovered(format!("input {input} is {numbers:?}, not one integer"))),
    }
}

/// An extent, position or count in an integer input.
pub(crate) fn count(record: &Record, input: usize) -> Result<usize> {
    let number = integer(record, input)?;
    usize::try_from(number).map_err(|_| Error::Uncovered(format!("input {input} is {number}, not a count")))
}

/// A flag among the attributes; `false` if absent.
pub(crate) fn flag(record: &Record, name: &str) -> bool {
    record.operation.bool(name).unwrap_or(false)
}
