//! What the recordings of all frameworks have in common: values, and tensors at the edge of a run.

use crate::ValueId;

/// A value in a call, with the framework's own tensor.
#[derive(Debug, Clone)]
pub struct Slot<R> {
    /// The value.
    pub value: ValueId,
    /// The tensor as it was when the operator read or wrote it, if the recorder keeps it for this call.
    pub tensor: Option<R>,
}

/// A named tensor at the edge of a run.
#[derive(Debug, Clone)]
pub struct Port<T> {
    /// The name of the argument or result, with the path into lists, tuples and dictionaries: `x`, `batch.ids`, `feats[0]`.
    pub name: String,
    /// The value. An output may be the value of an input.
    pub value: ValueId,
    /// The tensor.
    pub tensor: T,
}

impl<R> Port<R> {
    /// The same ports with the framework's tensors as the rules take them.
    pub fn of_rules<T: From<R>>(ports: Vec<Self>) -> Vec<Port<T>> {
        let port = |Self { name, value, tensor }| Port { name, value, tensor: T::from(tensor) };
        ports.into_iter().map(port).collect()
    }
}

/// The result of checking a recording: every operator with all its tensors is run once more on what it read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The number of operators that were run again and compared.
    pub checked: usize,
    /// The number of operators that cannot be compared, because their results are random or uninitialised.
    pub skipped: usize,
    /// One line for each operator that gave something else than the recording.
    pub failed: Vec<String>,
}
