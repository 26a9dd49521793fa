//! Interpolation along the last axes: linear, bilinear, trilinear, bicubic (rules §2).

use super::Separable;
use super::pieces::windows::extents;
use crate::maps::{Axes, BlockMatrix};
use crate::{Error, Result};

/// How an axis is resampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interpolation {
    /// Between two neighbours.
    Linear,
    /// Between four, by the cubic convolution with A = −0.75 (−0.5 with antialiasing).
    Cubic,
}

/// How the positions of samples follow from the extents of input and output.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sampling {
    /// Whether the centres of the first and last cells coincide, instead of the edges.
    pub align_corners: bool,
    /// Whether the samples of a smaller output average over the cells between.
    pub antialias: bool,
    /// The requested factor output / input along each spatial axis, if any; it replaces the ratio of the extents.
    pub scales: Vec<Option<f64>>,
}

impl Separable {
    /// Interpolation of x `input` `[…, spatial…]` to `output`, with as many spatial axes as `sampling` has scales.
    ///
    /// # Errors
    /// [`Error::Uncovered`] if the shapes differ in other axes, or an extent is 0.
    pub fn interpolate(
        input: &[usize],
        output: &[usize],
        interpolation: Interpolation,
        sampling: &Sampling,
    ) -> Result<Self> {
        let along = |((axis, from, to), scale): ((usize, usize, usize), &Option<f64>)| {
            if from == 0 {
                return Err(Error::Uncovered(format!(
                    "axis {axis} of shape {input:?} has nothing to interpolate"
                )));
            }
            let step = step(from, to, *scale, sampling.align_corners);
            let row = |index| match interpolation {
                _ if sampling.antialias => averaged(index, step, from, interpolation),
                // As in ATen: an unchanged extent is copied, even if the requested factor is not 1.
                Interpolation::Linear if from == to => vec![(index, 1.0)],
                _ => sampled(index, step, from, interpolation, sampling.align_corners),
            };
            Ok((axis, BlockMatrix::new(from, &(0..to).map(row).collect::<Vec<_>>())?))
        };
        let matrices =
            extents(input, output, sampling.scales.len())?.into_iter().zip(&sampling.scales).map(along);
        Ok(Self { axes: Axes { matrices: matrices.collect::<Result<_>>()? } })
    }
}

/// The number of cells from one sample to the next.
fn step(from: usize, to: usize, scale: Option<f64>, align_corners: bool) -> f64 {
    match (align_corners, scale) {
        (true, _) if to <= 1 => 0.0,
        (true, _) => (from - 1) as f64 / (to - 1) as f64,
        (false, Some(scale)) if scale > 0.0 => 1.0 / scale,
        (false, _) => from as f64 / to as f64,
    }
}

/// The weights of a sample between cells. Cells beyond an edge count as the cell at the edge.
fn sampled(
    index: usize,
    step: f64,
    extent: usize,
    interpolation: Interpolation,
    align_corners: bool,
) -> Vec<(usize, f64)> {
    let position = if align_corners { index as f64 * step } else { (index as f64 + 0.5) * step - 0.5 };
    let last = extent as f64 - 1.0;
    let position = match interpolation {
        Interpolation::Linear => position.max(0.0),
        Interpolation::Cubic => position,
    };
    let cell = position.floor().min(last);
    let between = (position - cell).clamp(0.0, 1.0);
    let weights = match interpolation {
        Interpolation::Linear => vec![(0.0, 1.0 - between), (1.0, between)],
        Interpolation::Cubic => {
            (-1..=2).map(|offset| (f64::from(offset), cubic(between - f64::from(offset), -0.75))).collect()
        }
    };
    weights.into_iter().map(|(offset, weight)| ((cell + offset).clamp(0.0, last) as usize, weight)).collect()
}

/// The weights of a sample as wide as the distance to the next sample; they sum to 1.
fn averaged(index: usize, step: f64, extent: usize, interpolation: Interpolation) -> Vec<(usize, f64)> {
    let width = step.max(1.0);
    let (reach, kernel): (f64, fn(f64) -> f64) = match interpolation {
        Interpolation::Linear => (width, |distance| (1.0 - distance.abs()).max(0.0)),
        Interpolation::Cubic => (2.0 * width, |distance| cubic(distance, -0.5)),
    };
    let centre = (index as f64 + 0.5) * step;
    let first = (centre - reach + 0.5).max(0.0) as usize;
    let end = ((centre + reach + 0.5).max(0.0) as usize).min(extent);
    let weights: Vec<(usize, f64)> =
        (first..end).map(|cell| (cell, kernel((cell as f64 + 0.5 - centre) / width))).collect();
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    weights.into_iter().map(|(cell, weight)| (cell, weight / total)).collect()
}

/// Keys' cubic convolution kernel.
fn cubic(distance: f64, a: f64) -> f64 {
    let x = distance.abs();
    if x < 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        a * (((x - 5.0) * x + 8.0) * x - 4.0)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::Interpolation::{Cubic, Linear};
    use super::*;
    use crate::array::Array;
    use crate::maps::LinearMap;
    use crate::ops::pieces::testing::{assert_close, check_weighted_sum, numbers, values};
    use crate::{Part, Tensor};

    /// Kind, align_corners, antialias, scale, rows of the matrix.
    type Case = (Interpolation, bool, bool, Option<f64>, &'static [&'static [f64]]);

    /// Rows of the matrices as PyTorch 2.13 gives them:
    /// ```python
    /// x = torch.eye(columns, dtype=torch.float64)[:, None, None, :]
    /// F.interpolate(x, size=(1, rows), mode=mode, align_corners=…, antialias=…)[:, 0, 0, :].T
    /// # or scale_factor=(1.0, scale), recompute_scale_factor=False in place of size
    /// ```
    #[rustfmt::skip]
    const TORCH: &[Case] = &[
        (Linear, false, false, None, &[&[1.0, 0.0, 0.0], &[0.6, 0.4, 0.0], &[0.0, 1.0, 0.0], &[0.0, 0.4, 0.6], &[0.0, 0.0, 1.0]]),
        (Linear, true, false, None, &[&[1.0, 0.0, 0.0, 0.0], &[0.0, 0.5, 0.5, 0.0], &[0.0, 0.0, 0.0, 1.0]]),
        (Linear, true, false, None, &[&[1.0, 0.0, 0.0]]),
        (Linear, false, false, Some(1.7), &[&[1.0, 0.0, 0.0], &[0.617647058823529, 0.382352941176471, 0.0], &[0.029411764705882, 0.970588235294118, 0.0], &[0.0, 0.441176470588235, 0.558823529411765], &[0.0, 0.0, 1.0]]),
        (Linear, false, false, Some(1.1), &[&[1.0, 0.0, 0.0], &[0.0, 1.0, 0.0], &[0.0, 0.0, 1.0]]),
        (Cubic, false, false, None, &[&[1.086805555555556, -0.086805555555555, 0.0, 0.0], &[0.5, 0.59375, -0.09375, 0.0], &[-0.086805555555556, 0.943287037037037, 0.16087962962963, -0.017361111111111], &[-0.017361111111111, 0.16087962962963, 0.943287037037037, -0.086805555555555], &[0.0, -0.09375, 0.59375, 0.5], &[0.0, 0.0, -0.086805555555556, 1.086805555555556]]),
        (Cubic, true, false, None, &[&[1.0, 0.0, 0.0, 0.0], &[-0.09375, 0.59375, 0.59375, -0.09375], &[0.0, 0.0, 0.0, 1.0]]),
        (Cubic, false, false, Some(1.1), &[&[1.031062171299775, -0.031062171299775, 0.0], &[0.114951164537942, 0.961330766341097, -0.076281930879039], &[-0.029935199098422, 0.233259767092412, 0.796675432006011]]),
        (Linear, false, true, None, &[&[0.318181818181818, 0.409090909090909, 0.227272727272727, 0.045454545454545, 0.0], &[0.0, 0.045454545454545, 0.227272727272727, 0.409090909090909, 0.318181818181818]]),
        (Linear, true, true, None, &[&[1.0, 0.0], &[0.75, 0.25], &[0.25, 0.75]]),
        (Cubic, false, true, None, &[&[0.584615384615385, 0.446153846153846, 0.0, -0.030769230769231, 0.0], &[-0.037209302325581, 0.246511627906977, 0.581395348837209, 0.246511627906977, -0.037209302325581], &[0.0, -0.030769230769231, 0.0, 0.446153846153846, 0.584615384615385]]),
        (Cubic, true, true, None, &[&[1.088235294117647, -0.088235294117647], &[0.792857142857143, 0.207142857142857], &[0.207142857142857, 0.792857142857143]]),
        (Linear, false, true, Some(0.45), &[&[0.376623376623377, 0.428571428571429, 0.194805194805195, 0.0, 0.0], &[0.0, 0.079545454545455, 0.284090909090909, 0.420454545454545, 0.215909090909091]]),
    ];

    fn sampling(align_corners: bool, antialias: bool, scale: Option<f64>) -> Sampling {
        Sampling { align_corners, antialias, scales: vec![scale] }
    }

    #[test]
    fn matrices_are_those_of_torch() {
        for &(interpolation, align_corners, antialias, scale, rows) in TORCH {
            let (from, to) = (rows[0].len(), rows.len());
            let sampling = sampling(align_corners, antialias, scale);
            let op = Separable::interpolate(&[from, from], &[from, to], interpolation, &sampling).unwrap();
            let unit = Array::new(ndarray::Array2::eye(from).into_dyn());
            let matrix = op.axes.apply(Part::Signed, &unit).unwrap().transpose().unwrap();
            assert_close(&values(&matrix), &rows.concat(), 1e-13);
        }
    }

    #[test]
    fn samples_follow_the_rule() {
        for (interpolation, antialias) in [(Linear, false), (Cubic, false), (Cubic, true)] {
            let sampling = Sampling { align_corners: false, antialias, scales: vec![None, None] };
            let op = Separable::interpolate(&[2, 4, 3], &[2, 3, 5], interpolation, &sampling).unwrap();
            check_weighted_sum(&op, &[2, 4, 3], |x| op.axes.apply(Part::Signed, x).unwrap());
        }
    }

    /// A long signal must not cost the square of its length: a constant stays constant.
    #[test]
    fn a_long_axis_is_sampled_in_blocks() {
        let op =
            Separable::interpolate(&[1, 16_000], &[1, 48_000], Cubic, &sampling(false, false, None)).unwrap();
        let sampled =
            op.axes.apply(Part::Signed, &numbers(&[1], 1).full(&[1, 16_000], 2.0).unwrap()).unwrap();
        assert_close(&values(&sampled), &vec![2.0; 48_000], 1e-14);
    }

    #[test]
    fn nothing_cannot_be_interpolated() {
        let sampled = Separable::interpolate(&[1, 0], &[1, 2], Linear, &sampling(false, false, None));
        assert!(matches!(sampled, Err(Error::Uncovered(_))));
    }
}
