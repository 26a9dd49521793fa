//! Maximal sensitivity (Yeh et al. 2019, arXiv 1901.09392).

use crate::methods::Method;
use crate::{Features, Random, Result, Scores};
use ndarray::ArrayD;

/// How far the attributions move, relative to their size, while the sample moves a little.
#[derive(Debug, Clone, Copy)]
pub struct MaxSensitivity {
    /// The largest change of a cell.
    pub radius: f64,
    /// The number of moved samples.
    pub samples: usize,
    /// The seed.
    pub seed: u64,
}

impl MaxSensitivity {
    /// The largest ‖a(x′) − a(x)‖ / ‖a(x)‖ over x′ with cells at most `radius` from those of x. 0 is best.
    ///
    /// # Errors
    /// Those of the method.
    pub fn of(
        &self,
        method: &dyn Method,
        function: &dyn Scores,
        sample: &ArrayD<f64>,
        features: &Features,
    ) -> Result<f64> {
        let given = method.attribute(function, sample, features)?;
        let size = |values: &ArrayD<f64>| values.iter().map(|value| value * value).sum::<f64>().sqrt();
        let mut random = Random::new(self.seed);
        let mut largest: f64 = 0.0;
        for _ in 0..self.samples {
            let moved = sample.mapv(|x| x + self.radius * (2.0 * random.unit() - 1.0));
            largest =
                largest.max(size(&(method.attribute(function, &moved, features)? - &given)) / size(&given));
        }
        Ok(largest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::tests::{Function, row};
    use crate::methods::{Magnitude, SmoothGrad};

    #[test]
    fn a_constant_explanation_is_stable_and_another_moves_with_the_sample() -> Result<()> {
        let (function, sample, features) =
            (Function::linear(&[2.0, -1.0]), row(&[3.0, 4.0]), Features::cells(&[1, 2]));
        let metric = MaxSensitivity { radius: 0.5, samples: 20, seed: 1 };
        let slope = SmoothGrad { samples: 1, noise: 0.0, seed: 0 };
        assert!(metric.of(&slope, &function, &sample, &features)? < 1e-6);
        let moved = metric.of(&Magnitude, &function, &sample, &features)?;
        assert!(moved > 0.02 && moved <= 0.5 * 2.0_f64.sqrt() / 5.0, "{moved}");
        Ok(())
    }
}
