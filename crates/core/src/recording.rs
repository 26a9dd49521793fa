//! What recordings of all frameworks have in common: values, and tensors at the edge of a run.

use crate::ValueId;

/// A value in a call, with the framework's own tensor.
#[derive(Debug, Clone)]
pub struct Slot<R> {
    /// Which value.
    pub value: ValueId,
    /// The tensor as it was when the operator read or wrote it, where the recorder keeps it for this call.
    pub tensor: Option<R>,
}

/// A named tensor at the edge of a run.
#[derive(Debug, Clone)]
pub struct Port<T> {
    /// The argument's or the result's name and the way into lists, tuples and dictionaries: `x`, `batch.ids`, `feats[0]`.
    pub name: String,
    /// Which value. An output may be the value of an input.
    pub value: ValueId,
    /// The tensor.
    pub tensor: T,
}

/// What a recording's own check found: every operator that it kept whole is run once more on what it read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Operators that were run again and compared.
    pub checked: usize,
    /// Operators that cannot be compared, as their results are random or uninitialised.
    pub skipped: usize,
    /// One line for each operator that gave something else than it recorded.
    pub failed: Vec<String>,
}
