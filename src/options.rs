//! The options of an explanation.

use dlbacktrace_core::explain::{self, OwnStart, Progress, Watch};
use dlbacktrace_core::rules::{BatchNorm, RuleSet};
use dlbacktrace_core::{Gate, Mode, start};
use ndarray::ArrayD;
use std::ops::ControlFlow;
use std::sync::Arc;

pub use dlbacktrace_core::explain::{Output, Samples};
pub use dlbacktrace_core::start::{Classes, Coordinate, Task, Versus};

/// The explained unit of each sample.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Target {
    /// The largest output.
    #[default]
    Argmax,
    /// A class, or any unit counted over the sample's flattened output, from 0. In a segmentation, the map of a class.
    Class(usize),
    /// The cells at these coordinates, one for each axis of the output.
    At(Vec<Coordinate>),
    /// The score of the detector's box of this number, in the output that is named as scores or in the chosen one.
    Box(usize),
    /// The highest score among the boxes of this class, which stands in the output that is named as labels or classes.
    BoxOf(i64),
    /// Every output with its own value.
    AllOutputs,
}

/// The options of an explanation. The defaults explain the largest unit of the first floating-point output in default mode.
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

    /// What the explained unit is told apart from: the walk starts at the difference, in default mode; `None` for nothing.
    #[must_use]
    pub fn versus(mut self, versus: impl Into<Option<Versus>>) -> Self {
        self.0.start.versus = versus.into();
        self
    }

    /// The explained output.
    #[must_use]
    pub fn output(mut self, output: Output) -> Self {
        self.0.output = output;
        self
    }

    /// The axis of the explained output that counts samples.
    #[must_use]
    pub fn samples(mut self, samples: Samples) -> Self {
        self.0.samples = samples;
        self
    }

    /// The axis that counts the classes of a segmentation. By default it is the first axis of each sample in a TorchScript
    /// model, and the last one in a SavedModel.
    #[must_use]
    pub fn classes(mut self, classes: Classes) -> Self {
        self.0.start.classes = Some(classes);
        self
    }

    /// A start of your own at the output, in its shape.
    #[must_use]
    pub fn start(mut self, start: ArrayD<f64>) -> Self {
        self.0.own_start = Some(OwnStart { module: None, positive: Arc::new(start) });
        self
    }

    /// A start of your own at what the module of this dotted path returns, in the shape of that: explains an inner unit.
    #[must_use]
    pub fn start_at(mut self, module: &str, start: ArrayD<f64>) -> Self {
        self.0.own_start = Some(OwnStart { module: Some(module.to_owned()), positive: Arc::new(start) });
        self
    }

    /// The channel against of a start of your own, for contrastive mode; zeros by default.
    #[must_use]
    pub fn negative_start(mut self, negative: ArrayD<f64>) -> Self {
        self.0.negative_start = Some(Arc::new(negative));
        self
    }

    /// The rules by which each step shares relevance; DLBacktrace's own by default. Other sets go with default mode.
    #[must_use]
    pub fn rules(mut self, rules: RuleSet) -> Self {
        self.0.rules = rules;
        self
    }

    /// What becomes of batch norms, in place of what the rule set says. Folded, they are parts of their layers, and a batch norm gives the
    /// same as a layer into which it was folded before.
    #[must_use]
    pub fn batch_norm(mut self, batch_norm: BatchNorm) -> Self {
        self.0.prepare.batch_norm = Some(batch_norm);
        self
    }

    /// Whether saturated activations gate the weighted sums before them (in default mode only).
    #[must_use]
    pub fn gates(mut self, gates: bool) -> Self {
        self.0.prepare.gates = gates;
        self
    }

    /// The gate of the weighted sums in the module of this dotted path, in place of its activation's; `None` for no gate. A module
    /// in which none ran is an error.
    #[must_use]
    pub fn gate_of(mut self, module: &str, gate: Option<Gate>) -> Self {
        self.0.prepare.gate_of.insert(module.to_owned(), gate);
        self
    }

    /// The total of the start, in place of the output's own value; with [`versus`](Self::versus), the part of the explained unit.
    #[must_use]
    pub fn scaler(mut self, scaler: f64) -> Self {
        self.0.start.scaler = Some(scaler);
        self
    }

    /// Multiplies the start by this.
    #[must_use]
    pub fn multiplier(mut self, multiplier: f64) -> Self {
        self.0.start.multiplier = multiplier;
        self
    }

    /// Takes the softmax or sigmoid of the output for the start.
    #[must_use]
    pub fn from_logits(mut self, from_logits: bool) -> Self {
        self.0.start.from_logits = from_logits;
        self
    }

    /// Keeps the relevance of every recorded value.
    #[must_use]
    pub fn all_values(mut self, all_values: bool) -> Self {
        self.0.all_values = all_values;
        self
    }

    /// Reports the relevance that passed through each [module](crate::Explanation::modules).
    #[must_use]
    pub fn modules(mut self, modules: bool) -> Self {
        self.0.modules = modules;
        self
    }

    /// Explains this integer input as numbers: a cast of it to a floating-point type carries relevance.
    #[must_use]
    pub fn numeric_input(mut self, name: &str) -> Self {
        self.0.numeric_inputs.push(name.to_owned());
        self
    }

    /// This input is not evidence, such as a mask of floats or the neighbours in a graph: it is not explained, and whatever is
    /// computed from it alone is constant.
    #[must_use]
    pub fn constant_input(mut self, name: &str) -> Self {
        self.0.constant_inputs.push(name.to_owned());
        self
    }

    /// Gives a token the share of the constants that are added to its embedding: its position, its segment.
    #[must_use]
    pub fn whole_tokens(mut self, whole: bool) -> Self {
        self.0.prepare.whole_tokens = whole;
        self
    }

    /// Books relevance that reaches operators without a rule as lost, instead of failing. A warning names them.
    #[must_use]
    pub fn allow_unruled(mut self, allow: bool) -> Self {
        self.0.allow_unruled = allow;
        self
    }

    /// The seed of the framework's random numbers, for models that draw some: the same seed gives the same explanation. The
    /// generator belongs to the process and is put back afterwards.
    #[must_use]
    pub fn random_seed(mut self, seed: u64) -> Self {
        self.0.random_seed = Some(seed);
        self
    }

    /// Is called before each operator of the model's run and after each step of the walk. With [`ControlFlow::Break`] it stops the
    /// explanation, which then fails with [`Error::Cancelled`](crate::Error::Cancelled) and frees its memory:
    ///
    /// ```
    /// # use dlbacktrace::Options;
    /// # use std::ops::ControlFlow;
    /// # use std::time::{Duration, Instant};
    /// let limit = Instant::now() + Duration::from_secs(2);
    /// let options = Options::new().progress(move |_| match Instant::now() < limit {
    ///     true => ControlFlow::Continue(()),
    ///     false => ControlFlow::Break(()),
    /// });
    /// # let _ = options;
    /// ```
    ///
    /// A live computation is not stopped while it runs, and neither is the second run that finds the axis of samples.
    #[must_use]
    pub fn progress(
        mut self,
        progress: impl Fn(Progress) -> ControlFlow<()> + Send + Sync + 'static,
    ) -> Self {
        self.0.watch = Watch::new(progress);
        self
    }
}
