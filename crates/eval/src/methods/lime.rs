//! LIME (Ribeiro, Singh and Guestrin 2016, arXiv 1602.04938), on features that are present or absent.

use super::Method;
use super::coalitions::Game;
use super::solve::least_squares;
use crate::{Features, Random, Replacement, Result, Scores};
use ndarray::ArrayD;

/// The coefficients of a ridge regression of the function on random sets of features, in which sets near the whole weigh more.
#[derive(Debug, Clone)]
pub struct Lime {
    /// The number of sets.
    pub samples: usize,
    /// The width of the kernel e^(−d² / width²), where d is the cosine distance from the whole: 0.25 for pictures and texts.
    pub width: f64,
    /// The strength of the ridge.
    pub ridge: f64,
    /// What stands in the place of absent features.
    pub replacement: Replacement,
    /// The seed.
    pub seed: u64,
}

impl Method for Lime {
    fn name(&self) -> String {
        "lime".into()
    }

    fn attribute(
        &self,
        function: &dyn Scores,
        sample: &ArrayD<f64>,
        features: &Features,
    ) -> Result<ArrayD<f64>> {
        let game = Game::new(function, sample, &self.replacement, features)?;
        let (count, mut random) = (features.count(), Random::new(self.seed));
        let mut sets: Vec<Vec<bool>> = vec![vec![true; count]];
        sets.extend((1..self.samples).map(|_| random.subset(count, 0.5)));
        let values = game.values(&sets)?;
        let weight = |set: &Vec<bool>| {
            let present = set.iter().filter(|present| **present).count() as f64;
            let distance = 1.0 - (present / count as f64).sqrt();
            (-(distance / self.width).powi(2)).exp()
        };
        let weights: Vec<f64> = sets.iter().map(weight).collect();
        let row = |set: &Vec<bool>| -> Vec<f64> {
            set.iter().map(|present| f64::from(u8::from(*present))).chain([1.0]).collect()
        };
        let rows: Vec<Vec<f64>> = sets.iter().map(row).collect();
        let coefficients = least_squares(&rows, &values, &weights, self.ridge, count)?;
        Ok(features.spread(&coefficients[..count]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::tests::{Function, row};

    #[test]
    fn the_coefficients_of_a_linear_function_are_its_terms() -> Result<()> {
        let method = Lime { samples: 200, width: 0.25, ridge: 1e-9, replacement: Replacement::Zero, seed: 2 };
        let found = method.attribute(
            &Function::linear(&[2.0, -1.0, 0.5]),
            &row(&[1.0, 2.0, 4.0]),
            &Features::cells(&[1, 3]),
        )?;
        for (found, expected) in found.iter().zip([2.0, -2.0, 2.0]) {
            assert!((found - expected).abs() < 1e-5, "{found}");
        }
        Ok(())
    }
}
