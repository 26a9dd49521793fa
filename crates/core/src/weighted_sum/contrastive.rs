//! The contrastive rule of weighted sums (rules §2, "contrastive").

use super::signs::SignedParts;
use super::{Signs, Term, Variant, WeightedSum};
use crate::{Amount, Context, Loss, Part, Relevance, Result, Tensor};

impl<T: Tensor> WeightedSum<'_, T> {
    /// Each channel goes to contributions of one sign, chosen by [`Routing`], in proportion to |c|. Constant operands contribute
    /// nothing and only decide the sign, as a bias does (rules, "Constants").
    pub(super) fn contrastive(
        &self,
        relevance: &Relevance<T>,
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let moving = self
            .terms
            .iter()
            .map(|term| term.operand.depends.then(|| term.halves()).transpose())
            .collect::<Result<Vec<_>>>()?;
        let Some(signs) = Signs::of(moving.iter().flatten())? else {
            context.lose(Loss::Constant, relevance.amount()?);
            return Ok(self.terms.iter().map(|_| None).collect());
        };
        let offset = self.offset()?;
        let routing = Routing::new(&signs, offset.as_ref(), relevance, self.variant, context)?;
        let share = |halves: &SignedParts<'_, T>| {
            Ok(Relevance::contrastive(
                halves.share(&routing.positive[0], &routing.positive[1])?,
                halves.share(&routing.negative[0], &routing.negative[1])?,
            ))
        };
        moving.iter().map(|halves| halves.as_ref().map(share).transpose()).collect()
    }

    /// What decides the sign of a unit besides its contributions: b and the constant operands.
    fn offset(&self) -> Result<Option<T>> {
        let constants = self.terms.iter().filter(|term| !term.operand.depends);
        constants.map(|Term { operand, map }| map.apply(Part::Signed, operand.data()?)).try_fold(
            self.bias.clone(),
            |sum, constant| match (sum, constant?) {
                (Some(sum), constant) => sum.add(&constant).map(Some),
                (None, constant) => Ok(Some(constant)),
            },
        )
    }
}

/// What one unit of |c| receives: for each channel, `[of a positive contribution, of a negative one]`.
pub(crate) struct Routing<T> {
    pub(crate) positive: [T; 2],
    pub(crate) negative: [T; 2],
}

impl<T: Tensor> Routing<T> {
    /// The larger of R⁺, R⁻ goes to the dominant sign, that of t = p + b − n; the other to the other sign:
    ///
    /// - t > 0: R⁺ > R⁻ ⇒ R⁺ to positives and R⁻ to negatives; else the other way round;
    /// - t < 0: R⁺ < R⁻ ⇒ R⁺ to positives and R⁻ to negatives; else the other way round;
    /// - t = 0: lost.
    ///
    /// [`Variant::Linear`]: a unit whose contributions have one sign shares both channels among them.
    /// [`Variant::Convolution`]: R⁺ = R⁻ gives nothing, and what is routed to a missing sign is lost.
    pub(crate) fn new(
        signs: &Signs<T>,
        bias: Option<&T>,
        relevance: &Relevance<T>,
        variant: Variant,
        context: &mut Context<'_, T>,
    ) -> Result<Self> {
        let Signs { positive: p, negative: n } = signs;
        let (support, against) = (relevance.first(), relevance.second().unwrap_or(relevance.first()));
        let net = match bias {
            Some(bias) => p.sub(n)?.add(bias)?,
            None => p.sub(n)?,
        };
        let (above, below) = (net.greater_than(0.0)?, net.less_than(0.0)?);
        let (more, less) = (support.greater(against)?, against.greater(support)?);
        // `straight`: R⁺ to positives and R⁻ to negatives. `crossed`: the other way round.
        let straight = above.mul(&more)?.add(&below.mul(&less)?)?;
        let crossed = match variant {
            Variant::Convolution => above.mul(&less)?.add(&below.mul(&more)?)?,
            Variant::Linear => above.add(&below)?.sub(&straight)?,
        };
        let (mut to_p, mut to_n) = ([straight.clone(), crossed.clone()], [crossed, straight]);
        if variant == Variant::Linear {
            // A sign whose sum counts as 0 could hand nothing on.
            let missing = |sign: &T| sign.greater_than(sign.dtype().negligible())?.complement();
            let (no_p, no_n) = (missing(p)?, missing(n)?);
            // If one sign is missing, both channels go to the other; if both are missing, both channels are lost below.
            for channel in 0..2 {
                to_p[channel] = either(&to_p[channel], &no_n)?.mul(&no_p.complement()?)?;
                to_n[channel] = either(&to_n[channel], &no_p)?.mul(&no_n.complement()?)?;
            }
        }
        let mut routed = Vec::with_capacity(2);
        let mut missing = [0.0; 2];
        for (channel, relevance) in [support, against].into_iter().enumerate() {
            let (for_p, for_n) = (relevance.mul(&to_p[channel])?, relevance.mul(&to_n[channel])?);
            let (per_p, lost_p) = for_p.quotient(p)?;
            let (per_n, lost_n) = for_n.quotient(n)?;
            let undecided = either(&to_p[channel], &to_n[channel])?.complement()?;
            missing[channel] = lost_p + lost_n + relevance.dot(&undecided)?;
            routed.push([per_p, per_n]);
        }
        context.lose(Loss::MissingSign, Amount::new(missing[0], missing[1]));
        let [positive, negative]: [[T; 2]; 2] = routed
            .try_into()
            .map_err(|_| crate::Error::Uncovered("two channels make two routings".into()))?;
        Ok(Self { positive, negative })
    }
}

/// a ∨ b of two 0/1 masks.
fn either<T: Tensor>(a: &T, b: &T) -> Result<T> {
    a.add(b)?.sub(&a.mul(b)?)
}
