//! Running sums (rules §2).

use super::exactly;
use crate::maps::LinearMap;
use crate::op::arrived;
use crate::weighted_sum::{Term, Variant, WeightedSum};
use crate::{BacktraceOp, Context, Error, Family, Operand, Part, Range, Relevance, Result, Tensor};

/// yᵢ = Σ xⱼ over j ≤ i along an axis of operand 0: r_j = |xⱼ| Σᵢ Rᵢ / Σ|x| over i ≥ j.
#[derive(Debug, Clone, Copy)]
pub struct CumulativeSum {
    /// The axis; 0 for an operand without axes.
    pub axis: usize,
}

impl CumulativeSum {
    /// Sums 1, 2, 4, … neighbours: as many rounds as the extent has binary digits, instead of a square matrix. The adjoint runs
    /// from the end.
    fn run<T: Tensor>(&self, part: Part, x: &T, from_end: bool) -> Result<T> {
        let shape = x.shape();
        if part == Part::Negative {
            return x.zeros(&shape);
        }
        if shape.is_empty() {
            return Ok(x.clone());
        }
        let mut region = Range::whole(&shape);
        let no_axis = || Error::Uncovered(format!("no axis {} in {shape:?}", self.axis));
        let extent = *shape.get(self.axis).ok_or_else(no_axis)?;
        let (mut sum, mut reach) = (x.clone(), 1);
        while reach < extent {
            let (front, back) = (Range::span(0, extent - reach), Range::span(reach, extent - reach));
            let (source, target) = if from_end { (back, front) } else { (front, back) };
            region[self.axis] = source;
            let neighbours = sum.slice(&region)?;
            region[self.axis] = target;
            sum = x.zeros(&shape)?.add_region(&region, &neighbours)?.accumulate(&sum)?;
            reach *= 2;
        }
        Ok(sum)
    }
}

impl<T: Tensor> LinearMap<T> for CumulativeSum {
    fn apply(&self, part: Part, x: &T) -> Result<T> {
        self.run(part, x, false)
    }

    fn adjoint(&self, part: Part, y: &T) -> Result<T> {
        self.run(part, y, true)
    }
}

impl<T: Tensor> BacktraceOp<T> for CumulativeSum {
    fn family(&self) -> Family {
        Family::WeightedSum
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let [operand] = exactly(operands)?;
        let terms = vec![Term { operand, map: Box::new(*self) }];
        WeightedSum { terms, bias: None, variant: Variant::Linear, result: None }
            .backtrace(arrived(arriving)?, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::ops::pieces::testing::{check_weighted_sum, values};

    fn running(x: &Array, axis: usize) -> Array {
        let mut sums = x.to_array().unwrap();
        sums.accumulate_axis_inplace(ndarray::Axis(axis), |&before, sum| *sum += before);
        Array::new(sums)
    }

    #[test]
    fn running_sums_follow_the_rule() {
        for (shape, axis) in [(&[7][..], 0), (&[2, 5], 1), (&[4, 1, 2], 0), (&[3, 1], 1)] {
            check_weighted_sum(&CumulativeSum { axis }, shape, |x| running(x, axis));
        }
        check_weighted_sum(&CumulativeSum { axis: 0 }, &[], Array::clone);
    }

    #[test]
    fn rounds_of_doubling_reach_every_extent() {
        for extent in 1..20 {
            let x = Array::from_slice(&[extent], &vec![1.0; extent]);
            let expected: Vec<f64> = (1..=extent).map(|count| count as f64).collect();
            let op = CumulativeSum { axis: 0 };
            assert_eq!(values(&op.apply(Part::Signed, &x).unwrap()), expected);
            assert!(values(&op.adjoint(Part::Abs, &x).unwrap()).iter().eq(expected.iter().rev()));
        }
    }
}
