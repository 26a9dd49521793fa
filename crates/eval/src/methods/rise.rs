//! RISE (Petsiuk, Das and Saenko 2018, arXiv 1806.07421), with masks of whole features.

use super::Method;
use super::coalitions::Game;
use crate::{Features, Random, Replacement, Result, Scores};
use ndarray::ArrayD;

/// The mean of the function over random sets that hold a feature, less that over all sets.
#[derive(Debug, Clone)]
pub struct Rise {
    /// The number of sets.
    pub samples: usize,
    /// The part of the features that a set holds.
    pub kept: f64,
    /// What stands in the place of absent features.
    pub replacement: Replacement,
    /// The seed.
    pub seed: u64,
}

impl Method for Rise {
    fn name(&self) -> String {
        "rise".into()
    }

    fn attribute(
        &self,
        function: &dyn Scores,
        sample: &ArrayD<f64>,
        features: &Features,
    ) -> Result<ArrayD<f64>> {
        let game = Game::new(function, sample, &self.replacement, features)?;
        let (count, mut random) = (features.count(), Random::new(self.seed));
        let sets: Vec<Vec<bool>> =
            (0..self.samples.max(1)).map(|_| random.subset(count, self.kept)).collect();
        let values = game.values(&sets)?;
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let share = |feature: usize| {
            let with = sets.iter().zip(&values).filter(|(set, _)| set[feature]);
            let (number, sum) =
                with.fold((0.0, 0.0), |(number, sum), (_, value)| (number + 1.0, sum + value));
            if number > 0.0 { sum / number - mean } else { 0.0 }
        };
        Ok(features.spread(&(0..count).map(share).collect::<Vec<f64>>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::tests::{Function, row};

    #[test]
    fn what_a_feature_adds_on_average_is_found() -> Result<()> {
        let method = Rise { samples: 4000, kept: 0.5, replacement: Replacement::Zero, seed: 3 };
        let found = method.attribute(
            &Function::linear(&[2.0, -1.0]),
            &row(&[1.0, 1.0]),
            &Features::cells(&[1, 2]),
        )?;
        // A feature that is present half of the time adds half of its term.
        assert!((found[[0, 0]] - 1.0).abs() < 0.05 && (found[[0, 1]] + 0.5).abs() < 0.05, "{found}");
        Ok(())
    }
}
