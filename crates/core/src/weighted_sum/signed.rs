//! The signed rules of weighted sums (rules §10): each contribution c keeps its sign.

use super::signs::SignedParts;
use super::{Signs, Term, WeightedSum, book};
use crate::{Amount, Context, Loss, Part, PerUnit, Relevance, Result, Tensor};

impl<T: Tensor> WeightedSum<'_, T> {
    /// r = x ⊙ Wᵀ( R ⊘ (z + ε·sign z) ).
    pub(super) fn epsilon(&self, epsilon: f64, relevance: &T, context: &mut Context<'_, T>) -> Shares<T> {
        let Some(z) = self.net()? else { return Ok(self.nothing()) };
        let per_unit = Self::per_net(&z, epsilon, relevance, context)?;
        self.linear(&per_unit, context)
    }

    /// S = R ⊘ (z + ε·sign z), with sign 0 = 1; books what ε takes.
    pub(crate) fn per_net(z: &T, epsilon: f64, relevance: &T, context: &mut Context<'_, T>) -> Result<T> {
        let PerUnit { shares, zero, bias: to_epsilon } = relevance.stabilised_quotient(z, epsilon)?;
        context.lose(Loss::ZeroDenominator, Amount::default_mode(zero));
        context.lose(Loss::Stabiliser, Amount::default_mode(to_epsilon));
        Ok(shares)
    }

    /// r = x ⊙ Wᵀ( R ⊙ sign z ⊘ (Σ|c| + |b|) ), with sign 0 = 0.
    pub(super) fn signed(&self, relevance: &T, context: &mut Context<'_, T>) -> Shares<T> {
        let (Some(z), Some(gross)) = (self.net()?, self.gross()?) else { return Ok(self.nothing()) };
        let (per_gross, zero) = relevance.quotient(&gross)?;
        let per_unit = per_gross.mul(&z.greater_than(0.0)?.sub(&z.less_than(0.0)?)?)?;
        let cancelled = relevance.total()? - zero - per_unit.dot(&z)?;
        context.lose(Loss::ZeroDenominator, Amount::default_mode(zero));
        context.lose(Loss::Cancelled, Amount::default_mode(cancelled));
        self.linear(&per_unit, context)
    }

    /// Where z ≥ 0, positive contributions count 1 + γ times, and R is divided by z + γ·Σc⁺; where z < 0, negative ones, and R is
    /// divided by z + γ·Σc⁻.
    pub(super) fn gamma(&self, gamma: f64, relevance: &T, context: &mut Context<'_, T>) -> Shares<T> {
        let parts = self.parts()?;
        let Some(Signs { positive, negative }) = self.by_sign(&parts)? else { return Ok(self.nothing()) };
        let z = positive.sub(&negative)?;
        let below = z.less_than(0.0)?;
        let above = below.complement()?;
        let raised = above.mul(&positive)?.sub(&below.mul(&negative)?)?.scale(gamma)?;
        let (per_unit, zero) = relevance.quotient(&z.add(&raised)?)?;
        context.lose(Loss::ZeroDenominator, Amount::default_mode(zero));
        let favoured = |side: &T| per_unit.mul(&side.affine(gamma, 1.0)?);
        self.split(&parts, &favoured(&above)?, &favoured(&below)?.scale(-1.0)?, context)
    }

    /// α of R to the positive contributions and −β to the negative ones, each in proportion to |c|.
    pub(super) fn alpha_beta(
        &self,
        [alpha, beta]: [f64; 2],
        relevance: &T,
        context: &mut Context<'_, T>,
    ) -> Shares<T> {
        let parts = self.parts()?;
        let Some(Signs { positive, negative }) = self.by_sign(&parts)? else { return Ok(self.nothing()) };
        let (to_positive, no_positive) = relevance.scale(alpha)?.quotient(&positive)?;
        let (to_negative, no_negative) = relevance.scale(-beta)?.quotient(&negative)?;
        context.lose(Loss::ZeroDenominator, Amount::default_mode(no_positive + no_negative));
        self.split(&parts, &to_positive, &to_negative, context)
    }

    /// x ⊙ WᵀS for every operand; books the shares of constants and of the bias.
    fn linear(&self, per_unit: &T, context: &mut Context<'_, T>) -> Shares<T> {
        if let Some(bias) = &self.bias {
            book(0.0, Some(per_unit.dot(bias)?), context);
        }
        self.terms
            .iter()
            .map(|Term { operand, map }| {
                if operand.depends {
                    let share = map.adjoint(Part::Signed, per_unit)?.multiplied(operand.data()?)?;
                    return Ok(Some(Relevance::default_mode(share)));
                }
                let taken = per_unit.dot(&map.apply(Part::Signed, operand.data()?)?)?;
                context.lose(Loss::Constant, Amount::default_mode(taken));
                Ok(None)
            })
            .collect()
    }

    /// |c| ⊙ S₊ for positive contributions and |c| ⊙ S₋ for negative ones; books the shares of constants and of the bias.
    fn split(
        &self,
        parts: &[SignedParts<'_, T>],
        positive: &T,
        negative: &T,
        context: &mut Context<'_, T>,
    ) -> Shares<T> {
        if let Some(bias) = &self.bias {
            let taken = positive.dot(&bias.positive()?)? + negative.dot(&bias.negative()?)?;
            book(0.0, Some(taken), context);
        }
        self.terms
            .iter()
            .zip(parts)
            .map(|(Term { operand, .. }, parts)| {
                let share = parts.share(positive, negative)?;
                if operand.depends {
                    return Ok(Some(Relevance::default_mode(share)));
                }
                context.lose(Loss::Constant, Amount::default_mode(share.total()?));
                Ok(None)
            })
            .collect()
    }

    /// z = Σ Wx + b, which the recording may have kept; `None` if there are no operands.
    fn net(&self) -> Result<Option<T>> {
        if let Some(result) = &self.result {
            return Ok(Some(result.clone()));
        }
        let terms = self.terms.iter().map(|Term { operand, map }| map.apply(Part::Signed, operand.data()?));
        self.summed(terms, self.bias.clone())
    }

    /// Σ |W||x| + |b|
    fn gross(&self) -> Result<Option<T>> {
        let terms =
            self.terms.iter().map(|Term { operand, map }| map.apply(Part::Abs, &operand.data()?.abs()?));
        self.summed(terms, self.bias.as_ref().map(Tensor::abs).transpose()?)
    }

    /// The sum of the terms, and of the bias, which broadcasts to them.
    pub(super) fn summed(
        &self,
        mut terms: impl Iterator<Item = Result<T>>,
        bias: Option<T>,
    ) -> Result<Option<T>> {
        let Some(first) = terms.next().transpose()? else { return Ok(None) };
        let sum = terms.try_fold(first, |sum, term| sum.add(&term?))?;
        match bias {
            Some(bias) => sum.add(&bias).map(Some),
            None => Ok(Some(sum)),
        }
    }

    fn parts(&self) -> Result<Vec<SignedParts<'_, T>>> {
        self.terms.iter().map(Term::halves).collect()
    }

    /// Σc⁺ and Σ|c⁻| of each unit, the bias among them.
    fn by_sign(&self, parts: &[SignedParts<'_, T>]) -> Result<Option<Signs<T>>> {
        let Some(signs) = Signs::of(parts)? else { return Ok(None) };
        let Some(bias) = &self.bias else { return Ok(Some(signs)) };
        let (positive, negative) = (bias.positive()?, bias.negative()?);
        Ok(Some(Signs { positive: signs.positive.add(&positive)?, negative: signs.negative.add(&negative)? }))
    }

    fn nothing(&self) -> Vec<Option<Relevance<T>>> {
        self.terms.iter().map(|_| None).collect()
    }
}

/// The relevance of each operand, `None` for constants.
type Shares<T> = Result<Vec<Option<Relevance<T>>>>;
