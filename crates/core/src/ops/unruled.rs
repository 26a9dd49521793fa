//! An operator without a rule.

use crate::{BacktraceOp, Context, Family, Loss, Operand, Relevance, Result, Role, Tensor};

/// Stops the walk with [`Error::NoRule`](crate::Error::NoRule) if relevance reaches it. If the options allow operators without
/// a rule, it books what arrives as [`Loss::Unruled`] (rules §7).
#[derive(Debug, Clone, Default)]
pub struct Unruled {
    /// What the existing rule does not cover in this call, if there is a rule.
    pub reason: Option<String>,
    /// Whether it is a function of integers, element by element, such as a remainder: it turns tokens into other tokens (rules,
    /// "Tokens").
    pub discrete: bool,
}

impl<T: Tensor> BacktraceOp<T> for Unruled {
    fn family(&self) -> Family {
        Family::Unruled
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        if self.discrete { Role::Discrete } else { Role::Other }
    }

    fn uncovered(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        for relevance in arriving.iter().flatten() {
            context.lose(Loss::Unruled, relevance.amount()?);
        }
        Ok(vec![None; operands.len()])
    }
}
