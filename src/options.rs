//! Choices of an explanation.

use dlbacktrace_core::explain::{self, OwnStart};
use dlbacktrace_core::{Gate, Mode, start};
use ndarray::ArrayD;
use std::sync::Arc;

pub use dlbacktrace_core::explain::{Output, Samples};
pub use dlbacktrace_core::start::{Classes, Coordinate, Task};

/// The explained unit of each sample.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Target {
    /// The largest output.
    #[default]
    Argmax,
    /// A class, or any unit counted over the sample's flattened output, from 0. Of a segmentation, the map of a class.
    Class(usize),
    /// The cells at these coordinates, one for each axis of the output.
    At(Vec<Coordinate>),
    /// The score of a detector's box of this number, in the output that is named as scores, or in the chosen one.
    Box(usize),
    /// The score of the box that has the highest one of those that were given this class, in the output that is named as
    /// labels or classes.
    BoxOf(i64),
    /// Every output with its own value.
    AllOutputs,
}

/// Choices of an explanation; the defaults explain the largest unit of the first floating output in default mode.
#[derive(Debug, Clone, Default)]
pub struct Options(pub(crate) explain::Options);

impl Options {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// One channel, or one for and one against.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.0.start.mode = mode;
        self
    }

    /// What the output means.
    #[must_use]
    pub fn task(mut self, task: Task) -> Self {
        self.0.start.task = task;
        self
    }

    /// The explained unit.
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.0.start.target = match target {
            Target::Argmax => start::Target::Argmax,
            Target::Class(class) => start::Target::Unit(class),
            Target::At(coordinates) => start::Target::At(coordinates),
            Target::Box(number) => start::Target::Box(number),
            Target::BoxOf(class) => start::Target::BoxOf(class),
            Target::AllOutputs => start::Target::All,
        };
        self
    }

    /// The explained output.
    #[must_use]
    pub fn output(mut self, output: Output) -> Self {
        self.0.output = output;
        self
    }

    /// What counts the samples in the explained output.
    #[must_use]
    pub fn samples(mut self, samples: Samples) -> Self {
        self.0.samples = samples;
        self
    }

    /// Where the classes of a segmentation stand; without it, on the first axis of each sample of a TorchScript model and
    /// on the last one of a SavedModel's.
    #[must_use]
    pub fn classes(mut self, classes: Classes) -> Self {
        self.0.start.classes = Some(classes);
        self
    }

    /// A start of one's own at the output, of its shape.
    #[must_use]
    pub fn start(mut self, start: ArrayD<f64>) -> Self {
        self.0.own_start = Some(OwnStart { module: None, positive: Arc::new(start), negative: None });
        self
    }

    /// A start of one's own at what the module of this dotted path returns, of its shape: explains an inner
    /// unit.
    #[must_use]
    pub fn start_at(mut self, module: &str, start: ArrayD<f64>) -> Self {
        self.0.own_start =
            Some(OwnStart { module: Some(module.to_owned()), positive: Arc::new(start), negative: None });
        self
    }

    /// The negative channel of a start of one's own, for contrastive mode; zeros when not given.
    #[must_use]
    pub fn negative_start(mut self, negative: ArrayD<f64>) -> Self {
        if let Some(start) = &mut self.0.own_start {
            start.negative = Some(Arc::new(negative));
        }
        self
    }

    /// Whether saturated activations gate the weighted sums before them (default mode only).
    #[must_use]
    pub fn gates(mut self, gates: bool) -> Self {
        self.0.prepare.gates = gates;
        self
    }

    /// The gate of the weighted sums in the module of this dotted path, in place of its activation's; `None`
    /// for none.
    #[must_use]
    pub fn gate_of(mut self, module: &str, gate: Option<Gate>) -> Self {
        self.0.prepare.gate_of.insert(module.to_owned(), gate);
        self
    }

    /// The total to start with, in place of the output's own value.
    #[must_use]
    pub fn scaler(mut self, scaler: f64) -> Self {
        self.0.start.scaler = Some(scaler);
        self
    }

    /// Scales the start.
    #[must_use]
    pub fn multiplier(mut self, multiplier: f64) -> Self {
        self.0.start.multiplier = multiplier;
        self
    }

    /// Take the softmax or sigmoid of the output for the start.
    #[must_use]
    pub fn from_logits(mut self, from_logits: bool) -> Self {
        self.0.start.from_logits = from_logits;
        self
    }

    /// Keep the relevance of every recorded value.
    #[must_use]
    pub fn all_values(mut self, all_values: bool) -> Self {
        self.0.all_values = all_values;
        self
    }

    /// Say what passed through each [module](crate::Explanation::modules).
    #[must_use]
    pub fn modules(mut self, modules: bool) -> Self {
        self.0.modules = modules;
        self
    }

    /// Explain this integer input as numbers: a cast of it to floating type carries relevance.
    #[must_use]
    pub fn numeric_input(mut self, name: &str) -> Self {
        self.0.numeric_inputs.push(name.to_owned());
        self
    }

    /// This input is no evidence, such as a mask of floats or which nodes of a graph are neighbours: it is not explained,
    /// and what is made of it is constant.
    #[must_use]
    pub fn constant_input(mut self, name: &str) -> Self {
        self.0.constant_inputs.push(name.to_owned());
        self
    }

    /// Give a token what constants that are added to its embedding would take: its position, its segment.
    #[must_use]
    pub fn whole_tokens(mut self, whole: bool) -> Self {
        self.0.prepare.whole_tokens = whole;
        self
    }

    /// Book what reaches operators without a rule as lost, instead of failing.
    #[must_use]
    pub fn allow_unruled(mut self, allow: bool) -> Self {
        self.0.allow_unruled = allow;
        self
    }

    /// Where the framework's random numbers start from, for models that draw some: the same seed gives the same explanation.
    /// The generator is the process's own; afterwards it is as it was.
    #[must_use]
    pub fn random_seed(mut self, seed: u64) -> Self {
        self.0.random_seed = Some(seed);
        self
    }

    /// Told of each walked step: how many, of how many.
    #[must_use]
    pub fn progress(mut self, progress: impl Fn(usize, usize) + Send + Sync + 'static) -> Self {
        self.0.progress = Some(Arc::new(progress));
        self
    }
}
