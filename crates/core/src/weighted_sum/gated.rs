//! The default rule for a weighted sum before a saturated activation (rules §2, "Gates").

use super::{Signs, Term, Variant, WeightedSum};
use crate::{Amount, Context, Error, Gate, Loss, Part, Relevance, Result, Tensor, Unary};

/// Within this distance, two results of a non-monotone activation behind a convolution count as equal.
const SAME: f64 = 1e-5;

impl<T: Tensor> WeightedSum<'_, T> {
    /// D = m₊p + m₋n + |b|, S = R ⊘ D; positive contributions take their share of S⊙m₊, negative ones of S⊙m₋.
    /// A convolution keeps D = p + n + |b|: what its gate blocks is lost.
    pub(super) fn gated(
        &self,
        relevance: &T,
        gate: Gate,
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        if self.variant == Variant::Linear
            && let Some(shares) = self.gated_by_magnitude(relevance, gate, context)?
        {
            return Ok(shares);
        }
        let halves = self.terms.iter().map(Term::halves).collect::<Result<Vec<_>>>()?;
        let Some(signs) = Signs::of(&halves)? else { return Ok(Vec::new()) };
        let (open_positive, open_negative) = match self.variant {
            Variant::Linear => linear_gate(&signs, self.bias.as_ref(), gate)?,
            Variant::Convolution => convolution_gate(&signs, self.bias.as_ref(), gate)?,
        };
        let Signs { positive, negative } = signs;
        let passed = open_positive.mul(&positive)?.add(&open_negative.mul(&negative)?)?;
        let gross = match self.variant {
            Variant::Linear => passed.clone(),
            Variant::Convolution => positive.add(&negative)?,
        };
        let per_unit = self.per_unit(gross.clone(), relevance, context)?;
        context.lose(Loss::Gate, Amount::default_mode(per_unit.dot(&gross.sub(&passed)?)?));
        let to_positive = per_unit.mul(&open_positive)?;
        let to_negative = per_unit.mul(&open_negative)?;
        self.terms
            .iter()
            .zip(&halves)
            .map(|(term, halves)| {
                let share = halves.share(&to_positive, &to_negative)?;
                if term.operand.depends {
                    return Ok(Some(Relevance::default_mode(share)));
                }
                context.lose(Loss::Constant, Amount::default_mode(share.total()?));
                Ok(None)
            })
            .collect()
    }
}

impl<T: Tensor> WeightedSum<'_, T> {
    /// The rule of a linear map in three or four products instead of eight, using |W| and W:
    /// r = ½|x| ⊙ |W|ᵀ(S⊙(m₊+m₋)) + ½x ⊙ Wᵀ(S⊙(m₊−m₋)), p = (g+z)/2, n = (g−z)/2. This is exact enough wherever the surviving
    /// sign is the larger one, which the bounds of a gate ensure unless the bias is large; `None` elsewhere. For a non-monotone
    /// φ only the bounds are tested, because its equalities hold only up to rounding.
    fn gated_by_magnitude(
        &self,
        relevance: &T,
        gate: Gate,
        context: &mut Context<'_, T>,
    ) -> Result<Option<Vec<Option<Relevance<T>>>>> {
        let magnitudes =
            self.terms.iter().map(|term| term.operand.data()?.abs()).collect::<Result<Vec<_>>>()?;
        let gross = self.applied(Part::Abs, &magnitudes)?;
        let (net, total) = match (&self.result, &self.bias) {
            (Some(result), Some(bias)) => (result.sub(bias)?, result.clone()),
            (Some(result), None) => (result.clone(), result.clone()),
            (None, bias) => {
                let operands = self.terms.iter().map(|term| term.operand.data().cloned());
                let net = self.applied(Part::Signed, &operands.collect::<Result<Vec<_>>>()?)?;
                let total = add_bias(&net, bias.as_ref())?;
                (net, total)
            }
        };
        let none = |bound: Option<f64>, closed: fn(&T, f64) -> Result<T>| {
            bound.map(|bound| closed(&total, bound)).transpose()
        };
        let no_positive = none(gate.lower, T::less_than)?;
        let no_negative = none(gate.upper, T::greater_than)?;
        let wrong = |closed: &Option<T>, sign: fn(&T, f64) -> Result<T>| -> Result<bool> {
            Ok(match closed {
                Some(closed) => closed.mul(&sign(&net, 0.0)?)?.total()? > 0.0,
                None => false,
            })
        };
        if wrong(&no_positive, T::greater_than)? || wrong(&no_negative, T::less_than)? {
            return Ok(None);
        }
        // m₊ − m₋, and D without the closed sign.
        let mut tilt: Option<T> = None;
        let mut denominator = gross.clone();
        for (closed, sign) in [(no_positive, 1.0), (no_negative, -1.0)] {
            let Some(closed) = closed else { continue };
            if closed.total()? == 0.0 {
                continue;
            }
            let blocked = gross.add(&net.scale(sign)?)?.scale(0.5)?;
            denominator = denominator.sub(&closed.mul(&blocked)?)?;
            let lean = closed.scale(-sign)?;
            tilt = Some(tilt.map_or(Ok(lean.clone()), |tilt| tilt.add(&lean))?);
        }
        let per_unit = self.per_unit(denominator, relevance, context)?;
        // S⊙(m₊+m₋)/2 and S⊙(m₊−m₋)/2: half of S at a unit with one closed sign.
        let (even, lean) = match tilt {
            Some(tilt) => {
                let half = tilt.scale(0.5)?;
                (per_unit.mul(&half.abs()?.complement()?)?, Some(per_unit.mul(&half)?))
            }
            None => (per_unit, None),
        };
        let shares = self.terms.iter().zip(magnitudes).map(|(Term { operand, map }, magnitude)| {
            let mut share = magnitude.mul(&map.adjoint(Part::Abs, &even)?)?;
            if let Some(lean) = &lean {
                share = share.add(&operand.data()?.mul(&map.adjoint(Part::Signed, lean)?)?)?;
            }
            if operand.depends {
                return Ok(Some(Relevance::default_mode(share)));
            }
            context.lose(Loss::Constant, Amount::default_mode(share.total()?));
            Ok(None)
        });
        Ok(Some(shares.collect::<Result<_>>()?))
    }

    /// The sum of all terms' maps.
    fn applied(&self, part: Part, operands: &[T]) -> Result<T> {
        let mut terms = self.terms.iter().zip(operands).map(|(term, x)| term.map.apply(part, x));
        let first = terms.next().ok_or_else(|| Error::Uncovered("a weighted sum of nothing".into()))??;
        terms.try_fold(first, |sum, term| sum.add(&term?))
    }
}

/// t < lower ⇒ no positives; t > upper ⇒ no negatives. Non-monotone φ, where both survive: φ(t) = φ(p+b⁺)
/// ⇒ no negatives, else φ(t) = φ(−(n+b⁻)) ⇒ no positives.
fn linear_gate<T: Tensor>(signs: &Signs<T>, bias: Option<&T>, gate: Gate) -> Result<(T, T)> {
    let Signs { positive, negative } = signs;
    let net = add_bias(&positive.sub(negative)?, bias)?;
    let open = net.full(&net.shape(), 1.0)?;
    let mut open_positive = match gate.lower {
        Some(lower) => net.less_than(lower)?.complement()?,
        None => open.clone(),
    };
    let mut open_negative = match gate.upper {
        Some(upper) => net.greater_than(upper)?.complement()?,
        None => open,
    };
    if let Some(beta) = gate.swish {
        let both = open_positive.mul(&open_negative)?;
        let (only_positive, only_negative) = one_sided(signs, bias)?;
        let activated = swish(&net, beta)?;
        let no_negative = both.mul(&activated.equal(&swish(&only_positive, beta)?)?)?;
        let no_positive =
            both.mul(&activated.equal(&swish(&only_negative, beta)?)?)?.mul(&no_negative.complement()?)?;
        open_positive = open_positive.mul(&no_positive.complement()?)?;
        open_negative = open_negative.mul(&no_negative.complement()?)?;
    }
    Ok((open_positive, open_negative))
}

/// Positives pass if g > lower (no lower: if p > 0), negatives if g < upper (no upper: if n > 0).
/// Non-monotone φ: negatives blocked if φ(g) = φ(p+b⁺), positives if φ(g) = φ(−(n+b⁻)).
fn convolution_gate<T: Tensor>(signs: &Signs<T>, bias: Option<&T>, gate: Gate) -> Result<(T, T)> {
    let Signs { positive, negative } = signs;
    let gross = positive.add(negative)?;
    let mut open_positive = match gate.lower {
        Some(lower) => gross.greater_than(lower)?,
        None => positive.greater_than(0.0)?,
    };
    let mut open_negative = match gate.upper {
        Some(upper) => gross.less_than(upper)?,
        None => negative.greater_than(0.0)?,
    };
    if let Some(beta) = gate.swish {
        let (only_positive, only_negative) = one_sided(signs, bias)?;
        let activated = swish(&gross, beta)?;
        let differs =
            |other: &T| -> Result<T> { activated.sub(&swish(other, beta)?)?.abs()?.greater_than(SAME) };
        open_negative = open_negative.mul(&differs(&only_positive)?)?;
        open_positive = open_positive.mul(&differs(&only_negative)?)?;
    }
    Ok((open_positive, open_negative))
}

/// p + b⁺ and −(n + b⁻).
fn one_sided<T: Tensor>(signs: &Signs<T>, bias: Option<&T>) -> Result<(T, T)> {
    let (up, down) = match bias {
        Some(bias) => (Some(bias.positive()?), Some(bias.negative()?)),
        None => (None, None),
    };
    let only_positive = add_bias(&signs.positive, up.as_ref())?;
    let only_negative = add_bias(&signs.negative, down.as_ref())?.scale(-1.0)?;
    Ok((only_positive, only_negative))
}

fn add_bias<T: Tensor>(sum: &T, bias: Option<&T>) -> Result<T> {
    match bias {
        Some(bias) => sum.add(bias),
        None => Ok(sum.clone()),
    }
}

/// x · σ(βx)
fn swish<T: Tensor>(x: &T, beta: f64) -> Result<T> {
    x.mul(&x.scale(beta)?.unary(Unary::Sigmoid)?)
}
