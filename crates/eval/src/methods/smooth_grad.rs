//! SmoothGrad (Smilkov et al. 2017, arXiv 1706.03825).

use super::Method;
use crate::replacement::range;
use crate::{Features, Random, Result, Scores};
use ndarray::ArrayD;

/// The mean of the derivatives at noisy copies of the sample.
#[derive(Debug, Clone, Copy)]
pub struct SmoothGrad {
    /// The number of copies.
    pub samples: usize,
    /// The deviation of the noise, as a part of the range of the sample.
    pub noise: f64,
    /// The seed.
    pub seed: u64,
}

impl Method for SmoothGrad {
    fn name(&self) -> String {
        "smooth-grad".into()
    }

    fn attribute(&self, function: &dyn Scores, sample: &ArrayD<f64>, _: &Features) -> Result<ArrayD<f64>> {
        let (low, high) = range(sample);
        let (deviation, mut random) = (self.noise * (high - low).max(0.0), Random::new(self.seed));
        let count = self.samples.max(1);
        let noisy: Vec<ArrayD<f64>> =
            (0..count).map(|_| sample.mapv(|x| x + deviation * random.normal())).collect();
        let mut mean = ArrayD::zeros(sample.raw_dim());
        for gradient in function.gradients(&noisy)? {
            mean.scaled_add(1.0 / count as f64, &gradient);
        }
        Ok(mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::tests::{Function, row};

    #[test]
    fn the_derivative_of_a_linear_function_needs_no_smoothing() -> Result<()> {
        let method = SmoothGrad { samples: 5, noise: 0.2, seed: 1 };
        let found = method.attribute(
            &Function::linear(&[2.0, -1.0]),
            &row(&[3.0, 4.0]),
            &Features::cells(&[1, 2]),
        )?;
        assert!((found[[0, 0]] - 2.0).abs() < 1e-9 && (found[[0, 1]] + 1.0).abs() < 1e-9, "{found}");
        Ok(())
    }
}
