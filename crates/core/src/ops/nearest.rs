//! Interpolation by the nearest cell (rules §5): each output cell is a copy of one input cell.

use super::pieces::movement::{Movement, moved};
use crate::maps::{Axes, BlockMatrix, LinearMap};
use crate::{Context, Error, Operand, Part, Relevance, Result, Tensor};

/// Cell `i` of the output along an axis is cell `sources[i]` of operand 0 along it: r adds R up over the copies.
///
/// The framework decides which cell is copied, not a formula: kernels of one framework differ in how they use a given factor,
/// and in rounding where a position falls between two cells. To find out, apply the operator to the numbers of the cells
/// along the axis, in a tensor with the shape of operand 0.
#[derive(Debug, Clone)]
pub struct Nearest {
    // Matrices of 0 and 1: their transpose is the adjoint of copying, and a product is faster than scattering.
    copies: Axes,
}

impl Nearest {
    /// Copies from an operand of shape `input`: some axes, and the source of each output cell along them.
    ///
    /// # Errors
    /// [`Error::Uncovered`] if an axis or a source lies outside `input`.
    pub fn new(input: &[usize], sources: &[(usize, Vec<usize>)]) -> Result<Self> {
        let matrix = |(axis, sources): &(usize, Vec<usize>)| {
            let extent =
                input.get(*axis).ok_or_else(|| Error::Uncovered(format!("no axis {axis} in {input:?}")))?;
            let rows: Vec<_> = sources.iter().map(|&source| vec![(source, 1.0)]).collect();
            Ok((*axis, BlockMatrix::new(*extent, &rows)?))
        };
        Ok(Self { copies: Axes { matrices: sources.iter().map(matrix).collect::<Result<_>>()? } })
    }
}

impl Movement for Nearest {
    fn back<T: Tensor>(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        _: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        moved(operands, arriving, |relevance, _| {
            relevance.map(|channel| self.copies.adjoint(Part::Signed, channel))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::ops::pieces::testing::check_movement;

    fn copies(x: &Array, axis: usize, sources: &[usize]) -> Array {
        let sources: Vec<i64> = sources.iter().map(|&source| source as i64).collect();
        x.index_select(axis, &x.indices(&sources).unwrap()).unwrap()
    }

    #[test]
    fn copies_give_back_to_their_sources() {
        // Made larger, made smaller, and made larger than one block of the matrix.
        let long: Vec<usize> = (0..150).map(|cell| cell / 30).collect();
        for sources in [vec![0, 0, 0, 1, 1, 3, 4], vec![1, 3], long] {
            let op = Nearest::new(&[2, 5], &[(1, sources.clone())]).unwrap();
            check_movement(&op, &[&[2, 5]], &[], |x| vec![copies(&x[0], 1, &sources)]);
        }
    }

    #[test]
    fn axes_are_copied_together() {
        let (rows, columns) = (vec![0, 0, 1, 1], vec![0, 0, 1, 1, 2, 2]);
        let op = Nearest::new(&[1, 2, 3], &[(1, rows.clone()), (2, columns.clone())]).unwrap();
        check_movement(&op, &[&[1, 2, 3]], &[], |x| vec![copies(&copies(&x[0], 1, &rows), 2, &columns)]);
    }

    #[test]
    fn sources_outside_are_refused() {
        for sources in [(0, vec![3]), (2, vec![0])] {
            assert!(matches!(Nearest::new(&[3, 2], &[sources]), Err(Error::Uncovered(_))));
        }
    }
}
