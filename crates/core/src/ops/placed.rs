//! What tokens write into others by index: rows of ones for several tokens, counts (rules §9).

use super::exactly;
use crate::op::arrived;
use crate::{BacktraceOp, Context, Family, Operand, Relevance, Result, Role, Tensor};

/// Operands of one shape: values, and the tokens that say where each is to go. A value that depends on the input takes
/// everything; of a constant one, the token does.
#[derive(Debug, Clone, Copy)]
pub struct Placed;

impl<T: Tensor> BacktraceOp<T> for Placed {
    fn family(&self) -> Family {
        Family::Embedding
    }

    fn role(&self, inputs: &[Operand<T>]) -> Role {
        match inputs {
            [value, _] if value.depends => Role::Movement,
            _ => Role::Ones,
        }
    }

    fn backtrace(
        &self,
        inputs: &[Operand<T>],
        outputs: &[Option<Relevance<T>>],
        _: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let [value, _] = exactly(inputs)?;
        let share = Some(arrived(outputs)?.clone());
        Ok(if value.depends { vec![share, None] } else { vec![None, share] })
    }
}
