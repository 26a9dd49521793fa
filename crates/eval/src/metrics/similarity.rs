//! Whether an explanation depends on what is explained.

use super::spearman;
use crate::Features;
use ndarray::ArrayD;

/// Spearman's correlation of the attributions of two units of one sample, feature by feature: 1 means that the explanation is blind to the
/// unit. `None` if one of them is constant.
pub fn class_similarity(one: &ArrayD<f64>, other: &ArrayD<f64>, features: &Features) -> Option<f64> {
    spearman(&features.sums(one), &features.sums(other))
}
