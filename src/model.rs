//! Models of any framework.

use crate::inspection::StaticInfo;
use crate::{
    Argument, Explanation, Inputs, Inspection, Options, OutputTensor, ReplayReport, Result, Verification,
};
use dlbacktrace_core::analysis::Scaling;
use dlbacktrace_core::explain::{Watch, coverage};
use dlbacktrace_core::{DType, RandomUse};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

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
    fn replay(&self, inputs: &Inputs, watch: &Watch) -> Result<ReplayReport>;
    fn inspect(&self) -> Result<StaticInfo>;
    /// The features that it reads from serialised messages.
    #[cfg(feature = "tensorflow")]
    fn examples(&self) -> Option<dlbacktrace_tensorflow::ExampleSpec> {
        None
    }
}

/// A model, loaded in its framework. Threads may share it.
pub struct Model {
    inner: Box<dyn Loaded>,
    arguments: Vec<Argument>,
    precision: Option<DType>,
    load: Duration,
    pub(crate) path: Option<PathBuf>,
}

impl Model {
    /// A model that has been loading since `start`.
    pub(crate) fn of(inner: Box<dyn Loaded>, start: Instant) -> Result<Self> {
        let (arguments, precision) = (inner.arguments()?, inner.precision()?);
        Ok(Self { inner, arguments, precision, load: start.elapsed(), path: None })
    }

    /// The archive or directory that was loaded; the chosen one if there were several versions. `None` for a live model.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The framework and its version, such as `libtorch 2.13.0`.
    pub fn framework(&self) -> String {
        self.inner.framework()
    }

    /// The arguments of the model.
    pub fn arguments(&self) -> &[Argument] {
        &self.arguments
    }

    /// Whether [`arguments`](Self::arguments) are in the model's own order. A SavedModel may give only their names. Then they
    /// are in the order of the names, and an input by position is refused if several arguments fit it.
    pub fn ordered(&self) -> bool {
        self.inner.ordered()
    }

    /// The features that a SavedModel reads from `tf.Example` messages, if it parses such messages itself.
    #[cfg(feature = "tensorflow")]
    pub fn examples(&self) -> Option<dlbacktrace_tensorflow::ExampleSpec> {
        self.inner.examples()
    }

    /// Whether it is a SavedModel of TensorFlow; otherwise it is a TorchScript model.
    pub fn is_saved_model(&self) -> bool {
        self.framework().starts_with("TensorFlow")
    }

    /// The floating-point type of its parameters, which its floating-point inputs should have too. `None` if there are no
    /// parameters or they have several types, or if the model's signature gives the type of each input and arrays are converted.
    pub fn precision(&self) -> Option<DType> {
        self.precision
    }

    /// Runs the model without explaining it; returns the tensors of its result, flattened.
    ///
    /// # Errors
    /// [`Error::Inputs`](crate::Error::Inputs) if the inputs do not fit or the model fails on them.
    pub fn forward(&self, inputs: &Inputs) -> Result<Vec<OutputTensor>> {
        self.inner.forward(inputs.bounded()?)
    }

    /// Runs the model once and traces its output back to its inputs.
    ///
    /// # Errors
    /// [`Error::Inputs`](crate::Error::Inputs) if the inputs do not fit or the model fails on them,
    /// [`Error::NoRule`](crate::Error::NoRule) if relevance reaches an operator without a rule,
    /// [`Error::Usage`](crate::Error::Usage) if the options do not fit, [`Error::Cancelled`](crate::Error::Cancelled) if their
    /// [`progress`](Options::progress) stops it.
    pub fn explain(&self, inputs: &Inputs, options: &Options) -> Result<Explanation> {
        let mut explanation = self.inner.explain(inputs.bounded()?, options)?;
        explanation.timings.load = self.load;
        Ok(explanation)
    }

    /// Runs the model on these inputs and returns how it scales each of them first: this shows, for example, whether it takes
    /// pixels of 0 to 255 or of 0 to 1.
    ///
    /// # Errors
    /// [`Error::Inputs`](crate::Error::Inputs) if the inputs do not fit or the model fails on them.
    pub fn scalings(&self, inputs: &Inputs) -> Result<Vec<(String, Scaling)>> {
        self.inner.scalings(inputs.bounded()?)
    }

    /// Checks the recording and the ledger on these inputs.
    ///
    /// # Errors
    /// As [`explain`](Self::explain).
    pub fn verify(&self, inputs: &Inputs, options: &Options) -> Result<Verification> {
        let replay = self.inner.replay(inputs.bounded()?, &options.0.watch)?;
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
    /// [`Error::Load`](crate::Error::Load) if the framework cannot inspect the model.
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
