//! Tokens computed from tokens (rules, "Tokens"): offsets, hashes, pairs. A token is a name, not a quantity.

use crate::op::arrived;
use crate::{BacktraceOp, Context, Family, Operand, Relevance, Result, Role, Tensor};

/// r = R / n on each of the n operands that are tokens. Operands broadcast.
#[derive(Debug, Clone)]
pub struct TokenArithmetic;

impl<T: Tensor> BacktraceOp<T> for TokenArithmetic {
    fn family(&self) -> Family {
        Family::Pass
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Discrete
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        // Names are handed on alike by every rule.
        context.rule();
        let relevance = arrived(arriving)?;
        let tokens = operands.iter().filter(|operand| operand.depends).count();
        let share = relevance.map(|channel| channel.scale(1.0 / tokens.max(1) as f64))?;
        operands
            .iter()
            .map(|operand| {
                let own = |channel: &T| channel.sum_to(&operand.meta.shape);
                operand.depends.then(|| share.map_conserving(own)).transpose()
            })
            .collect()
    }
}
