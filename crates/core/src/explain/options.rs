//! Choices of an explanation.

use crate::analysis::PrepareOptions;
use crate::start::StartOptions;
use ndarray::ArrayD;
use std::fmt;
use std::sync::Arc;

/// Which of the model's outputs is explained, counted over the flattened tuples and dictionaries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Output {
    /// The first of floating numbers.
    #[default]
    First,
    /// By position, from 0.
    Index(usize),
    /// By the key, the field or the full name, such as `logits` or `output.logits`.
    Name(String),
}

/// What counts the samples in the explained output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Samples {
    /// To be found out: the model is run once more, with the last sample in place of all, where several may be.
    #[default]
    Auto,
    /// This axis.
    Axis(usize),
    /// Nothing: all of it is one sample.
    One,
}

/// A start of one's own: the relevance of a value, of its shape.
#[derive(Debug, Clone)]
pub struct OwnStart {
    /// What the module of this dotted path returned last, so that an inner unit is explained; the chosen output when
    /// absent.
    pub module: Option<String>,
    /// The relevance; in contrastive mode what speaks for.
    pub positive: Arc<ArrayD<f64>>,
    /// What speaks against, in contrastive mode; absent means zeros.
    pub negative: Option<Arc<ArrayD<f64>>>,
}

/// Is told how many steps of how many are walked.
pub type Progress = Arc<dyn Fn(usize, usize) + Send + Sync>;

/// Choices of an explanation; the defaults explain the first output's largest unit in default mode.
#[derive(Default, Clone)]
pub struct Options {
    /// The explained output.
    pub output: Output,
    /// What counts the samples in it.
    pub samples: Samples,
    /// Task, target, mode, scaler, multiplier. The sample axis in it is that which `samples` leads to.
    pub start: StartOptions,
    /// A start of one's own, in place of task and target.
    pub own_start: Option<OwnStart>,
    /// Gates.
    pub prepare: PrepareOptions,
    /// Keep the relevance of every recorded value.
    pub all_values: bool,
    /// Say what passed through each module.
    pub modules: bool,
    /// Integer inputs to explain as numbers, by name.
    pub numeric_inputs: Vec<String>,
    /// Inputs that are no evidence, by name: they are not explained, and what is made of them is constant.
    pub constant_inputs: Vec<String>,
    /// Book what reaches operators without a rule as lost instead of failing.
    pub allow_unruled: bool,
    /// Where the framework's random numbers start from, for models that draw some.
    pub random_seed: Option<u64>,
    /// Where to tell progress.
    pub progress: Option<Progress>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("output", &self.output)
            .field("samples", &self.samples)
            .field("start", &self.start)
            .field("own_start", &self.own_start.is_some())
            .field("prepare", &self.prepare)
            .field("all_values", &self.all_values)
            .field("modules", &self.modules)
            .field("numeric_inputs", &self.numeric_inputs)
            .field("constant_inputs", &self.constant_inputs)
            .field("allow_unruled", &self.allow_unruled)
            .field("random_seed", &self.random_seed)
            .finish_non_exhaustive()
    }
}
