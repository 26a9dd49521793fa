//! The first-order term of a softmax that is written out (rules §10).

use super::exactly;
use crate::op::arrived;
use crate::{Amount, BacktraceOp, Context, Family, Function, Loss, Operand, Relevance, Result, Role, Tensor};

/// s = e / d with e = exp x and d its sum over an axis: r = x ⊙ s ⊙ (R − Σ s·R). Operand: x.
#[derive(Debug)]
pub(crate) struct SoftmaxExpansion<T> {
    /// e
    pub(crate) numerator: Operand<T>,
    /// d, with extent 1 along the axis.
    pub(crate) denominator: Operand<T>,
}

impl<T: Tensor> BacktraceOp<T> for SoftmaxExpansion<T> {
    fn family(&self) -> Family {
        Family::Pass
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Function(Function::Softmax)
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        context.rule();
        let ([x], relevance) = (exactly(operands)?, arrived(arriving)?);
        let (softmax, _) = self.numerator.data()?.quotient(self.denominator.data()?)?;
        let part = softmax.mul(relevance.first())?;
        let sums = part.sum_to(&self.denominator.meta.shape)?;
        let share = x.data()?.bounded()?.mul(&part.sub(&softmax.mul(&sums)?)?)?;
        let handed = Amount::default_mode(share.total()?);
        context.lose(Loss::Remainder, relevance.amount()? - handed);
        Ok(vec![Some(Relevance::default_mode(share))])
    }
}
