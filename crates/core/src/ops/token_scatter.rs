//! Values written at places that tokens name (rules, "Tokens" and "Counts"): rows of ones for several tokens, counts.

use super::exactly;
use crate::op::arrived;
use crate::{BacktraceOp, Context, Family, Operand, Relevance, Result, Role, Tensor};

/// Operands of one shape: values, and the tokens that say where each value goes. A value that depends on the input takes
/// everything; if the value is constant, its token does.
#[derive(Debug, Clone, Copy)]
pub struct TokenScatter;

impl<T: Tensor> BacktraceOp<T> for TokenScatter {
    fn family(&self) -> Family {
        Family::Embedding
    }

    fn role(&self, operands: &[Operand<T>]) -> Role {
        match operands {
            [value, _] if value.depends => Role::Movement,
            _ => Role::Ones,
        }
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        _: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let [value, _] = exactly(operands)?;
        let share = Some(arrived(arriving)?.clone());
        Ok(if value.depends { vec![share, None] } else { vec![None, share] })
    }
}
