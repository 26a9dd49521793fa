//! Models, whatever their framework.

use crate::torch::{options, to_inputs};
use crate::{Error, Explanation, Inputs, OperatorUse, Options, Result};
use std::fs;
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

/// How to load.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Libraries that register extra operators, loaded first.
    pub libraries: Vec<PathBuf>,
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
}

impl Verification {
    /// Whether all of it held.
    pub fn holds(&self) -> bool {
        self.replay.failed.is_empty() && self.ledger_closes
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
    let note = |family| match family {
        dlbacktrace_core::Family::Unruled => "an error that names it",
        dlbacktrace_core::Family::Statistic => "an error outside a normaliser",
        _ => "",
    };
    dlbacktrace_torch::operators()
        .into_iter()
        .map(|rule| OperatorRule {
            framework: "torch",
            operator: rule.operator.to_owned(),
            rule: rule.family.to_string(),
            note: note(rule.family).to_owned(),
        })
        .collect()
}

/// A model, loaded in its framework. May be shared between threads.
pub struct Model {
    inner: dlbacktrace_torch::Model,
    arguments: Vec<Argument>,
    load: Duration,
}

impl Model {
    /// Loads a model; its kind is detected.
    ///
    /// # Errors
    /// [`Error::Kind`] when it is nothing this build reads, [`Error::Load`] when it is damaged.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_with(path, &LoadOptions::default())
    }

    /// Loads a model with options.
    ///
    /// # Errors
    /// As [`load`](Self::load), and [`Error::Library`] when an operator library cannot be opened.
    pub fn load_with(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Self> {
        let (path, start) = (path.as_ref(), Instant::now());
        check_kind(path)?;
        for library in &options.libraries {
            dlbacktrace_torch::load_library(library).map_err(dlbacktrace_torch::Error::from)?;
        }
        let inner = dlbacktrace_torch::Model::load(path)?;
        let arguments = inner
            .arguments()?
            .into_iter()
            .map(|argument| Argument {
                name: argument.name,
                kind: argument.type_name,
                optional: argument.has_default,
            })
            .collect();
        Ok(Self { inner, arguments, load: start.elapsed() })
    }

    /// What the model takes.
    pub fn arguments(&self) -> &[Argument] {
        &self.arguments
    }

    /// Runs the model once and traces its output back to its inputs.
    ///
    /// # Errors
    /// [`Error::Inputs`] when the inputs do not fit or the model fails on them, [`Error::NoRule`] when
    /// relevance reaches an operator without a rule, [`Error::Usage`] when the options do not fit.
    pub fn explain(&self, inputs: &Inputs, options_given: &Options) -> Result<Explanation> {
        let explanation = self.inner.explain(&to_inputs(inputs)?, &options(options_given)?)?;
        Explanation::from_torch(explanation, self.load)
    }

    /// Checks the recording and the ledger on these inputs.
    ///
    /// # Errors
    /// As [`explain`](Self::explain).
    pub fn verify(&self, inputs: &Inputs, options_given: &Options) -> Result<Verification> {
        let replay = self.inner.replay(&to_inputs(inputs)?)?;
        let explanation = self.explain(inputs, options_given)?;
        let open = explanation.ledger().open_entries();
        Ok(Verification {
            replay: ReplayReport { checked: replay.checked, skipped: replay.skipped, failed: replay.failed },
            ledger_closes: explanation.ledger().closes(),
            open: open
                .map(|entry| format!("{} ({}), gap {:?}", entry.operator, entry.place, entry.gap()))
                .collect(),
            coverage: explanation.coverage(),
        })
    }

    /// What is known of the model without running it.
    ///
    /// # Errors
    /// [`Error::Load`] when libtorch cannot walk the module.
    pub fn inspect(&self) -> Result<Inspection> {
        let found = self.inner.inspect()?;
        let elements = |sizes: &[i64]| sizes.iter().map(|&extent| extent.max(0) as usize).product::<usize>();
        Ok(Inspection {
            framework: format!("libtorch {}", dlbacktrace_torch::libtorch_version()),
            inputs: self.arguments.clone(),
            outputs: vec![Argument { name: "output".to_owned(), kind: found.returns, optional: false }],
            modules: found
                .modules
                .into_iter()
                .map(|module| ModuleEntry { path: module.path, class: module.class_name })
                .collect(),
            parameters: found
                .tensors
                .iter()
                .filter(|tensor| !tensor.is_buffer)
                .map(|tensor| elements(&tensor.sizes))
                .sum(),
            operators: found.operators,
            coverage: found.coverage,
            exact: false,
        })
    }
}

/// A TorchScript archive is a zip file; other things get a better answer than a zip reader's.
fn check_kind(path: &Path) -> Result<()> {
    let readable = "TorchScript archives written by torch.jit.save";
    let kind = |found: &str| Err(Error::Kind { path: path.to_owned(), found: found.to_owned(), readable });
    let metadata = fs::metadata(path)
        .map_err(|error| Error::Load(format!("cannot load {}: {error}", path.display())))?;
    if metadata.is_dir() {
        return match path.join("saved_model.pb").exists() {
            true => kind("a TensorFlow SavedModel"),
            false => kind("a directory"),
        };
    }
    Ok(())
}
