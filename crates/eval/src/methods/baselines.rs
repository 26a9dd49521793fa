//! Attributions that know nothing of the model. A method that is no better than these explains nothing.

use super::Method;
use crate::{Features, Random, Result, Scores};
use ndarray::ArrayD;

/// Random numbers.
#[derive(Debug, Clone, Copy)]
pub struct Noise {
    /// The seed.
    pub seed: u64,
}

impl Method for Noise {
    fn name(&self) -> String {
        "random".into()
    }

    fn attribute(&self, _: &dyn Scores, sample: &ArrayD<f64>, features: &Features) -> Result<ArrayD<f64>> {
        let mut random = Random::new(self.seed);
        let values: Vec<f64> = (0..features.count()).map(|_| random.normal()).collect();
        debug_assert_eq!(sample.shape(), features.of().shape());
        Ok(features.spread(&values))
    }
}

/// |x|
#[derive(Debug, Clone, Copy)]
pub struct Magnitude;

impl Method for Magnitude {
    fn name(&self) -> String {
        "magnitude".into()
    }

    fn attribute(&self, _: &dyn Scores, sample: &ArrayD<f64>, _: &Features) -> Result<ArrayD<f64>> {
        Ok(sample.mapv(f64::abs))
    }
}
