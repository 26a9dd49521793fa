//! Norms, variances, standard deviations: statistics with a rule only as part of a normaliser (rules §9).

use super::Unruled;
use crate::{BacktraceOp, Context, Family, Operand, Relevance, Result, Role, Tensor};

/// A statistic of operand 0. The analysis recognises the normaliser it belongs to; outside one it has no
/// rule.
#[derive(Debug, Clone)]
pub struct Statistic {
    /// [`Role::Reduction`] or [`Role::LogSumExp`].
    pub role: Role,
}

impl<T: Tensor> BacktraceOp<T> for Statistic {
    fn family(&self) -> Family {
        Family::Statistic
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        self.role
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
