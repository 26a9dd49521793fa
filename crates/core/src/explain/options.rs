//! The options of an explanation.

use super::Watch;
use crate::analysis::PrepareOptions;
use crate::start::StartOptions;
use ndarray::ArrayD;
use std::sync::Arc;

/// The explained output, counted over the flattened tuples and dictionaries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Output {
    /// The first with floating-point numbers.
    #[default]
    First,
    /// By position, from 0.
    Index(usize),
    /// By key, field or full name, such as `logits` or `output.logits`.
    Name(String),
}

/// The axis of the explained output that counts samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Samples {
    /// To be found. Where it matters, the model is run once more with the last sample in place of all.
    #[default]
    Auto,
    /// This axis.
    Axis(usize),
    /// No axis: the whole output is one sample.
    One,
}

/// A start of the user's own: the relevance of a value, in its shape.
#[derive(Debug, Clone)]
pub struct OwnStart {
    /// The module whose last result is the value, by its dotted path, to explain an inner unit; absent for the chosen output.
    pub module: Option<String>,
    /// The relevance; in contrastive mode, the relevance for.
    pub positive: Arc<ArrayD<f64>>,
    /// The relevance against, in contrastive mode; zeros if absent.
    pub negative: Option<Arc<ArrayD<f64>>>,
}

/// The options of an explanation. The defaults explain the first output's largest unit in default mode.
#[derive(Debug, Default, Clone)]
pub struct Options {
    /// The explained output.
    pub output: Output,
    /// The axis that counts samples in it.
    pub samples: Samples,
    /// Task, target, mode, scaler, multiplier. Its sample axis is replaced by the one that `samples` leads to.
    pub start: StartOptions,
    /// A start of the user's own, in place of task and target.
    pub own_start: Option<OwnStart>,
    /// Gates.
    pub prepare: PrepareOptions,
    /// Keeps the relevance of every recorded value.
    pub all_values: bool,
    /// Reports the relevance that passed through each module.
    pub modules: bool,
    /// Integer inputs to explain as numbers, by name.
    pub numeric_inputs: Vec<String>,
    /// Inputs that are not evidence, by name: they are not explained, and what is computed from them alone is constant.
    pub constant_inputs: Vec<String>,
    /// Books relevance that reaches an operator without a rule as lost, instead of failing.
    pub allow_unruled: bool,
    /// The seed of the framework's random numbers, for models that draw some.
    pub random_seed: Option<u64>,
    /// Is told the progress, and may stop it.
    pub watch: Watch,
}
