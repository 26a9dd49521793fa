//! Faithfulness correlation (Bhatt, Weller and Moura 2020, arXiv 2005.00631).

use super::pearson;
use crate::{Features, Random, Replacement, Result, Scores};
use ndarray::ArrayD;

/// The correlation, over random sets of features, of the sum of their attributions with what the function loses without them.
#[derive(Debug, Clone)]
pub struct FaithfulnessCorrelation {
    /// The number of features in a set.
    pub size: usize,
    /// The number of sets.
    pub runs: usize,
    /// What stands in their place.
    pub replacement: Replacement,
    /// The seed.
    pub seed: u64,
}

impl FaithfulnessCorrelation {
    /// From −1 to 1; `None` if nothing changes, or if all attributions are equal.
    ///
    /// # Errors
    /// If the replacement does not fit, or the function fails.
    pub fn of(
        &self,
        function: &dyn Scores,
        sample: &ArrayD<f64>,
        attributions: &ArrayD<f64>,
        features: &Features,
    ) -> Result<Option<f64>> {
        let (instead, sums) = (self.replacement.of(sample)?, features.sums(attributions));
        let mut random = Random::new(self.seed);
        let mut samples = vec![sample.clone()];
        let mut shares = Vec::with_capacity(self.runs);
        let mut order: Vec<usize> = (0..features.count()).collect();
        for _ in 0..self.runs {
            random.shuffle(&mut order);
            let gone = &order[..self.size.min(order.len())];
            shares.push(gone.iter().map(|feature| sums[*feature]).sum::<f64>());
            samples.push(features.masked(sample, &instead, |feature| !gone.contains(&feature)));
        }
        let scores = function.scores(&samples)?;
        let losses: Vec<f64> = scores.iter().skip(1).map(|score| scores[0] - score).collect();
        Ok(pearson(&shares, &losses))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::tests::{Function, row};

    #[test]
    fn the_terms_of_a_linear_function_correlate_wholly() -> Result<()> {
        let (function, sample, features) =
            (Function::linear(&[1.0; 6]), row(&[3.0, 1.0, -2.0, 0.5, 4.0, -1.0]), Features::cells(&[1, 6]));
        let metric = FaithfulnessCorrelation { size: 2, runs: 50, replacement: Replacement::Zero, seed: 1 };
        let of = |attributions: &ArrayD<f64>| metric.of(&function, &sample, attributions, &features);
        assert!(of(&sample)?.is_some_and(|found| (found - 1.0).abs() < 1e-9));
        assert!(of(&sample.mapv(|x| -x))?.is_some_and(|found| (found + 1.0).abs() < 1e-9));
        assert_eq!(of(&sample.mapv(|_| 1.0))?, None);
        Ok(())
    }
}
