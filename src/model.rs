//! Models, whatever their framework.

use crate::file_kind::{self, Form};
use crate::{Error, Explanation, Inputs, OperatorUse, Options, OutputTensor, Result, Value};
use dlbacktrace_core::analysis::Scaling;
use dlbacktrace_core::explain::coverage;
use dlbacktrace_core::{DType, Family, RandomUse};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// One argument of a model.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Its type as the framework writes it: `Tensor`, `int`, `List[Tensor]`.
    pub kind: String,
    /// Whether it may be left out.
    pub optional: bool,
}

impl Argument {
    /// The element type, where the model says it: `float32`, `string`.
    pub fn element(&self) -> Option<&str> {
        self.kind.strip_prefix("Tensor ")?.split(' ').next()
    }

    /// The extent of each axis, `None` where open, where the model says them.
    pub fn shape(&self) -> Option<Vec<Option<usize>>> {
        let (_, extents) =
            self.kind.strip_suffix(']')?.split_once('[').filter(|_| self.element().is_some())?;
        if extents.is_empty() {
            return Some(Vec::new());
        }
        let extent = |text: &str| match text {
            "?" => Some(None),
            text => text.parse().ok().map(Some),
        };
        extents.split(", ").map(extent).collect()
    }

    /// Whether a value may be this argument, as far as the model says what it takes.
    pub fn takes(&self, value: &Value) -> bool {
        let Some(element) = self.element() else { return true };
        if value.is_text() != (element == "string") {
            return false;
        }
        let (Some(wanted), Some(given)) = (self.shape(), value.shape()) else { return true };
        let fits = |wanted: &[Option<usize>], given: &[usize]| {
            wanted.len() == given.len() && wanted.iter().zip(given).all(|(w, g)| w.is_none_or(|w| w == *g))
        };
        // A column of one feature goes with or without its axis.
        fits(&wanted, &given)
            || wanted.strip_suffix(&[Some(1)]).is_some_and(|wanted| fits(wanted, &given))
            || given.strip_suffix(&[1]).is_some_and(|given| fits(&wanted, given))
    }
}

/// How to load.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Libraries that register extra operators with libtorch, loaded first.
    pub libraries: Vec<PathBuf>,
    /// The signature of a SavedModel; `serving_default` when absent.
    pub signature: Option<String>,
    /// The tags of a SavedModel's graph, all of them; `serve` when empty.
    pub tags: Vec<String>,
    /// The library of TensorFlow, a file or its directory; searched for when absent.
    pub tensorflow: Option<PathBuf>,
    /// The number of threads that a SavedModel's operators run on; that of the processors when absent. For libtorch,
    /// `OMP_NUM_THREADS` decides.
    pub threads: Option<usize>,
}

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
    /// The share of them with a rule, 0 to 1.
    pub coverage: f64,
    /// The operators in its code that give something by chance: a model saved in training mode.
    pub random: Vec<RandomUse>,
    /// Whether `operators` and `coverage` come from a run; else composite operators are not yet followed
    /// into their parts, and branches not taken count.
    pub exact: bool,
}

/// What the recording's own check found.
#[derive(Debug, Clone, serde::Serialize)]
pub struct ReplayReport {
    /// Operators run again on copies of what was recorded.
    pub checked: usize,
    /// Operators with random or uninitialised results.
    pub skipped: usize,
    /// One line for each that gave something else.
    pub failed: Vec<String>,
}

/// Whether an explanation of a model can be trusted.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Verification {
    /// The recording's own check.
    pub replay: ReplayReport,
    /// Whether every step accounts for what it received.
    pub ledger_closes: bool,
    /// The steps that do not.
    pub open: Vec<String>,
    /// The share of the operators that ran with a rule, 0 to 1.
    pub coverage: f64,
    /// The operators that gave something by chance.
    pub random: Vec<RandomUse>,
    /// Whether a second run gave the same explanation, bit by bit. Random numbers without a seed count as another one, even if
    /// they happen to be the same.
    pub repeats: bool,
}

impl Verification {
    /// Whether all of it held.
    pub fn holds(&self) -> bool {
        self.replay.failed.is_empty() && self.ledger_closes && self.repeats
    }
}

/// One operator of a framework and its rule.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct OperatorRule {
    /// The framework.
    pub framework: &'static str,
    /// The operator's name there.
    pub operator: String,
    /// The kind of rule.
    pub rule: String,
    /// What a reader should know of it.
    pub note: String,
}

/// The operators that are known, with their rules.
pub fn operators() -> Vec<OperatorRule> {
    let mut rules = Vec::new();
    let mut add = |framework, operator: &str, family: Family| {
        let note = match family {
            Family::Unruled => "an error that names it",
            Family::Statistic => "an error outside a normaliser",
            _ => "",
        };
        let (operator, rule, note) = (operator.to_owned(), family.to_string(), note.to_owned());
        rules.push(OperatorRule { framework, operator, rule, note });
    };
    #[cfg(feature = "torch")]
    dlbacktrace_torch::operators().iter().for_each(|rule| add("torch", rule.operator, rule.family));
    #[cfg(feature = "tensorflow")]
    dlbacktrace_tensorflow::operators().iter().for_each(|rule| add("tensorflow", rule.operator, rule.family));
    rules
}

/// A model in its framework.
pub(crate) trait Loaded: Send + Sync {
    /// The framework and its version.
    fn framework(&self) -> String;
    fn arguments(&self) -> Result<Vec<Argument>>;
    /// Whether the arguments are in the model's own order.
    fn ordered(&self) -> bool;
    fn precision(&self) -> Result<Option<DType>>;
    fn forward(&self, inputs: &Inputs) -> Result<Vec<OutputTensor>>;
    fn explain(&self, inputs: &Inputs, options: &Options) -> Result<Explanation>;
    fn scalings(&self, inputs: &Inputs) -> Result<Vec<(String, Scaling)>>;
    fn replay(&self, inputs: &Inputs) -> Result<ReplayReport>;
    fn inspect(&self) -> Result<StaticInfo>;
    /// What is read of serialised messages.
    #[cfg(feature = "tensorflow")]
    fn examples(&self) -> Option<crate::tensorflow::ExampleSpec> {
        None
    }
}

/// What a framework tells of a model without running it.
pub(crate) struct StaticInfo {
    pub(crate) outputs: Vec<Argument>,
    pub(crate) modules: Vec<ModuleEntry>,
    pub(crate) parameters: usize,
    pub(crate) operators: Vec<OperatorUse>,
    pub(crate) random: Vec<RandomUse>,
}

/// A model, loaded in its framework. May be shared between threads.
pub struct Model {
    inner: Box<dyn Loaded>,
    arguments: Vec<Argument>,
    precision: Option<DType>,
    load: Duration,
    path: Option<PathBuf>,
}

impl Model {
    /// Loads a model; its kind is detected. Of a directory of numbered versions, as TensorFlow Serving lays them out, the
    /// newest is taken.
    ///
    /// # Errors
    /// [`Error::Kind`] when it is nothing this build reads, with what to do, [`Error::Load`] when it is damaged.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_with(path, &LoadOptions::default())
    }

    /// Loads a model with options.
    ///
    /// # Errors
    /// As [`load`](Self::load), and [`Error::Library`] when an operator library cannot be opened.
    pub fn load_with(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Self> {
        let (path, start) = (path.as_ref(), Instant::now());
        let (inner, path) = load(path, options)?;
        Ok(Self { path: Some(path), ..Self::of(inner, start)? })
    }

    /// A model that has been loading since `start`.
    pub(crate) fn of(inner: Box<dyn Loaded>, start: Instant) -> Result<Self> {
        let (arguments, precision) = (inner.arguments()?, inner.precision()?);
        Ok(Self { inner, arguments, precision, load: start.elapsed(), path: None })
    }

    /// The archive or directory that was loaded; of several versions, the one that was taken. `None` of a live model.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The framework and its version, such as `libtorch 2.13.0`.
    pub fn framework(&self) -> String {
        self.inner.framework()
    }

    /// What the model takes.
    pub fn arguments(&self) -> &[Argument] {
        &self.arguments
    }

    /// Whether [`arguments`](Self::arguments) are in the model's own order. A SavedModel may tell their names alone; then
    /// they are in the order of these, and inputs by position are refused where several fit.
    pub fn ordered(&self) -> bool {
        self.inner.ordered()
    }

    /// The features that a SavedModel reads of messages of the kind `tf.Example`, if it parses such itself.
    #[cfg(feature = "tensorflow")]
    pub fn examples(&self) -> Option<crate::tensorflow::ExampleSpec> {
        self.inner.examples()
    }

    /// Whether it is a SavedModel of TensorFlow, else it is a TorchScript model.
    pub fn is_saved_model(&self) -> bool {
        self.framework().starts_with("TensorFlow")
    }

    /// The floating element type of its parameters, which its floating inputs should have too; `None` when there are
    /// none or of several types, or when the model's signature says what each input is, and arrays are converted.
    pub fn precision(&self) -> Option<DType> {
        self.precision
    }

    /// Runs the model without explaining it; the tensors of its result, flattened.
    ///
    /// # Errors
    /// [`Error::Inputs`] when the inputs do not fit or the model fails on them.
    pub fn forward(&self, inputs: &Inputs) -> Result<Vec<OutputTensor>> {
        self.inner.forward(inputs)
    }

    /// Runs the model once and traces its output back to its inputs.
    ///
    /// # Errors
    /// [`Error::Inputs`] when the inputs do not fit or the model fails on them, [`Error::NoRule`] when
    /// relevance reaches an operator without a rule, [`Error::Usage`] when the options do not fit.
    pub fn explain(&self, inputs: &Inputs, options: &Options) -> Result<Explanation> {
        let mut explanation = self.inner.explain(inputs, options)?;
        explanation.timings.load = self.load;
        Ok(explanation)
    }

    /// Runs the model on these inputs and says how it scales each before it does anything else with it: whether it takes
    /// pixels of 0 to 255 or of 0 to 1, for example.
    ///
    /// # Errors
    /// [`Error::Inputs`] when the inputs do not fit or the model fails on them.
    pub fn scalings(&self, inputs: &Inputs) -> Result<Vec<(String, Scaling)>> {
        self.inner.scalings(inputs)
    }

    /// Checks the recording and the ledger on these inputs.
    ///
    /// # Errors
    /// As [`explain`](Self::explain).
    pub fn verify(&self, inputs: &Inputs, options: &Options) -> Result<Verification> {
        let replay = self.inner.replay(inputs)?;
        let explanation = self.explain(inputs, options)?;
        let random = explanation.random().to_vec();
        let chance = RandomUse::any_drawn(&random) && options.0.random_seed.is_none();
        let repeats =
            random.is_empty() || (!chance && self.explain(inputs, options)?.same_bits(&explanation)?);
        let open = explanation.ledger().open_entries();
        Ok(Verification {
            replay,
            ledger_closes: explanation.ledger().closes(),
            open: open
                .map(|entry| format!("{} ({}), gap {:?}", entry.operator, entry.place, entry.gap()))
                .collect(),
            coverage: explanation.coverage(),
            random,
            repeats,
        })
    }

    /// What is known of the model without running it.
    ///
    /// # Errors
    /// [`Error::Load`] when the framework cannot walk the model.
    pub fn inspect(&self) -> Result<Inspection> {
        let StaticInfo { outputs, modules, parameters, operators, random } = self.inner.inspect()?;
        Ok(Inspection {
            framework: self.inner.framework(),
            inputs: self.arguments.clone(),
            outputs,
            modules,
            parameters,
            coverage: coverage(&operators),
            operators,
            random,
            exact: false,
        })
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("framework", &self.inner.framework())
            .field("arguments", &self.arguments)
            .finish_non_exhaustive()
    }
}

/// Hands a model to its framework; and the path of what was loaded.
fn load(path: &Path, options: &LoadOptions) -> Result<(Box<dyn Loaded>, PathBuf)> {
    let _ = options;
    match file_kind::look(path)? {
        #[cfg(feature = "torch")]
        Form::TorchScript(path) => Ok((crate::torch::load(&path, options)?, path)),
        #[cfg(feature = "tensorflow")]
        Form::SavedModel(path) => Ok((crate::tensorflow::load(&path, options)?, path)),
        #[allow(unreachable_patterns, reason = "of a build with both")]
        _ => Err(Error::Internal(format!("{} is of a framework that was left out", path.display()))),
    }
}
