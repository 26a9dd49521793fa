//! Operators whose result carries no relevance: comparisons, index searches, tensors made by shape.

use crate::op::arrived;
use crate::{BacktraceOp, Context, Family, Loss, Operand, Relevance, Result, Tensor};

/// For relevance, the outputs depend on no operand (rules §3, §5).
#[derive(Debug, Clone)]
pub struct Constant;

impl<T: Tensor> BacktraceOp<T> for Constant {
    fn family(&self) -> Family {
        Family::Constant
    }

    fn carries(&self, _: usize) -> bool {
        false
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        context.lose(Loss::Unexplained, arrived(arriving)?.amount()?);
        Ok(vec![None; operands.len()])
    }
}
