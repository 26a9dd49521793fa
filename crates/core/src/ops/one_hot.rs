//! Tokens spread over an axis of their names (rules §5): an embedding by the rows of an identity matrix.

use super::exactly;
use crate::op::arrived;
use crate::{BacktraceOp, Context, Family, Operand, Relevance, Result, Role, Tensor};

/// Operand: tokens; the output has one more axis. A token's relevance is the sum along it.
#[derive(Debug, Clone, Copy)]
pub struct OneHot {
    /// The axis of the output that counts names.
    pub axis: usize,
}

impl<T: Tensor> BacktraceOp<T> for OneHot {
    fn family(&self) -> Family {
        Family::Embedding
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Ones
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        _: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let [_] = exactly(operands)?;
        let share = arrived(arriving)?.map_conserving(|channel| channel.sum(&[self.axis], false))?;
        Ok(vec![Some(share)])
    }
}
