//! Element-wise quotients (rules §4).

use super::product::divide;
use crate::op::arrived;
use crate::{BacktraceOp, Context, Family, Operand, Relevance, Result, Role, Tensor};

/// a / b. If one operand is constant, the other takes R unchanged; otherwise the product rule of a and 1/b. Operands broadcast.
#[derive(Debug, Clone)]
pub struct Quotient;

impl<T: Tensor> BacktraceOp<T> for Quotient {
    fn family(&self) -> Family {
        Family::Product
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Quotient
    }

    fn multiplies(&self, _: usize) -> bool {
        true
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        divide(operands, arrived(arriving)?, context, |a, b| {
            let divisor = b.data()?;
            let (inverse, _) = divisor.full(&divisor.shape(), 1.0)?.quotient(divisor)?;
            Ok(Some((a.data()?.clone(), inverse)))
        })
    }
}
