//! A finished recording: plain data.

use super::Operation;
use crate::{DataType, Tensor};
use dlbacktrace_core::Chance;
use std::fmt;
use std::sync::Arc;

pub use dlbacktrace_core::ValueId;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A record of this recording made it.
    Computed,
    /// It was given as an input of this name.
    Input(String),
    /// A constant of the graph, by the name of its node.
    Constant(String),
    /// A handle to a variable or table, by its shared name, or the value of a variable of TensorFlow 1.
    Variable(String),
}

/// What is known of a value without its tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueInfo {
    /// Its element type.
    pub data_type: DataType,
    /// The extent of each axis; empty also for handles and lists.
    pub shape: Vec<usize>,
    /// Where it comes from.
    pub origin: Origin,
}

/// Which tensors of a record are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// Integers, truth values and strings among the inputs.
    #[default]
    Indices,
    /// Besides these, all outputs.
    Results,
    /// Besides these, all inputs but the first.
    Rest,
    /// All inputs.
    Inputs,
    /// All inputs and outputs.
    All,
}

/// A value in a record. An operator that only passes a tensor on passes its value on.
pub type Slot = dlbacktrace_core::Slot<Tensor>;

/// Where an operator ran: the calls and loops around it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// The names of the calls, separated by `/`; a loop is followed by `#` and the number of its round.
    pub path: String,
    /// The round of each loop around it, outermost first, from 0.
    pub rounds: Vec<usize>,
}

impl Scope {
    pub(super) fn within(&self, name: &str, round: Option<usize>) -> Self {
        let slash = if self.path.is_empty() { "" } else { "/" };
        let mark = round.map(|round| format!("#{round}")).unwrap_or_default();
        let rounds = self.rounds.iter().copied().chain(round).collect();
        Self { path: format!("{}{slash}{name}{mark}", self.path), rounds }
    }

    pub(super) fn place(&self, name: &str) -> String {
        self.within(name, None).path
    }
}

/// One operator that ran.
#[derive(Debug, Clone)]
pub struct Record {
    /// The operator.
    pub operation: Arc<Operation>,
    /// Where it ran.
    pub scope: Arc<Scope>,
    /// Why it may give something else for the same sample.
    pub chance: Option<Chance>,
    /// Its inputs, lists flattened.
    pub inputs: Vec<Slot>,
    /// Its outputs, lists flattened.
    pub outputs: Vec<Slot>,
}

impl Record {
    /// The scope and name of the operator.
    pub fn place(&self) -> String {
        self.scope.place(&self.operation.name)
    }
}

/// A named tensor at the edge of the computation, by its name in the signature.
pub type Port = dlbacktrace_core::Port<Tensor>;

/// A recorded run of a model. The conditions of loops are left out, because they decide but compute no results.
pub struct Recording {
    /// The operators in the order in which they ran. The one that makes a value comes before those that read it.
    pub records: Vec<Record>,
    /// The values by [`ValueId`].
    pub values: Vec<ValueInfo>,
    /// The inputs, in the order of the signature's names.
    pub inputs: Vec<Port>,
    /// The outputs, in the order of the signature's names.
    pub outputs: Vec<Port>,
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording")
            .field("records", &self.records.len())
            .field("inputs", &self.inputs)
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}
