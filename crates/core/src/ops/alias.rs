//! Reading memory to which several values were written: in-place writes through views (rules §5).

use super::Rearrange;
use super::pieces::movement::{Movement, volume};
use crate::op::arrived;
use crate::{Context, Error, Operand, Relevance, Result, Tensor};

/// The cells of a buffer that a strided tensor occupies: element `(i, j, …)` lies at
/// `offset + i · strides[0] + j · strides[1] + …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strided {
    /// The cell of the first element.
    pub offset: usize,
    /// The extent of each axis.
    pub shape: Vec<usize>,
    /// The distance between neighbours along each axis, in cells.
    pub strides: Vec<usize>,
}

impl Strided {
    /// The cell of each element, in row-major order.
    fn cells(&self) -> Vec<usize> {
        self.shape.iter().zip(&self.strides).fold(vec![self.offset], |cells, (&extent, &stride)| {
            cells.iter().flat_map(|cell| (0..extent).map(move |index| cell + index * stride)).collect()
        })
    }
}

/// Each operand `k` was written to the cells `sources[k]` of one buffer, later operands over earlier ones. Then the output was
/// read from the cells `target`. Each operand takes the relevance of the cells that still held it; cells that nobody wrote
/// are constants.
#[derive(Debug, Clone)]
pub struct Alias {
    /// Where each operand was written, oldest first.
    pub sources: Vec<Strided>,
    /// Where the output was read.
    pub target: Strided,
}

impl Alias {
    /// For each element of the output, its number among the elements of the operands, or −1 if it is none of them: the numbers
    /// that [`Rearrange`] takes.
    fn numbers(&self) -> Vec<i64> {
        let read = self.target.cells();
        let (Some(&first), Some(&last)) = (read.iter().min(), read.iter().max()) else { return Vec::new() };
        let mut holds = vec![-1; last - first + 1];
        let written = self.sources.iter().flat_map(Strided::cells);
        for (number, cell) in (0_i64..).zip(written) {
            if let Some(held) = cell.checked_sub(first).and_then(|cell| holds.get_mut(cell)) {
                *held = number;
            }
        }
        read.iter().map(|cell| holds[cell - first]).collect()
    }
}

impl Movement for Alias {
    const ALL: bool = true;

    fn back<T: Tensor>(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let fits =
            |(operand, source): (&Operand<T>, &Strided)| volume(&operand.meta.shape) == volume(&source.shape);
        if operands.len() != self.sources.len() || !operands.iter().zip(&self.sources).all(fits) {
            let shapes: Vec<_> = operands.iter().map(|operand| &operand.meta.shape).collect();
            return Err(Error::Uncovered(format!(
                "operands of shapes {shapes:?} do not fill the written cells {:?}",
                self.sources
            )));
        }
        let index = arrived(arriving)?.first().indices(&self.numbers())?;
        Rearrange::new(index).back(operands, arriving, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::ops::pieces::testing::{check_movement, values};
    use proptest::prelude::*;

    /// Up to two axes within a buffer of 24 cells. No cell is taken twice.
    fn strided() -> impl Strategy<Value = Strided> {
        (0_usize..4, prop::collection::vec(1_usize..4, 0..3), 1_usize..3, any::<bool>()).prop_map(
            |(offset, shape, step, reversed)| {
                let mut strides = vec![step; shape.len()];
                if let [outer, inner] = shape[..] {
                    strides = if reversed { vec![step, step * outer] } else { vec![step * inner, step] };
                }
                Strided { offset, shape, strides }
            },
        )
    }

    /// The position of each element, index by index.
    fn visit(layout: &Strided, mut at: impl FnMut(usize)) {
        let mut index = vec![0; layout.shape.len()];
        for _ in 0..layout.shape.iter().product() {
            at(layout.offset
                + index.iter().zip(&layout.strides).map(|(i, stride)| i * stride).sum::<usize>());
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                if index[axis] < layout.shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
    }

    fn write_then_read(x: &[Array], op: &Alias) -> Array {
        let mut buffer = [0.0; 24];
        for (x, source) in x.iter().zip(&op.sources) {
            let mut values = values(x).into_iter();
            visit(source, |cell| buffer[cell] = values.next().unwrap());
        }
        let mut read = Vec::new();
        visit(&op.target, |cell| read.push(buffer[cell]));
        Array::from_slice(&op.target.shape, &read)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn the_last_to_write_a_cell_takes_what_is_read_from_it(
            sources in prop::collection::vec(strided(), 1..4), target in strided()
        ) {
            let op = Alias { sources, target };
            let shapes: Vec<&[usize]> = op.sources.iter().map(|source| source.shape.as_slice()).collect();
            check_movement(&op, &shapes, &[], |x| vec![write_then_read(x, &op)]);
        }
    }

    #[test]
    fn a_write_far_from_the_target_takes_no_memory() {
        let far = Strided { offset: usize::MAX / 2, shape: vec![1], strides: vec![1] };
        let near = Strided { offset: usize::MAX / 2 + 2, shape: vec![2], strides: vec![1] };
        assert_eq!(Alias { sources: vec![far, near.clone()], target: near }.numbers(), [1, 2]);
    }

    #[test]
    fn an_empty_read_is_empty() {
        let empty = Strided { offset: 3, shape: vec![0], strides: vec![1] };
        assert!(Alias { sources: vec![empty.clone()], target: empty }.numbers().is_empty());
    }
}
