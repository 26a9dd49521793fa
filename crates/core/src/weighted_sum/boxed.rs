//! The rule of sums whose operand has bounds (rules §10).

use super::{Term, WeightedSum};
use crate::rules::Bounds;
use crate::{Amount, Context, Error, Loss, Part, Relevance, Result, Tensor};

impl<T: Tensor> WeightedSum<'_, T> {
    /// Contributions c = w·x − w⁺·low − (−w⁻)·high = w⁺·(x − low) + w⁻·(high − x), none below 0, share R in proportion:
    /// r = (x − low) ⊙ W⁺ᵀS + (high − x) ⊙ W⁻ᵀS, S = R ⊘ ( W⁺(x − low) + W⁻(high − x) ). The bias counts on both sides and cancels.
    pub(super) fn boxed(
        &self,
        bounds: &Bounds,
        relevance: &T,
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let [Term { operand, map }] = self.terms.as_slice() else {
            let message = "the rule box serves layers with one operand and a constant bias";
            return Err(Error::Uncovered(message.into()));
        };
        let [above, below] = bounds.distances(operand.data()?, map.channels())?;
        let z = map.apply(Part::Positive, &above)?.add(&map.apply(Part::Negative, &below)?)?;
        let (per_unit, zero) = relevance.quotient(&z)?;
        context.lose(Loss::ZeroDenominator, Amount::default_mode(zero));
        let from_low = above.multiplied(&map.adjoint(Part::Positive, &per_unit)?)?;
        let from_high = below.multiplied(&map.adjoint(Part::Negative, &per_unit)?)?;
        Ok(vec![Some(Relevance::default_mode(from_low.accumulate(&from_high)?))])
    }
}
