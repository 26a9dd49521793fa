//! Explains deep models outside Python.
//!
//! dlbacktrace explains why a model decided as it did. It loads the model in its own framework's runtime, runs it once on
//! the input, and traces relevance from the output back to the input through every operator that ran. By default the rules are
//! those of DLBacktrace (arXiv 2411.12643): they need only weights and activations, are deterministic, and use no gradients,
//! samples or baseline. [`rules`] has the other sets.
//!
//! ```no_run
//! use dlbacktrace::{Inputs, Model, Options};
//! use ndarray::ArrayD;
//!
//! let model = Model::load("classifier.pt")?;
//! let image = ArrayD::<f32>::zeros(vec![1, 3, 224, 224]);
//! let explanation = model.explain(&Inputs::new().push(image), &Options::new())?;
//! println!("class {:?}", explanation.target());
//! let relevance = explanation.inputs()[0].relevance()?; // [1, 3, 224, 224]
//! # let _ = relevance;
//! # Ok::<(), dlbacktrace::Error>(())
//! ```
//!
//! Several threads may explain one model at the same time. The feature `torch` (default) explains TorchScript archives
//! and, with [`torch`], any live libtorch computation. The feature `tensorflow` (default) explains SavedModels with a
//! TensorFlow that is found at run time.

mod argument;
mod error;
mod explanation;
mod file_kind;
mod framework_tensor;
mod inputs;
mod inspection;
mod loading;
mod model;
mod operators;
mod options;
mod output_tensor;
mod verification;

#[cfg(feature = "cxx")]
pub mod cxx;
#[cfg(feature = "tensorflow")]
pub mod tensorflow;
#[cfg(feature = "torch")]
pub mod torch;

pub use argument::Argument;
pub use dlbacktrace_core as core;
pub use dlbacktrace_core::analysis::{PixelRange, Scaling};
pub use dlbacktrace_core::explain::Progress;
pub use dlbacktrace_core::rules;
pub use dlbacktrace_core::{Amount, Chance, Entry, Family, Ledger, Loss, Mode, Place, RandomUse};
pub use error::{Error, Result};
pub use explanation::{Explanation, InputRelevance, ModuleRelevance, OperatorUse, Timings, ValueRelevance};
#[doc(hidden)]
pub use file_kind::is_torchscript;
pub use inputs::{Inputs, Value};
pub use inspection::{Inspection, ModuleEntry};
pub use loading::LoadOptions;
pub use model::Model;
pub use ndarray;
pub use operators::{OperatorRule, operators};
pub use options::{Classes, Coordinate, Options, Output, Samples, Target, Task, Versus};
pub use output_tensor::OutputTensor;
pub use verification::{ReplayReport, Verification};

/// Threads may share everything that a server holds.
const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<Model>();
    is_shared::<Inputs>();
    is_shared::<Options>();
    is_shared::<Explanation>();
    is_shared::<OutputTensor>();
};
