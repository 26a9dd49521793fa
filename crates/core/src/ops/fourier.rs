//! Discrete Fourier transforms along one axis (rules §2): weighted sums of real and imaginary parts by the matrix of sines and
//! cosines.

use super::{MatMul, exactly};
use crate::op::arrived;
use crate::{BacktraceOp, Context, Error, Family, Operand, Relevance, Result, Role, Tensor, ValueId};
use ndarray::{ArrayView, IxDyn};
use std::f64::consts::FRAC_PI_2;

/// The kind of numbers before and after a transform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transform {
    /// From real numbers to the whole spectrum, or to the half that determines the rest.
    FromReal {
        /// Whether it gives only the half.
        one_sided: bool,
    },
    /// From complex numbers to complex numbers.
    Between {
        /// Whether it goes to the spectrum; otherwise it goes back.
        forward: bool,
    },
    /// From the half of a spectrum that determines the rest back to real numbers.
    ToReal,
}

/// y_k = f · Σⱼ x_j e^(∓2πi jk / n), − to a spectrum and + back. Operand: x. If x is complex, its last axis holds real and
/// imaginary parts; the same holds for y.
#[derive(Debug, Clone)]
pub struct Fourier {
    /// The kind of numbers before and after.
    pub transform: Transform,
    /// The axis of the transform, which is not that of the parts.
    pub axis: usize,
    /// n
    pub points: usize,
    /// f
    pub factor: f64,
}

/// The most numbers in a matrix: those between 4096 complex numbers.
const LIMIT: usize = 1 << 26;

impl Fourier {
    /// y
    ///
    /// # Errors
    /// [`Error::Tensor`] if the shape does not fit.
    pub fn apply<T: Tensor>(&self, x: &T) -> Result<T> {
        let shape = x.shape();
        let rows = self.rows(x, self.of_complex())?;
        let made = rows.matmul(&self.matrix(x)?)?;
        let mut to = shape[..shape.len() - usize::from(self.of_complex())].to_vec();
        to[self.axis] = self.frequencies().1;
        to.extend(self.to_complex().then_some(2));
        self.back(&made, &to, self.to_complex())
    }

    fn of_complex(&self) -> bool {
        !matches!(self.transform, Transform::FromReal { .. })
    }

    /// Whether the result is complex.
    pub fn to_complex(&self) -> bool {
        self.transform != Transform::ToReal
    }

    /// Why the transform has no rule, if it is too long.
    pub(crate) fn too_long(&self) -> Option<&'static str> {
        let [rows, columns] = self.extents();
        (rows.max(columns).pow(2) > LIMIT)
            .then_some("a Fourier transform has a rule only up to 4096 points, and this one is longer")
    }

    /// The number of frequencies or points that it reads and makes along the axis.
    fn frequencies(&self) -> (usize, usize) {
        let half = self.points / 2 + 1;
        match self.transform {
            Transform::FromReal { one_sided: true } => (self.points, half),
            Transform::ToReal => (half, self.points),
            _ => (self.points, self.points),
        }
    }

    /// The extents of the matrix, in which real and imaginary parts follow one another.
    fn extents(&self) -> [usize; 2] {
        let (from, to) = self.frequencies();
        [from << usize::from(self.of_complex()), to << usize::from(self.to_complex())]
    }

    /// A tensor with the axis last, and along it real parts beside imaginary parts.
    fn rows<T: Tensor>(&self, x: &T, complex: bool) -> Result<T> {
        let (order, shape) = self.turned(&x.shape(), complex);
        let lead = shape.len() - 1 - usize::from(complex);
        let units = shape[lead..].iter().product();
        x.permute(&order)?.reshape(&[&shape[..lead], &[units]].concat())
    }

    /// Turns rows back into a tensor of the given shape.
    fn back<T: Tensor>(&self, rows: &T, shape: &[usize], complex: bool) -> Result<T> {
        let (order, turned) = self.turned(shape, complex);
        let mut inverse = vec![0; order.len()];
        order.iter().enumerate().for_each(|(place, &axis)| inverse[axis] = place);
        rows.reshape(&turned)?.permute(&inverse)
    }

    /// The order of axes that puts the axis of the transform last, except for that of the parts; and the extents in that order.
    fn turned(&self, shape: &[usize], complex: bool) -> (Vec<usize>, Vec<usize>) {
        let mut order: Vec<usize> = (0..shape.len()).collect();
        let end = shape.len() - usize::from(complex);
        order[self.axis..end].rotate_left(1);
        let turned = order.iter().map(|&axis| shape[axis]).collect();
        (order, turned)
    }

    /// The matrix that multiplies rows, as a tensor like x.
    fn matrix<T: Tensor>(&self, x: &T) -> Result<T> {
        let (from, to) = self.frequencies();
        let [rows, columns] = self.extents();
        let angles: Vec<(f64, f64)> = (0..self.points).map(|part| of_circle(part, self.points)).collect();
        let forward = !matches!(self.transform, Transform::Between { forward: false } | Transform::ToReal);
        let sign = if forward { -1.0 } else { 1.0 };
        let mut matrix = vec![0.0; rows * columns];
        for j in 0..from {
            for k in 0..to {
                let (cosine, sine) = angles[j * k % self.points];
                // (a + ib)(c + is) = (ac − bs) + i(as + bc)
                let (c, s) = (self.factor * cosine, self.factor * sign * sine);
                match self.transform {
                    Transform::FromReal { .. } => {
                        matrix[j * columns + 2 * k] = c;
                        matrix[j * columns + 2 * k + 1] = s;
                    }
                    Transform::Between { .. } => {
                        matrix[2 * j * columns + 2 * k] = c;
                        matrix[2 * j * columns + 2 * k + 1] = s;
                        matrix[(2 * j + 1) * columns + 2 * k] = -s;
                        matrix[(2 * j + 1) * columns + 2 * k + 1] = c;
                    }
                    Transform::ToReal => {
                        // Each frequency also stands for its mirror image.
                        let mirrored = if j == 0 || 2 * j == self.points { 1.0 } else { 2.0 };
                        matrix[2 * j * columns + k] = mirrored * c;
                        matrix[(2 * j + 1) * columns + k] = -mirrored * s;
                    }
                }
            }
        }
        let matrix = ArrayView::from_shape(IxDyn(&[rows, columns]), &matrix);
        x.floats(matrix.map_err(|error| Error::tensor("the matrix of a Fourier transform", error))?)
    }
}

/// Cosine and sine of `part` out of `parts` equal parts of a circle, exact on the axes and symmetric in all octants.
fn of_circle(part: usize, parts: usize) -> (f64, f64) {
    let (quarter, rest) = (4 * part / parts, 4 * part % parts);
    let angle = |rest: usize| FRAC_PI_2 * (rest as f64 / parts as f64);
    let (cosine, sine) = if 2 * rest > parts {
        (angle(parts - rest).sin(), angle(parts - rest).cos())
    } else {
        (angle(rest).cos(), angle(rest).sin())
    };
    match quarter {
        0 => (cosine, sine),
        1 => (-sine, cosine),
        2 => (-cosine, -sine),
        _ => (sine, -cosine),
    }
}

impl<T: Tensor> BacktraceOp<T> for Fourier {
    fn family(&self) -> Family {
        if self.too_long().is_some() { Family::Unruled } else { Family::WeightedSum }
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Fourier { transform: self.transform, axis: self.axis, points: self.points }
    }

    fn uncovered(&self) -> Option<&str> {
        self.too_long()
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let [x] = exactly(operands)?;
        let rows = x.holding(self.rows(x.data()?, self.of_complex())?);
        let matrix = Operand::new(ValueId(usize::MAX), self.matrix(x.data()?)?);
        let relevance = arrived(arriving)?.map_conserving(|channel| self.rows(channel, self.to_complex()))?;
        let product = MatMul { transposed: false };
        let share = product.backtrace(&[rows, matrix], &[Some(relevance)], context)?.swap_remove(0);
        let back = |share: Relevance<T>| {
            share.map_conserving(|channel| self.back(channel, &x.meta.shape, self.of_complex()))
        };
        Ok(vec![share.map(back).transpose()?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::ops::pieces::testing::{assert_close, check_weighted_sum, numbers, values};
    use std::f64::consts::PI;

    const FROM: Transform = Transform::FromReal { one_sided: false };
    const HALF: Transform = Transform::FromReal { one_sided: true };
    const FORWARD: Transform = Transform::Between { forward: true };
    const BACK: Transform = Transform::Between { forward: false };

    /// The sums for x `[2, n, parts]` along axis 1, written out.
    fn written_out(transform: Transform, points: usize, factor: f64, x: &Array) -> Vec<f64> {
        let x = x.to_array().unwrap();
        let (forward, half) = (transform != BACK && transform != Transform::ToReal, points / 2 + 1);
        let count = if transform == HALF { half } else { points };
        let mut found = Vec::new();
        for sample in 0..2 {
            // The other half of a half spectrum is its mirror image, conjugated.
            let at = |j: usize| match (transform, x.ndim()) {
                (Transform::ToReal, _) if j == 0 || 2 * j == points => (x[[sample, j, 0]], 0.0),
                (Transform::ToReal, _) if j >= half => {
                    (x[[sample, points - j, 0]], -x[[sample, points - j, 1]])
                }
                (_, 2) => (x[[sample, j]], 0.0),
                _ => (x[[sample, j, 0]], x[[sample, j, 1]]),
            };
            for k in 0..count {
                let (mut real, mut imaginary) = (0.0, 0.0);
                for j in 0..points {
                    let angle = 2.0 * PI * (j * k) as f64 / points as f64 * if forward { -1.0 } else { 1.0 };
                    let (a, b) = at(j);
                    real += factor * (a * angle.cos() - b * angle.sin());
                    imaginary += factor * (a * angle.sin() + b * angle.cos());
                }
                found.push(real);
                found.extend((transform != Transform::ToReal).then_some(imaginary));
            }
        }
        found
    }

    #[test]
    fn the_transform_is_the_sum_written_out() {
        for points in [1, 2, 5, 8, 12] {
            for transform in [FROM, HALF, FORWARD, BACK, Transform::ToReal] {
                let fourier = Fourier { transform, axis: 1, points, factor: 0.5 };
                let shape = match transform {
                    Transform::FromReal { .. } => vec![2, points],
                    Transform::ToReal => vec![2, points / 2 + 1, 2],
                    Transform::Between { .. } => vec![2, points, 2],
                };
                let x = numbers(&shape, 1);
                let found = values(&fourier.apply(&x).unwrap());
                assert_close(&found, &written_out(transform, points, 0.5, &x), 1e-13);
            }
        }
    }

    #[test]
    fn relevance_goes_by_the_matrix() {
        for (axis, shape) in [(0, [4, 3, 2]), (1, [3, 4, 2])] {
            for transform in [FORWARD, BACK] {
                let fourier = Fourier { transform, axis, points: 4, factor: 1.0 };
                check_weighted_sum(&fourier, &shape, |x| fourier.apply(x).unwrap());
            }
            let half = Fourier { transform: Transform::ToReal, axis, points: 6, factor: 1.0 };
            check_weighted_sum(&half, &shape, |x| half.apply(x).unwrap());
            let from = Fourier { transform: HALF, axis, points: 4, factor: 1.0 };
            check_weighted_sum(&from, &shape, |x| from.apply(x).unwrap());
        }
    }

    #[test]
    fn long_ones_have_no_rule() {
        let family = |points| {
            BacktraceOp::<Array>::family(&Fourier { transform: FORWARD, axis: 0, points, factor: 1.0 })
        };
        assert_eq!([family(4096), family(4097)], [Family::WeightedSum, Family::Unruled]);
    }
}
