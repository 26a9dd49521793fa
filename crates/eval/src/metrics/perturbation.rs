//! What the function does while features are taken away (MoRF and LeRF: Samek et al. 2017, arXiv 1509.06321; ABPC: Achtibat et al. 2023;
//! insertion and deletion: Petsiuk, Das and Saenko 2018, arXiv 1806.07421).

use crate::{Features, Replacement, Result, Scores};
use ndarray::ArrayD;

/// Which features go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The most relevant ones.
    MostRelevantFirst,
    /// The least relevant ones.
    LeastRelevantFirst,
}

/// Takes the features away by the order of their attributions.
#[derive(Debug, Clone)]
pub struct Perturbation {
    /// What stands in their place.
    pub replacement: Replacement,
    /// The number of steps; as many as there are features at most.
    pub steps: usize,
}

/// The function at the whole sample and after each step, up to the sample without any feature.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve(pub Vec<f64>);

impl Curve {
    /// The mean height, by trapezes: the area over a width of 1.
    pub fn area(&self) -> f64 {
        let Self(heights) = self;
        match heights.as_slice() {
            [] => f64::NAN,
            [only] => *only,
            [first, .., last] => {
                (heights.iter().sum::<f64>() - (first + last) / 2.0) / (heights.len() - 1) as f64
            }
        }
    }
}

impl Perturbation {
    /// The curve of an order. To begin with the empty sample and add features (insertion), read the curve of the other order backwards.
    ///
    /// # Errors
    /// If the replacement does not fit, or the function fails.
    pub fn curve(
        &self,
        function: &dyn Scores,
        sample: &ArrayD<f64>,
        attributions: &ArrayD<f64>,
        features: &Features,
        order: Order,
    ) -> Result<Curve> {
        let instead = self.replacement.of(sample)?;
        let sums = features.sums(attributions);
        let mut ranked: Vec<usize> = (0..features.count()).collect();
        // Equal ones stay in their order, whichever goes first.
        ranked.sort_by(|a, b| match order {
            Order::MostRelevantFirst => sums[*b].total_cmp(&sums[*a]),
            Order::LeastRelevantFirst => sums[*a].total_cmp(&sums[*b]),
        });
        let steps = self.steps.clamp(1, features.count().max(1));
        let mut present = vec![true; features.count()];
        let mut samples = vec![sample.clone()];
        let mut gone = 0;
        for step in 1..=steps {
            let until = step * ranked.len() / steps;
            ranked[gone..until].iter().for_each(|feature| present[*feature] = false);
            gone = until;
            samples.push(features.masked(sample, &instead, |feature| present[feature]));
        }
        Ok(Curve(function.scores(&samples)?))
    }
}

/// The area between the curves: that of the least relevant first less that of the most relevant first. The larger, the better the
/// order of the features; 0 is chance.
///
/// # Errors
/// As [`Perturbation::curve`].
pub fn abpc(
    perturbation: &Perturbation,
    function: &dyn Scores,
    sample: &ArrayD<f64>,
    attributions: &ArrayD<f64>,
    features: &Features,
) -> Result<f64> {
    let curve = |order| perturbation.curve(function, sample, attributions, features, order);
    Ok(curve(Order::LeastRelevantFirst)?.area() - curve(Order::MostRelevantFirst)?.area())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::tests::{Function, row};
    use crate::methods::{Method, Noise};

    const ZEROS: Perturbation = Perturbation { replacement: Replacement::Zero, steps: 100 };

    #[test]
    fn the_curves_of_a_linear_function_are_sums_of_its_terms() -> Result<()> {
        let (function, sample, features) =
            (Function::linear(&[1.0; 3]), row(&[3.0, 1.0, 2.0]), Features::cells(&[1, 3]));
        let curve = |order| ZEROS.curve(&function, &sample, &sample, &features, order);
        assert_eq!(curve(Order::MostRelevantFirst)?, Curve(vec![6.0, 3.0, 1.0, 0.0]));
        assert_eq!(curve(Order::LeastRelevantFirst)?, Curve(vec![6.0, 5.0, 3.0, 0.0]));
        let found = abpc(&ZEROS, &function, &sample, &sample, &features)?;
        assert!((found - (11.0 - 7.0) / 3.0).abs() < 1e-12, "{found}");
        // The worst order is the best one backwards.
        let worst = abpc(&ZEROS, &function, &sample, &sample.mapv(|x| -x), &features)?;
        assert!((worst + found).abs() < 1e-12);
        Ok(())
    }

    #[test]
    fn steps_take_several_features_at_once() -> Result<()> {
        let (function, sample) = (Function::linear(&[1.0; 5]), row(&[5.0, 4.0, 3.0, 2.0, 1.0]));
        let halves = Perturbation { steps: 2, ..ZEROS };
        let curve =
            halves.curve(&function, &sample, &sample, &Features::cells(&[1, 5]), Order::MostRelevantFirst)?;
        assert_eq!(curve, Curve(vec![15.0, 6.0, 0.0]));
        Ok(())
    }

    #[test]
    fn random_attributions_are_at_chance() -> Result<()> {
        let (function, sample, features) = (
            Function::linear(&[1.0; 8]),
            row(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]),
            Features::cells(&[1, 8]),
        );
        let mut total = 0.0;
        for seed in 0..400 {
            let noise = Noise { seed }.attribute(&function, &sample, &features)?;
            total += abpc(&ZEROS, &function, &sample, &noise, &features)?;
        }
        assert!((total / 400.0).abs() < 0.5, "{total}");
        Ok(())
    }
}
