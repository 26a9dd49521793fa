//! What is perturbed together.

use crate::{Error, Result};
use ndarray::{ArrayD, Dimension, IxDyn};

/// A partition of an input's cells into features, numbered from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Features {
    of: ArrayD<usize>,
    count: usize,
}

impl Features {
    /// Each cell is a feature: the columns of a table, the steps of a series with one channel.
    pub fn cells(shape: &[usize]) -> Self {
        let count = shape.iter().product();
        let of = ArrayD::from_shape_vec(IxDyn(shape), (0..count).collect()).unwrap_or_default();
        Self { of, count }
    }

    /// Squares of `side` × `side` pixels over all channels; the last ones may be smaller. `spatial` names the two axes of the picture. With a
    /// side of 1, these are the pixels.
    ///
    /// # Errors
    /// [`Error::Unfit`] if there are no such axes, or if the side is 0.
    pub fn patches(shape: &[usize], spatial: [usize; 2], side: usize) -> Result<Self> {
        let [Some(&height), Some(&width)] = spatial.map(|axis| shape.get(axis)) else {
            return Err(Error::Unfit(format!("a shape of {shape:?} has no axes {spatial:?} of a picture")));
        };
        if side == 0 {
            return Err(Error::Unfit("a patch of side 0 has no pixels".into()));
        }
        let [rows, columns] = [height, width].map(|extent| extent.div_ceil(side));
        let of = ArrayD::from_shape_fn(IxDyn(shape), |cell| {
            let cell = cell.slice();
            (cell[spatial[0]] / side) * columns + cell[spatial[1]] / side
        });
        Ok(Self { of, count: rows * columns })
    }

    /// Indices along one axis: the tokens of a text, the steps of a series with several channels.
    ///
    /// # Errors
    /// [`Error::Unfit`] if there is no such axis.
    pub fn along(shape: &[usize], axis: usize) -> Result<Self> {
        let &count = shape
            .get(axis)
            .ok_or_else(|| Error::Unfit(format!("a shape of {shape:?} has no axis {axis}")))?;
        Ok(Self { of: ArrayD::from_shape_fn(IxDyn(shape), |cell| cell.slice()[axis]), count })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The feature of each cell.
    pub fn of(&self) -> &ArrayD<usize> {
        &self.of
    }

    /// The sum of `cells` over each feature.
    pub fn sums(&self, cells: &ArrayD<f64>) -> Vec<f64> {
        let mut sums = vec![0.0; self.count];
        self.of.iter().zip(cells).for_each(|(feature, value)| sums[*feature] += value);
        sums
    }

    /// Spreads a value of each feature evenly over its cells, so that [`sums`](Self::sums) gives the values again.
    pub fn spread(&self, values: &[f64]) -> ArrayD<f64> {
        let mut sizes = vec![0_usize; self.count];
        self.of.iter().for_each(|feature| sizes[*feature] += 1);
        self.of.mapv(|feature| values[feature] / sizes[feature] as f64)
    }

    /// `x` where its feature is present, and `instead` elsewhere.
    pub fn masked(
        &self,
        x: &ArrayD<f64>,
        instead: &ArrayD<f64>,
        present: impl Fn(usize) -> bool,
    ) -> ArrayD<f64> {
        let mut masked = x.clone();
        ndarray::Zip::from(&mut masked).and(instead).and(&self.of).for_each(|cell, instead, feature| {
            if !present(*feature) {
                *cell = *instead;
            }
        });
        masked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Axis;

    #[test]
    fn patches_span_the_channels_and_end_at_the_border() -> Result<()> {
        let features = Features::patches(&[1, 2, 3, 5], [2, 3], 2)?;
        assert_eq!(features.count(), 6);
        assert_eq!(features.of().index_axis(Axis(1), 0), features.of().index_axis(Axis(1), 1));
        assert_eq!(features.of()[[0, 0, 2, 4]], 5);
        assert_eq!(features.of()[[0, 1, 1, 1]], 0);
        assert!(
            Features::patches(&[4, 4], [0, 2], 2).is_err() && Features::patches(&[4, 4], [0, 1], 0).is_err()
        );
        Ok(())
    }

    #[test]
    fn what_is_spread_sums_to_what_it_was() -> Result<()> {
        let features = Features::along(&[1, 3, 4], 1)?;
        let values = [1.0, -2.0, 0.5];
        let sums = features.sums(&features.spread(&values));
        assert!(sums.iter().zip(values).all(|(a, b)| (a - b).abs() < 1e-12), "{sums:?}");
        let (x, instead) = (ArrayD::from_elem(IxDyn(&[1, 3, 4]), 1.0), ArrayD::zeros(IxDyn(&[1, 3, 4])));
        assert_eq!(features.sums(&features.masked(&x, &instead, |feature| feature != 1)), [4.0, 0.0, 4.0]);
        Ok(())
    }
}
