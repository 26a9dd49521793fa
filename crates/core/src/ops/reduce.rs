//! Sums and means over axes (rules §2): r = |x| / Σ|x| · R. The divisor of a mean cancels.

use crate::maps::LinearMap;
use crate::op::arrived;
use crate::ops::exactly;
use crate::weighted_sum::{Term, Variant, WeightedSum};
use crate::{BacktraceOp, Context, Family, Operand, Part, Relevance, Result, Role, Tensor};

/// The sum or mean of operand 0 over some axes, which the output keeps or not.
#[derive(Debug, Clone)]
pub struct Reduce {
    /// The axes.
    pub axes: Vec<usize>,
}

/// x ↦ Σ x over the axes, which stay with extent 1.
#[derive(Debug)]
struct SumOver<'a> {
    axes: &'a [usize],
    from: &'a [usize],
}

impl<T: Tensor> LinearMap<T> for SumOver<'_> {
    fn apply(&self, part: Part, x: &T) -> Result<T> {
        let sum = x.sum(self.axes, true)?;
        if part == Part::Negative { sum.scale(0.0) } else { Ok(sum) }
    }

    fn adjoint(&self, part: Part, y: &T) -> Result<T> {
        let spread = y.broadcast_to(self.from)?;
        if part == Part::Negative { spread.scale(0.0) } else { Ok(spread) }
    }
}

/// The shape with extent 1 on the given axes.
pub(crate) fn kept(shape: &[usize], axes: &[usize]) -> Vec<usize> {
    shape.iter().enumerate().map(|(axis, &extent)| if axes.contains(&axis) { 1 } else { extent }).collect()
}

impl<T: Tensor> BacktraceOp<T> for Reduce {
    fn family(&self) -> Family {
        Family::WeightedSum
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Reduction
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let [operand] = exactly(operands)?;
        let from = &operand.meta.shape;
        let kept = kept(from, &self.axes);
        let relevance = arrived(arriving)?.map_conserving(|channel| channel.reshape(&kept))?;
        let map = Box::new(SumOver { axes: &self.axes, from });
        let sum = WeightedSum {
            terms: vec![Term { operand, map }],
            bias: None,
            variant: Variant::Linear,
            result: None,
        };
        sum.backtrace(&relevance, context)
    }
}
