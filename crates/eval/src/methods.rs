//! The methods: one file for each. Each gives every cell of the sample an attribution.

mod baselines;
mod coalitions;
mod integrated_gradients;
mod kernel_shap;
mod lime;
mod occlusion;
mod permutation_shap;
mod rise;
mod smooth_grad;
mod solve;

pub use baselines::{Magnitude, Noise};
pub use integrated_gradients::IntegratedGradients;
pub use kernel_shap::KernelShap;
pub use lime::Lime;
pub use occlusion::Occlusion;
pub use permutation_shap::PermutationShap;
pub use rise::Rise;
pub use smooth_grad::SmoothGrad;

use crate::{Features, Result, Scores};
use ndarray::ArrayD;

/// Gives every cell of a sample an attribution.
pub trait Method {
    /// The name that tables show.
    fn name(&self) -> String;

    /// The attributions, in the sample's shape. `features` are what methods that take something away take away together.
    ///
    /// # Errors
    /// If the method does not fit the sample, or the function fails.
    fn attribute(
        &self,
        function: &dyn Scores,
        sample: &ArrayD<f64>,
        features: &Features,
    ) -> Result<ArrayD<f64>>;
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use ndarray::IxDyn;

    /// A sample of one row.
    pub(crate) fn row(values: &[f64]) -> ArrayD<f64> {
        ArrayD::from_shape_vec(IxDyn(&[1, values.len()]), values.to_vec()).unwrap_or_default()
    }

    type OfRow = dyn Fn(&[f64]) -> f64;

    /// A function of a row.
    pub(crate) struct Function(Box<OfRow>);

    impl Function {
        pub(crate) fn of(function: impl Fn(&[f64]) -> f64 + 'static) -> Self {
            Self(Box::new(function))
        }

        pub(crate) fn linear(weights: &[f64]) -> Self {
            let weights = weights.to_vec();
            Self::of(move |x| x.iter().zip(&weights).map(|(x, weight)| x * weight).sum())
        }

        /// One that is curved and mixes its arguments.
        pub(crate) fn smooth() -> Self {
            Self::of(|x| (x[0] * x[1]).tanh() + (0.5 * x[2]).exp() * x[0] - x[1].sin())
        }
    }

    impl Scores for Function {
        fn scores(&self, samples: &[ArrayD<f64>]) -> Result<Vec<f64>> {
            Ok(samples.iter().map(|sample| (self.0)(&sample.iter().copied().collect::<Vec<f64>>())).collect())
        }

        /// By central differences.
        fn gradients(&self, samples: &[ArrayD<f64>]) -> Result<Vec<ArrayD<f64>>> {
            let at = |sample: &ArrayD<f64>| {
                let x: Vec<f64> = sample.iter().copied().collect();
                let slope = |index: usize| {
                    let moved = |step: f64| {
                        let mut x = x.clone();
                        x[index] += step;
                        (self.0)(&x)
                    };
                    (moved(1e-5) - moved(-1e-5)) / 2e-5
                };
                row(&(0..x.len()).map(slope).collect::<Vec<f64>>())
            };
            Ok(samples.iter().map(at).collect())
        }
    }
}
