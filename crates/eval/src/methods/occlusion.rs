//! Occlusion (Zeiler and Fergus 2014, arXiv 1311.2901); of columns or tokens it is called leaving one out.

use super::Method;
use crate::{Features, Replacement, Result, Scores};
use ndarray::ArrayD;

/// What the function loses if a feature is taken away: f(x) − f(x without it).
#[derive(Debug, Clone)]
pub struct Occlusion {
    /// What stands in its place.
    pub replacement: Replacement,
}

impl Method for Occlusion {
    fn name(&self) -> String {
        "occlusion".into()
    }

    fn attribute(
        &self,
        function: &dyn Scores,
        sample: &ArrayD<f64>,
        features: &Features,
    ) -> Result<ArrayD<f64>> {
        let instead = self.replacement.of(sample)?;
        let without = |gone: usize| features.masked(sample, &instead, |feature| feature != gone);
        let samples: Vec<ArrayD<f64>> =
            std::iter::once(sample.clone()).chain((0..features.count()).map(without)).collect();
        let scores = function.scores(&samples)?;
        let (whole, rest) = scores.split_first().map_or((0.0, &[][..]), |(whole, rest)| (*whole, rest));
        Ok(features.spread(&rest.iter().map(|score| whole - score).collect::<Vec<f64>>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::tests::{Function, row};

    #[test]
    fn a_linear_function_loses_its_terms() -> Result<()> {
        let found = Occlusion { replacement: Replacement::Value(1.0) }.attribute(
            &Function::linear(&[2.0, -1.0, 0.5]),
            &row(&[3.0, 4.0, 1.0]),
            &Features::cells(&[1, 3]),
        )?;
        assert_eq!(found, row(&[4.0, -3.0, 0.0]));
        Ok(())
    }
}
