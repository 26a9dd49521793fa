//! Average pooling of any number of spatial axes (rules §2).

use super::Separable;
use super::pieces::windows::{Sliding, WindowSpan, cells_of_windows, extents};
use crate::maps::{Axes, BlockMatrix};
use crate::{Error, Result};

impl Separable {
    /// Average pooling of x `input` `[…, spatial…]` to `output`; `kernel`, `stride` and `padding` have one number for each spatial
    /// axis. The divisor of an average cancels in the rule, whether it counts padding or not, so each cell of a window weighs 1.
    ///
    /// # Errors
    /// [`Error::Uncovered`] if the arguments do not fit each other.
    pub fn average_pool(
        input: &[usize],
        output: &[usize],
        kernel: &[usize],
        stride: &[usize],
        padding: &[usize],
    ) -> Result<Self> {
        if stride.len() != kernel.len() || padding.len() != kernel.len() {
            let message = format!(
                "average pooling by {kernel:?} has no rule for stride {stride:?} and padding {padding:?}"
            );
            return Err(Error::Uncovered(message));
        }
        let windows = kernel.iter().zip(stride).zip(padding);
        let windows =
            windows.map(|((&kernel, &stride), &padding)| Sliding { kernel, stride, padding, dilation: 1 });
        let along = |((axis, cells, windows), sliding): ((usize, usize, usize), Sliding)| {
            Ok((axis, sums(cells, &sliding.sights(cells, windows)?, windows)?))
        };
        let matrices = extents(input, output, kernel.len())?.into_iter().zip(windows).map(along);
        Ok(Self { axes: Axes { matrices: matrices.collect::<Result<_>>()? } })
    }
}

/// The matrix that sums the cells that each window sees.
pub(super) fn sums(cells: usize, sights: &[WindowSpan], windows: usize) -> Result<BlockMatrix> {
    let row = |cells: &Vec<usize>| cells.iter().map(|&cell| (cell, 1.0)).collect();
    BlockMatrix::new(cells, &cells_of_windows(sights, windows).iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::maps::LinearMap;
    use crate::ops::pieces::testing::{check_weighted_sum, moving, numbers, relevances, values};
    use crate::{BacktraceOp, Context, Part, Tensor, WeightCache};

    /// Averages of one channel `[height, width]`, by the formula.
    fn averages(
        x: &Array,
        output: [usize; 2],
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> Array {
        let (x, mut y) = (x.to_array().unwrap(), ndarray::Array2::zeros(output));
        for ((row, column), y) in y.indexed_iter_mut() {
            for (i, j) in (0..kernel[0]).flat_map(|i| (0..kernel[1]).map(move |j| (i, j))) {
                let cell = (
                    (row * stride[0] + i).wrapping_sub(padding[0]),
                    (column * stride[1] + j).wrapping_sub(padding[1]),
                );
                *y += x.get([cell.0, cell.1]).unwrap_or(&0.0) / (kernel[0] * kernel[1]) as f64;
            }
        }
        Array::new(y.into_dyn())
    }

    #[test]
    fn averages_follow_the_rule() {
        for (output, kernel, stride, padding) in [
            ([2, 3], [2, 2], [2, 2], [0, 0]),
            // Overlapping, padded, and rounded up beyond the last cell.
            ([5, 6], [3, 3], [1, 1], [1, 1]),
            ([3, 3], [2, 3], [2, 3], [0, 1]),
            // One window over all.
            ([1, 1], [5, 6], [5, 6], [0, 0]),
        ] {
            let op = Separable::average_pool(&[5, 6], &output, &kernel, &stride, &padding).unwrap();
            check_weighted_sum(&op, &[5, 6], |x| averages(x, output, kernel, stride, padding));
        }
    }

    #[test]
    fn channels_and_samples_stay_apart() {
        let op = Separable::average_pool(&[2, 3, 4], &[2, 3, 2], &[2], &[2], &[0]).unwrap();
        check_weighted_sum(&op, &[2, 3, 4], |x| x.reshape(&[2, 3, 2, 2]).unwrap().sum(&[3], false).unwrap());
    }

    /// A second of sound must not cost the square of its length.
    #[test]
    fn a_long_axis_is_averaged_in_blocks() {
        let (input, output) = ([1, 48_000], [1, 12_000]);
        let op = Separable::average_pool(&input, &output, &[4], &[4], &[0]).unwrap();
        let x = numbers(&input, 1);
        let sums = op.axes.apply(Part::Signed, &x).unwrap();
        let expected = x.reshape(&[12_000, 4]).unwrap().sum(&[1], false).unwrap();
        crate::ops::pieces::testing::assert_close(&values(&sums), &values(&expected), 1e-14);
    }

    #[test]
    fn arguments_that_do_not_fit_are_refused() {
        assert!(matches!(Separable::average_pool(&[4], &[2], &[2], &[2, 2], &[0]), Err(Error::Uncovered(_))));
        assert!(matches!(
            Separable::average_pool(&[2, 4], &[1, 2], &[2], &[2], &[0]),
            Err(Error::Uncovered(_))
        ));
        let op = Separable::average_pool(&[4], &[2], &[2], &[2], &[0]).unwrap();
        let (weights, outputs) = (WeightCache::new(0), [Some(relevances(&[2])[0].clone())]);
        let result = op.backtrace(&[moving(numbers(&[6], 1))], &outputs, &mut Context::new(&weights));
        assert!(matches!(result, Err(Error::Uncovered(_))));
    }
}
