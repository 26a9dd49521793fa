//! Values held fixed: relevance passes, derivatives do not (rules §10).

use crate::op::arrived;
use crate::rules::Rule;
use crate::{BacktraceOp, Context, Family, Operand, Relevance, Result, Role, Rows, Tensor};

/// A copy of operand 0 whose derivative is 0.
#[derive(Debug, Clone)]
pub struct Detach;

impl<T: Tensor> BacktraceOp<T> for Detach {
    fn family(&self) -> Family {
        Family::Pass
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Identity
    }

    fn detaches(&self) -> bool {
        true
    }

    fn rows(&self, _: &[Operand<T>], _: usize) -> Option<Rows> {
        Some(Rows::Same)
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let mut shares = vec![None; operands.len()];
        if !matches!(context.rule(), Rule::Gradient | Rule::Guided | Rule::Deconvolution) {
            shares[0] = Some(arrived(arriving)?.clone());
        }
        Ok(shares)
    }
}
