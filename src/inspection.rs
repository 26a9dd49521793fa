//! What is known of a model without running it.

use crate::{Argument, OperatorUse};
use dlbacktrace_core::RandomUse;

/// A module within a model.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ModuleEntry {
    /// Dotted path; empty for the model itself.
    pub path: String,
    /// Its class.
    pub class: String,
}

/// What is known of a model without running it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Inspection {
    /// The framework and its version.
    pub framework: String,
    /// The arguments.
    pub inputs: Vec<Argument>,
    /// What it returns, as one type.
    pub outputs: Vec<Argument>,
    /// The tree of modules, each before its children.
    pub modules: Vec<ModuleEntry>,
    /// Number of parameters, elements counted.
    pub parameters: usize,
    /// The operators in its code, with the rule each has.
    pub operators: Vec<OperatorUse>,
    /// The share of them that has a rule, 0 to 1.
    pub coverage: f64,
    /// The operators in its code whose results depend on random numbers, as in a model saved in training mode.
    pub random: Vec<RandomUse>,
    /// Whether `operators` and `coverage` come from a run. Otherwise composite operators are not yet followed into their
    /// parts, and operators in branches not taken count too.
    pub exact: bool,
}

/// What a framework knows of a model without running it.
pub(crate) struct StaticInfo {
    pub(crate) outputs: Vec<Argument>,
    pub(crate) modules: Vec<ModuleEntry>,
    pub(crate) parameters: usize,
    pub(crate) operators: Vec<OperatorUse>,
    pub(crate) random: Vec<RandomUse>,
}
