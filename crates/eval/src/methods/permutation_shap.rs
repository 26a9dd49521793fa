//! Shapley values by permutations (Castro, Gómez and Tejada 2009; both directions: Mitchell et al. 2022, arXiv 2104.12199).

use super::Method;
use super::coalitions::Game;
use crate::{Features, Random, Replacement, Result, Scores};
use ndarray::ArrayD;

/// The mean of what each feature adds where features join one by one, in random orders and in these orders backwards.
#[derive(Debug, Clone)]
pub struct PermutationShap {
    /// The number of orders; each costs two passes for each feature.
    pub permutations: usize,
    /// What stands in the place of absent features.
    pub replacement: Replacement,
    /// The seed.
    pub seed: u64,
}

impl Method for PermutationShap {
    fn name(&self) -> String {
        "permutation-shap".into()
    }

    fn attribute(
        &self,
        function: &dyn Scores,
        sample: &ArrayD<f64>,
        features: &Features,
    ) -> Result<ArrayD<f64>> {
        let game = Game::new(function, sample, &self.replacement, features)?;
        let [empty, full] = game.ends()?;
        let (count, mut random) = (features.count(), Random::new(self.seed));
        let orders = self.permutations.max(1);
        let mut shares = vec![0.0; count];
        for _ in 0..orders {
            let mut order: Vec<usize> = (0..count).collect();
            random.shuffle(&mut order);
            for backwards in [false, true] {
                if backwards {
                    order.reverse();
                }
                let mut set = vec![false; count];
                let joined: Vec<Vec<bool>> = order[..count.saturating_sub(1)]
                    .iter()
                    .map(|feature| {
                        set[*feature] = true;
                        set.clone()
                    })
                    .collect();
                let values = [vec![empty], game.values(&joined)?, vec![full]].concat();
                for (feature, step) in order.iter().zip(values.windows(2)) {
                    shares[*feature] += (step[1] - step[0]) / (2 * orders) as f64;
                }
            }
        }
        Ok(features.spread(&shares))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::tests::{Function, row};

    #[test]
    fn products_of_two_are_exact_after_one_order() -> Result<()> {
        let function = Function::of(|x| x[0] * x[1] + 3.0 * x[2]);
        let method = PermutationShap { permutations: 1, replacement: Replacement::Zero, seed: 5 };
        let found = method.attribute(&function, &row(&[1.0, 1.0, 1.0]), &Features::cells(&[1, 3]))?;
        for (found, expected) in found.iter().zip([0.5, 0.5, 3.0]) {
            assert!((found - expected).abs() < 1e-12, "{found}");
        }
        Ok(())
    }
}
