//! Choices of an explanation.

use dlbacktrace_core::analysis::PrepareOptions;
use dlbacktrace_core::seed::SeedOptions;
use std::sync::Arc;

/// Which of the model's outputs is explained, counted over the flattened tuples and dictionaries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputChoice {
    /// By position.
    Index(usize),
    /// By the key, the field or the full name, such as `logits` or `output.logits`.
    Name(String),
}

impl Default for OutputChoice {
    fn default() -> Self {
        Self::Index(0)
    }
}

/// A start of one's own: the relevance of a value, of its shape.
#[derive(Debug)]
pub enum SeedAt {
    /// At the chosen output.
    Output(tch::Tensor),
    /// At what a module of this dotted path returned last, so that an inner unit is explained.
    Module(String, tch::Tensor),
}

/// Is told how many steps of how many are walked.
pub type Progress = Arc<dyn Fn(usize, usize) + Send + Sync>;

/// Choices of an explanation.
#[derive(Default, Clone)]
pub struct Options {
    /// The explained output.
    pub output: OutputChoice,
    /// Task, target, mode, scaler, multiplier.
    pub start: SeedOptions,
    /// A start of one's own, in place of the above; in contrastive mode with a second tensor for the
    /// negative channel.
    pub seed: Option<Arc<SeedAt>>,
    /// The negative channel of a start of one's own; absent means zeros.
    pub negative_seed: Option<Arc<tch::Tensor>>,
    /// Gates.
    pub prepare: PrepareOptions,
    /// Keep the relevance of every recorded value.
    pub all_values: bool,
    /// Integer inputs to explain as numbers, by name.
    pub numeric_inputs: Vec<String>,
    /// Book what reaches operators without a rule as lost instead of failing.
    pub allow_unruled: bool,
    /// Where to tell progress.
    pub progress: Option<Progress>,
}
