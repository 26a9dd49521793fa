//! Choices of an explanation.

use dlbacktrace_core::{Gate, Mode, seed};
use ndarray::ArrayD;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

pub use dlbacktrace_core::seed::Task;

/// The explained unit of each sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Target {
    /// The largest output.
    #[default]
    Argmax,
    /// A class, or any unit counted over the sample's flattened output, from 0.
    Class(usize),
    /// Every output with its own value.
    AllOutputs,
}

/// Which output is explained, counted over flattened tuples and dictionaries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// By position, from 0.
    Index(usize),
    /// By key, field or full name: `logits`, `output.logits`.
    Name(String),
}

/// A start of one's own.
#[derive(Debug, Clone)]
pub(crate) struct OwnSeed {
    /// The module whose result it is for; the output when absent.
    pub(crate) module: Option<String>,
    pub(crate) positive: Arc<ArrayD<f64>>,
    pub(crate) negative: Option<Arc<ArrayD<f64>>>,
}

/// Is told how many steps of how many are walked.
pub(crate) type Progress = Arc<dyn Fn(usize, usize) + Send + Sync>;

/// Choices of an explanation; the defaults explain the first output's largest unit in default mode.
#[derive(Clone)]
pub struct Options {
    pub(crate) start: seed::SeedOptions,
    pub(crate) output: Output,
    pub(crate) seed: Option<OwnSeed>,
    pub(crate) gates: bool,
    pub(crate) gate_of: HashMap<String, Option<Gate>>,
    pub(crate) all_values: bool,
    pub(crate) numeric_inputs: Vec<String>,
    pub(crate) allow_unruled: bool,
    pub(crate) progress: Option<Progress>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            start: seed::SeedOptions::default(),
            output: Output::Index(0),
            seed: None,
            gates: true,
            gate_of: HashMap::new(),
            all_values: false,
            numeric_inputs: Vec::new(),
            allow_unruled: false,
            progress: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("start", &self.start)
            .field("output", &self.output)
            .field("own_seed", &self.seed.is_some())
            .field("gates", &self.gates)
            .field("all_values", &self.all_values)
            .field("numeric_inputs", &self.numeric_inputs)
            .field("allow_unruled", &self.allow_unruled)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// One channel, or one for and one against.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.start.mode = mode;
        self
    }

    /// What the output means.
    #[must_use]
    pub fn task(mut self, task: Task) -> Self {
        self.start.task = task;
        self
    }

    /// The explained unit.
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.start.target = match target {
            Target::Argmax => seed::Target::Argmax,
            Target::Class(class) => seed::Target::Unit(class),
            Target::AllOutputs => seed::Target::All,
        };
        self
    }

    /// The explained output.
    #[must_use]
    pub fn output(mut self, output: Output) -> Self {
        self.output = output;
        self
    }

    /// A start of one's own at the output, of its shape.
    #[must_use]
    pub fn seed(mut self, seed: ArrayD<f64>) -> Self {
        self.seed = Some(OwnSeed { module: None, positive: Arc::new(seed), negative: None });
        self
    }

    /// A start of one's own at what the module of this dotted path returns, of its shape: explains an inner
    /// unit.
    #[must_use]
    pub fn seed_at(mut self, module: &str, seed: ArrayD<f64>) -> Self {
        self.seed =
            Some(OwnSeed { module: Some(module.to_owned()), positive: Arc::new(seed), negative: None });
        self
    }

    /// The negative channel of a start of one's own, for contrastive mode; zeros when not given.
    #[must_use]
    pub fn negative_seed(mut self, negative: ArrayD<f64>) -> Self {
        if let Some(seed) = &mut self.seed {
            seed.negative = Some(Arc::new(negative));
        }
        self
    }

    /// Whether saturated activations gate the weighted sums before them (default mode only).
    #[must_use]
    pub fn gates(mut self, gates: bool) -> Self {
        self.gates = gates;
        self
    }

    /// The gate of the weighted sums in the module of this dotted path, in place of its activation's; `None`
    /// for none.
    #[must_use]
    pub fn gate_of(mut self, module: &str, gate: Option<Gate>) -> Self {
        self.gate_of.insert(module.to_owned(), gate);
        self
    }

    /// The total to start with, in place of the output's own value.
    #[must_use]
    pub fn scaler(mut self, scaler: f64) -> Self {
        self.start.scaler = Some(scaler);
        self
    }

    /// Scales the start.
    #[must_use]
    pub fn multiplier(mut self, multiplier: f64) -> Self {
        self.start.multiplier = multiplier;
        self
    }

    /// Take the softmax or sigmoid of the output for the start.
    #[must_use]
    pub fn from_logits(mut self, from_logits: bool) -> Self {
        self.start.from_logits = from_logits;
        self
    }

    /// Keep the relevance of every recorded value.
    #[must_use]
    pub fn all_values(mut self, all_values: bool) -> Self {
        self.all_values = all_values;
        self
    }

    /// Explain this integer input as numbers: a cast of it to floating type carries relevance.
    #[must_use]
    pub fn numeric_input(mut self, name: &str) -> Self {
        self.numeric_inputs.push(name.to_owned());
        self
    }

    /// Book what reaches operators without a rule as lost, instead of failing.
    #[must_use]
    pub fn allow_unruled(mut self, allow: bool) -> Self {
        self.allow_unruled = allow;
        self
    }

    /// Told of each walked step: how many, of how many.
    #[must_use]
    pub fn progress(mut self, progress: impl Fn(usize, usize) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(progress));
        self
    }
}
