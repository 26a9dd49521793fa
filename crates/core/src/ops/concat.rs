//! Concatenation: cat, stack (rules §5).

use super::pieces::movement::Movement;
use crate::op::arrived;
use crate::{Context, Error, Operand, Range, Relevance, Result, Tensor};

/// Any number of operands, one after the other along an axis; each takes its part of R.
#[derive(Debug, Clone, Copy)]
pub struct Concat {
    /// The axis of the output.
    pub axis: usize,
    /// Whether the operands lack the axis: stack instead of cat.
    pub new_axis: bool,
}

impl Concat {
    /// The number of indices along the axis that the operand fills.
    fn extent<T>(&self, operand: &Operand<T>, rank: usize) -> Result<usize> {
        let shape = &operand.meta.shape;
        match shape.as_slice() {
            _ if self.new_axis && shape.len() + 1 == rank => Ok(1),
            // cat allows an empty vector among operands of any rank.
            [0] => Ok(0),
            _ if !self.new_axis && shape.len() == rank && self.axis < rank => Ok(shape[self.axis]),
            _ => Err(Error::Uncovered(format!(
                "an operand of shape {shape:?} does not fit an output with {rank} axes"
            ))),
        }
    }
}

impl Movement for Concat {
    const ALL: bool = true;

    fn back<T: Tensor>(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        _: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let relevance = arrived(arriving)?;
        let shape = relevance.shape();
        let extents =
            operands.iter().map(|operand| self.extent(operand, shape.len())).collect::<Result<Vec<_>>>()?;
        if shape.get(self.axis) != Some(&extents.iter().sum()) {
            let (axis, extents) = (self.axis, extents);
            return Err(Error::Uncovered(format!(
                "parts {extents:?} do not fill axis {axis} of the output {shape:?}"
            )));
        }
        let mut region = Range::whole(&shape);
        let mut start = 0;
        operands
            .iter()
            .zip(extents)
            .map(|(operand, extent)| {
                region[self.axis] = Range::span(start, extent);
                start += extent;
                relevance.map(|channel| channel.slice(&region)?.reshape(&operand.meta.shape)).map(Some)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BacktraceOp;
    use crate::WeightCache;
    use crate::array::Array;
    use crate::ops::pieces::testing::{check_movement, relevances, shape_only};

    #[test]
    fn each_operand_takes_its_part() {
        let op = Concat { axis: 1, new_axis: false };
        check_movement(&op, &[&[2, 3], &[2, 1], &[2, 2]], &[], |x| vec![Tensor::concat(x, 1).unwrap()]);
    }

    #[test]
    fn stacked_operands_lose_the_new_axis() {
        for axis in 0..3 {
            let op = Concat { axis, new_axis: true };
            check_movement(&op, &[&[2, 3], &[2, 3]], &[], |x| {
                let mut lifted = vec![2, 3];
                lifted.insert(axis, 1);
                let parts: Vec<Array> = x.iter().map(|x| x.reshape(&lifted).unwrap()).collect();
                vec![Tensor::concat(&parts, axis).unwrap()]
            });
        }
        check_movement(&Concat { axis: 0, new_axis: true }, &[&[], &[]], &[], |x| {
            let parts: Vec<Array> = x.iter().map(|x| x.reshape(&[1]).unwrap()).collect();
            vec![Tensor::concat(&parts, 0).unwrap()]
        });
    }

    #[test]
    fn an_empty_vector_joins_operands_of_any_rank() {
        let op = Concat { axis: 1, new_axis: false };
        check_movement(&op, &[&[2, 3], &[0], &[2, 1]], &[], |x| {
            vec![Tensor::concat(&[x[0].clone(), x[2].clone()], 1).unwrap()]
        });
    }

    #[test]
    fn parts_that_do_not_fill_the_output_are_refused() {
        let weights = WeightCache::new(0);
        let refused = |op: Concat, inputs: &[Operand<Array>]| {
            let outputs = [Some(relevances(&[2, 3])[0].clone())];
            assert!(matches!(
                op.backtrace(inputs, &outputs, &mut Context::new(&weights)),
                Err(Error::Uncovered(_))
            ));
        };
        refused(Concat { axis: 1, new_axis: false }, &[shape_only(&[2, 2])]);
        refused(Concat { axis: 2, new_axis: false }, &[shape_only(&[2, 3])]);
        refused(Concat { axis: 0, new_axis: true }, &[shape_only(&[2, 3]), shape_only(&[2, 3])]);
    }
}
