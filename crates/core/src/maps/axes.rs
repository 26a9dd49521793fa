//! Separable maps: one matrix along each of some axes. Averages, adaptive pooling and interpolation have this form.

use super::{BlockMatrix, LinearMap};
use crate::{Part, Result, Tensor};

/// x ↦ (A₁ ⊗ A₂ ⊗ …) x, with Aₖ `[out, in]` acting along axis k.
#[derive(Debug, Clone)]
pub struct Axes {
    /// The axes and their matrices.
    pub matrices: Vec<(usize, BlockMatrix)>,
}

impl Axes {
    fn run<T: Tensor>(&self, part: Part, x: &T, transposed: bool) -> Result<T> {
        let signed = self.matrices.iter().any(|(_, matrix)| matrix.has_negative());
        match part {
            Part::Signed => self.along(x, transposed, BlockMatrix::clone),
            Part::Abs | Part::Positive if !signed => self.along(x, transposed, BlockMatrix::clone),
            // |A ⊗ B| = |A| ⊗ |B|, and so for squares and ones.
            Part::Abs | Part::Square | Part::Ones => {
                self.along(x, transposed, |matrix| matrix.map(|entry| part.of_entry(entry)))
            }
            Part::Positive => Ok(self.signs(x, transposed)?.0),
            Part::Negative if signed => Ok(self.signs(x, transposed)?.1),
            Part::Negative => {
                let mut shape = x.shape();
                for (axis, matrix) in &self.matrices {
                    if let Some(extent) = shape.get_mut(*axis) {
                        *extent = matrix.extent(transposed);
                    }
                }
                x.zeros(&shape)
            }
        }
    }

    fn along<T: Tensor>(
        &self,
        x: &T,
        transposed: bool,
        part: impl Fn(&BlockMatrix) -> BlockMatrix,
    ) -> Result<T> {
        self.matrices
            .iter()
            .try_fold(x.clone(), |x, (axis, matrix)| part(matrix).along(&x, *axis, transposed))
    }

    /// (A ⊗ B)⁺ = A⁺⊗B⁺ + A⁻⊗B⁻ and (A ⊗ B)⁻ = A⁺⊗B⁻ + A⁻⊗B⁺: both signs are computed together.
    fn signs<T: Tensor>(&self, x: &T, transposed: bool) -> Result<(T, T)> {
        let start = (x.clone(), x.zeros(&x.shape())?);
        self.matrices.iter().try_fold(start, |(up, down), (axis, matrix)| {
            let positive = matrix.map(|entry| entry.max(0.0));
            let negative = matrix.map(|entry| (-entry).max(0.0));
            let go = |matrix: &BlockMatrix, x: &T| matrix.along(x, *axis, transposed);
            Ok((
                go(&positive, &up)?.add(&go(&negative, &down)?)?,
                go(&positive, &down)?.add(&go(&negative, &up)?)?,
            ))
        })
    }
}

impl<T: Tensor> LinearMap<T> for Axes {
    fn apply(&self, part: Part, x: &T) -> Result<T> {
        self.run(part, x, false)
    }

    fn adjoint(&self, part: Part, y: &T) -> Result<T> {
        self.run(part, y, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use ndarray::{Array1, Array2};

    /// A 2 × 3 matrix along axis 0 and a 3 × 2 matrix along axis 1, both with entries of both signs.
    fn axes() -> Axes {
        let rows = |width: usize, entries: &[f64]| -> Vec<Vec<(usize, f64)>> {
            entries.chunks(width).map(|row| row.iter().copied().enumerate().collect()).collect()
        };
        let first = BlockMatrix::new(3, &rows(3, &[1.0, -2.0, 0.5, -1.0, 3.0, 0.0])).unwrap();
        let second = BlockMatrix::new(2, &rows(2, &[2.0, -1.0, 0.5, 1.5, -1.0, -1.0])).unwrap();
        Axes { matrices: vec![(0, first), (1, second)] }
    }

    /// The whole matrix `[6, 6]` of a part, by its action on the unit tensors.
    fn matrix(part: Part, transposed: bool) -> Array2<f64> {
        let (from, axes) = (if transposed { [2, 3] } else { [3, 2] }, axes());
        let mut matrix = Array2::zeros((6, 6));
        for at in 0..6 {
            let mut unit = [0.0; 6];
            unit[at] = 1.0;
            let unit = Array::from_slice(&from, &unit);
            let y = if transposed { axes.adjoint(part, &unit) } else { axes.apply(part, &unit) };
            matrix.column_mut(at).assign(&Array1::from_iter(y.unwrap().to_array().unwrap()));
        }
        matrix
    }

    #[test]
    fn parts_are_those_of_the_whole_matrix_and_adjoints_their_transposes() {
        let signed = matrix(Part::Signed, false);
        for (part, expected) in [
            (Part::Signed, signed.clone()),
            (Part::Abs, signed.mapv(f64::abs)),
            (Part::Positive, signed.mapv(|entry| entry.max(0.0))),
            (Part::Negative, signed.mapv(|entry| (-entry).max(0.0))),
            (Part::Square, signed.mapv(|entry| entry * entry)),
            (Part::Ones, signed.mapv(|entry| if entry == 0.0 { 0.0 } else { 1.0 })),
        ] {
            assert_eq!(matrix(part, false), expected);
            assert_eq!(matrix(part, true), expected.reversed_axes());
        }
    }

    #[test]
    fn a_map_without_negative_entries_has_no_negative_part() {
        let axes = Axes { matrices: vec![(1, BlockMatrix::new(2, &[vec![(0, 1.0), (1, 2.0)]]).unwrap())] };
        let x = Array::from_slice(&[2, 2], &[1.0, 2.0, 3.0, 4.0]);
        let apply = |part| axes.apply(part, &x).unwrap();
        assert_eq!(apply(Part::Positive), apply(Part::Signed));
        assert_eq!(apply(Part::Negative), Array::from_slice(&[2, 1], &[0.0, 0.0]));
    }
}
