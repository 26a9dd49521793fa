//! Average pooling to a given number of windows (rules §2).

use super::Separable;
use super::average_pool::sums;
use super::pieces::windows::{adaptive, extents};
use crate::Result;
use crate::maps::Axes;

impl Separable {
    /// Average pooling of x `input` `[…, spatial…]` to the windows of `output`, which divide the last `spatial` axes among them:
    /// along each axis, window `o` of `out` sees the cells from ⌊o·in/out⌋ to below ⌈(o+1)·in/out⌉.
    ///
    /// # Errors
    /// [`Error::Uncovered`](crate::Error::Uncovered) if the shapes differ in other axes.
    pub fn adaptive_average_pool(input: &[usize], output: &[usize], spatial: usize) -> Result<Self> {
        let along = |(axis, cells, windows)| Ok((axis, sums(cells, &adaptive(cells, windows)?, windows)?));
        let matrices = extents(input, output, spatial)?.into_iter().map(along);
        Ok(Self { axes: Axes { matrices: matrices.collect::<Result<_>>()? } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;
    use crate::array::Array;
    use crate::ops::pieces::testing::check_weighted_sum;
    use ndarray::{Axis, Slice};

    /// Means along the last axis, by the formula.
    fn means(x: &Array, windows: usize) -> Array {
        let x = x.to_array().unwrap();
        let cells = x.len_of(Axis(1));
        let means: Vec<f64> = x
            .outer_iter()
            .flat_map(|row| {
                let mean = move |window: usize| {
                    let (start, end) = (window * cells / windows, ((window + 1) * cells).div_ceil(windows));
                    row.slice_axis(Axis(0), Slice::from(start..end)).mean().unwrap()
                };
                (0..windows).map(mean).collect::<Vec<_>>()
            })
            .collect();
        Array::from_slice(&[x.len_of(Axis(0)), windows], &means)
    }

    #[test]
    fn averages_follow_the_rule() {
        // Dividing, overlapping, one, all, and more windows than cells.
        for (cells, windows) in [(6, 3), (7, 3), (5, 1), (4, 4), (3, 5)] {
            let op = Separable::adaptive_average_pool(&[2, cells], &[2, windows], 1).unwrap();
            check_weighted_sum(&op, &[2, cells], |x| means(x, windows));
        }
    }

    #[test]
    fn two_axes_are_pooled_together() {
        let op = Separable::adaptive_average_pool(&[2, 3, 4], &[2, 1, 1], 2).unwrap();
        check_weighted_sum(&op, &[2, 3, 4], |x| x.sum(&[1, 2], true).unwrap());
    }
}
