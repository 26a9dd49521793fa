//! The metrics: one file for each. Each judges the attributions of a sample.

mod correlation;
mod faithfulness_correlation;
mod perturbation;
mod shape;
mod similarity;
mod stability;

pub use correlation::{pearson, spearman};
pub use faithfulness_correlation::FaithfulnessCorrelation;
pub use perturbation::{Curve, Order, Perturbation, abpc};
pub use shape::{complexity, effective_complexity, sparseness};
pub use similarity::class_similarity;
pub use stability::MaxSensitivity;
