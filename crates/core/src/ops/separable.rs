//! Weighted sums that act along one axis after the other (rules §2): average pooling, interpolation.

use super::exactly;
use crate::maps::Axes;
use crate::op::arrived;
use crate::weighted_sum::{Term, Variant, WeightedSum};
use crate::{BacktraceOp, Context, Family, Operand, Relevance, Result, Role, Tensor};

/// y = (A₁ ⊗ A₂ ⊗ …) x, with one matrix for each of some axes of operand 0. The rule stays the same if rows are scaled.
#[derive(Debug, Clone)]
pub struct Separable {
    /// The axes and their matrices.
    pub axes: Axes,
}

impl<T: Tensor> BacktraceOp<T> for Separable {
    fn family(&self) -> Family {
        Family::WeightedSum
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Windows
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let [operand] = exactly(operands)?;
        let terms = vec![Term { operand, map: Box::new(self.axes.clone()) }];
        WeightedSum { terms, bias: None, variant: Variant::Linear, result: None }
            .backtrace(arrived(arriving)?, context)
    }
}
