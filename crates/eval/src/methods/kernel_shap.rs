//! KernelSHAP (Lundberg and Lee 2017, arXiv 1705.07874): Shapley values as weighted least squares over sets of features.

use super::Method;
use super::coalitions::Game;
use super::solve::least_squares;
use crate::{Features, Random, Replacement, Result, Scores};
use ndarray::ArrayD;
use std::collections::BTreeMap;

/// Shapley values of the features. They are exact if all 2ⁿ sets of n features are within `samples`; otherwise sets are drawn by their
/// weight, each together with its complement, which leaves a smaller error (Covert and Lee 2021, arXiv 2012.01536).
#[derive(Debug, Clone)]
pub struct KernelShap {
    /// The most sets to try.
    pub samples: usize,
    /// What stands in the place of absent features.
    pub replacement: Replacement,
    /// The seed.
    pub seed: u64,
}

impl Method for KernelShap {
    fn name(&self) -> String {
        "kernel-shap".into()
    }

    fn attribute(
        &self,
        function: &dyn Scores,
        sample: &ArrayD<f64>,
        features: &Features,
    ) -> Result<ArrayD<f64>> {
        let game = Game::new(function, sample, &self.replacement, features)?;
        let [empty, full] = game.ends()?;
        let count = features.count();
        if count < 2 {
            return Ok(features.spread(&vec![full - empty; count]));
        }
        let (sets, weights) = self.sets(count);
        let values = game.values(&sets)?;
        // The last value is what the others leave of the whole.
        let number = |present: bool| f64::from(u8::from(present));
        let row = |set: &Vec<bool>| -> Vec<f64> {
            set[..count - 1].iter().map(|present| number(*present) - number(set[count - 1])).collect()
        };
        let rows: Vec<Vec<f64>> = sets.iter().map(row).collect();
        let targets: Vec<f64> = sets
            .iter()
            .zip(&values)
            .map(|(set, value)| value - empty - number(set[count - 1]) * (full - empty))
            .collect();
        let mut shares = least_squares(&rows, &targets, &weights, 0.0, 0)?;
        shares.push(full - empty - shares.iter().sum::<f64>());
        Ok(features.spread(&shares))
    }
}

impl KernelShap {
    /// The sets to try and their weights.
    fn sets(&self, count: usize) -> (Vec<Vec<bool>>, Vec<f64>) {
        if count < usize::BITS as usize - 1 && (1_usize << count) - 2 <= self.samples {
            let set = |bits: usize| (0..count).map(|feature| bits >> feature & 1 == 1).collect::<Vec<bool>>();
            let sets: Vec<Vec<bool>> = (1..(1_usize << count) - 1).map(set).collect();
            let weight = |set: &Vec<bool>| kernel(count, set.iter().filter(|present| **present).count());
            let weights = sets.iter().map(weight).collect();
            return (sets, weights);
        }
        // Sizes are drawn by the weight of all sets of that size, which is ∝ 1 / (s (n − s)).
        let sizes: Vec<f64> = (1..count).map(|size| 1.0 / (size * (count - size)) as f64).collect();
        let (total, mut random) = (sizes.iter().sum::<f64>(), Random::new(self.seed));
        let mut drawn: BTreeMap<Vec<bool>, f64> = BTreeMap::new();
        for _ in 0..self.samples.div_ceil(2) {
            let mut left = random.unit() * total;
            let found = sizes.iter().position(|part| {
                left -= part;
                left < 0.0
            });
            let size = found.unwrap_or(count - 2) + 1;
            let mut order: Vec<usize> = (0..count).collect();
            random.shuffle(&mut order);
            let mut set = vec![false; count];
            order[..size].iter().for_each(|feature| set[*feature] = true);
            let complement = set.iter().map(|present| !present).collect();
            for set in [set, complement] {
                *drawn.entry(set).or_default() += 1.0;
            }
        }
        drawn.into_iter().unzip()
    }
}

/// (n − 1) / ( C(n, s) · s · (n − s) )
fn kernel(count: usize, size: usize) -> f64 {
    let choices = (0..size).fold(1.0, |choices, taken| choices * (count - taken) as f64 / (taken + 1) as f64);
    (count - 1) as f64 / (choices * (size * (count - size)) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::tests::{Function, row};

    fn shap(samples: usize) -> KernelShap {
        KernelShap { samples, replacement: Replacement::Zero, seed: 1 }
    }

    #[test]
    fn two_that_are_needed_together_share_equally() -> Result<()> {
        // x₁ ∧ x₂, and x₃ by itself.
        let function = Function::of(|x| x[0] * x[1] + 3.0 * x[2]);
        let found = shap(100).attribute(&function, &row(&[1.0, 1.0, 1.0]), &Features::cells(&[1, 3]))?;
        for (found, expected) in found.iter().zip([0.5, 0.5, 3.0]) {
            assert!((found - expected).abs() < 1e-12, "{found}");
        }
        Ok(())
    }

    #[test]
    fn drawn_sets_come_near_the_exact_values() -> Result<()> {
        let function =
            Function::of(|x| x[0] * x[1] + x[2] * x[3] * x[4] - 2.0 * x[5] + x[6] * x[7].max(x[8]) + x[9]);
        let (sample, features) = (row(&[1.0; 10]), Features::cells(&[1, 10]));
        let exact = shap(1022).attribute(&function, &sample, &features)?;
        let drawn = shap(600).attribute(&function, &sample, &features)?;
        assert!((drawn.sum() - exact.sum()).abs() < 1e-9);
        for (drawn, exact) in drawn.iter().zip(&exact) {
            assert!((drawn - exact).abs() < 0.05, "{drawn} against {exact}");
        }
        Ok(())
    }

    #[test]
    fn too_few_sets_are_an_error() {
        let found =
            shap(4).attribute(&Function::linear(&[1.0; 30]), &row(&[1.0; 30]), &Features::cells(&[1, 30]));
        assert!(found.is_err_and(|error| error.to_string().contains("draw more samples")));
    }
}
