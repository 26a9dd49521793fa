//! Which explanation should one believe? Established methods beside dlbacktrace's own, and metrics that judge them, for any model that the
//! library loads.
//!
//! Everything here uses the public interface of `dlbacktrace` only, so it serves TorchScript and SavedModels alike. A [`Subject`] is a model with
//! one input to explain; a [`Method`](methods::Method) gives each of its cells an attribution; the [`metrics`] judge attributions. Perturbed
//! inputs run in batches, and each forward pass is counted.

#![forbid(unsafe_code)]

mod error;
mod features;
pub mod methods;
pub mod metrics;
mod random;
mod replacement;
mod subject;

pub use error::{Error, Result};
pub use features::Features;
pub use random::Random;
pub use replacement::Replacement;
pub use subject::{Scores, Subject};
