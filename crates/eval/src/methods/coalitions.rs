//! The function's value for sets of features.

use crate::{Features, Replacement, Result, Scores};
use ndarray::ArrayD;

/// A sample of which some features may be absent.
pub(super) struct Game<'a> {
    function: &'a dyn Scores,
    sample: &'a ArrayD<f64>,
    instead: ArrayD<f64>,
    features: &'a Features,
}

impl<'a> Game<'a> {
    pub(super) fn new(
        function: &'a dyn Scores,
        sample: &'a ArrayD<f64>,
        replacement: &Replacement,
        features: &'a Features,
    ) -> Result<Self> {
        Ok(Self { function, sample, instead: replacement.of(sample)?, features })
    }

    /// The value of each set, in which true features are present.
    pub(super) fn values(&self, sets: &[Vec<bool>]) -> Result<Vec<f64>> {
        let masked =
            |set: &Vec<bool>| self.features.masked(self.sample, &self.instead, |feature| set[feature]);
        // Batches of a pass are cut by the function; these bound what is held at once.
        let mut values = Vec::with_capacity(sets.len());
        for sets in sets.chunks(256) {
            values.extend(self.function.scores(&sets.iter().map(masked).collect::<Vec<_>>())?);
        }
        Ok(values)
    }

    /// The value without any feature and with all.
    pub(super) fn ends(&self) -> Result<[f64; 2]> {
        let count = self.features.count();
        let values = self.values(&[vec![false; count], vec![true; count]])?;
        Ok([values[0], values[1]])
    }
}
