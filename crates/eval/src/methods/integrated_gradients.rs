//! Integrated Gradients (Sundararajan, Taly and Yan 2017, arXiv 1703.01365).

use super::Method;
use crate::{Features, Replacement, Result, Scores};
use ndarray::ArrayD;
use std::f64::consts::PI;

/// (x − b) ⊙ ∫₀¹ ∇f(b + α(x − b)) dα, by Gauss and Legendre's rule. The attributions sum to f(x) − f(b) as far as the steps suffice.
#[derive(Debug, Clone)]
pub struct IntegratedGradients {
    /// The number of points.
    pub steps: usize,
    /// b
    pub baseline: Replacement,
}

impl Method for IntegratedGradients {
    fn name(&self) -> String {
        "integrated-gradients".into()
    }

    fn attribute(&self, function: &dyn Scores, sample: &ArrayD<f64>, _: &Features) -> Result<ArrayD<f64>> {
        let baseline = self.baseline.of(sample)?;
        let way = sample - &baseline;
        let points = gauss_legendre(self.steps.max(1));
        let samples: Vec<ArrayD<f64>> = points.iter().map(|(at, _)| &baseline + &(&way * *at)).collect();
        let mut mean = ArrayD::zeros(sample.raw_dim());
        for ((_, weight), gradient) in points.iter().zip(function.gradients(&samples)?) {
            mean.scaled_add(*weight, &gradient);
        }
        Ok(mean * way)
    }
}

/// Points between 0 and 1 with their weights, by which polynomials of a degree below 2n are integrated exactly.
pub(super) fn gauss_legendre(count: usize) -> Vec<(f64, f64)> {
    (0..count)
        .map(|number| {
            let mut root = (PI * (number as f64 + 0.75) / (count as f64 + 0.5)).cos();
            let mut slope = 1.0;
            // Newton's steps reach the precision of the numbers well before.
            for _ in 0..50 {
                let (value, derivative) = legendre(count, root);
                slope = derivative;
                let step = value / derivative;
                root -= step;
                if step.abs() < 1e-15 {
                    break;
                }
            }
            (0.5 * (1.0 - root), 1.0 / ((1.0 - root * root) * slope * slope))
        })
        .collect()
}

/// The Legendre polynomial of this degree, and its derivative.
fn legendre(degree: usize, x: f64) -> (f64, f64) {
    let (mut before, mut now) = (1.0, x);
    for n in 2..=degree {
        let n = n as f64;
        (before, now) = (now, ((2.0 * n - 1.0) * x * now - (n - 1.0) * before) / n);
    }
    (now, degree as f64 * (x * now - before) / (x * x - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::tests::{Function, row};

    #[test]
    fn polynomials_are_integrated_exactly() {
        for count in 1..12 {
            for degree in 0..2 * count {
                let found: f64 =
                    gauss_legendre(count).iter().map(|(at, weight)| weight * at.powi(degree as i32)).sum();
                assert!(
                    (found - 1.0 / (degree as f64 + 1.0)).abs() < 1e-12,
                    "{count} points, degree {degree}: {found}"
                );
            }
        }
    }

    #[test]
    fn attributions_sum_to_what_the_sample_adds() -> Result<()> {
        let function = Function::smooth();
        let sample = row(&[0.5, -1.5, 2.0]);
        let baseline = Replacement::Value(0.25);
        let found = IntegratedGradients { steps: 24, baseline: baseline.clone() }.attribute(
            &function,
            &sample,
            &Features::cells(&[1, 3]),
        )?;
        let scores = function.scores(&[sample.clone(), baseline.of(&sample)?])?;
        assert!((found.sum() - (scores[0] - scores[1])).abs() < 1e-9, "{found}");
        Ok(())
    }

    #[test]
    fn linear_functions_are_explained_by_their_terms() -> Result<()> {
        let weights = [2.0, -1.0, 0.5];
        let found = IntegratedGradients { steps: 1, baseline: Replacement::Zero }.attribute(
            &Function::linear(&weights),
            &row(&[1.0, 2.0, 3.0]),
            &Features::cells(&[1, 3]),
        )?;
        for (found, expected) in found.iter().zip([2.0, -2.0, 1.5]) {
            assert!((found - expected).abs() < 1e-9, "{found}");
        }
        Ok(())
    }
}
