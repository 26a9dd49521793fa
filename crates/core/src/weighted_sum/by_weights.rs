//! The rules of sums that do not look at the operands (rules §10).

use super::{Term, WeightedSum, book};
use crate::{Amount, Context, Loss, Part, Relevance, Result, Tensor};

impl<T: Tensor> WeightedSum<'_, T> {
    /// r = Vᵀ( R ⊘ (V·1 + b') ), with a part V of W in place of the contributions, and a part b' of the bias.
    pub(super) fn by_weights(
        &self,
        part: Part,
        bias: Option<T>,
        relevance: &T,
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let shared =
            |Term { operand, map }: &Term<'_, T>| map.apply(part, &relevance.full(&operand.meta.shape, 1.0)?);
        let Some(whole) = self.summed(self.terms.iter().map(shared), bias.clone())? else {
            return Ok(Vec::new());
        };
        let (per_unit, zero) = relevance.quotient(&whole)?;
        book(zero, bias.map(|bias| per_unit.dot(&bias)).transpose()?, context);
        self.terms
            .iter()
            .map(|term| {
                if term.operand.depends {
                    return Ok(Some(Relevance::default_mode(term.map.adjoint(part, &per_unit)?)));
                }
                context.lose(Loss::Constant, Amount::default_mode(per_unit.dot(&shared(term)?)?));
                Ok(None)
            })
            .collect()
    }
}
