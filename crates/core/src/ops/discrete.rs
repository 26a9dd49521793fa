//! Functions of integers, element by element, that have no rule for numbers: remainders, rounded division, bits.

use super::Unruled;
use crate::{BacktraceOp, Context, Family, Operand, Relevance, Result, Role, Tensor};

/// A remainder, say. Where its operands are tokens the result names them (rules §9); elsewhere it is [`Unruled`].
#[derive(Debug, Clone, Default)]
pub struct Discrete;

impl<T: Tensor> BacktraceOp<T> for Discrete {
    fn family(&self) -> Family {
        Family::Unruled
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Discrete
    }

    fn backtrace(
        &self,
        inputs: &[Operand<T>],
        outputs: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        Unruled::default().backtrace(inputs, outputs, context)
    }
}
