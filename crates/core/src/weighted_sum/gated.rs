//! The default rule behind a saturated activation (rules §2, "gates").

use super::{Signs, Term, Variant, WeightedSum, weighed};
use crate::{Amount, Context, Gate, Loss, Part, Relevance, Result, Tensor, Unary};

/// Conv units of a non-monotone activation count as equal within this distance.
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
        if self.variant == Variant::Linear && self.all_open(gate)? {
            return self.unsaturated(relevance, context);
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
        let bias = self.bias.as_ref().map(Tensor::abs).transpose()?;
        let denominator = match &bias {
            Some(bias) => gross.add(bias)?,
            None => gross.clone(),
        };
        let (per_unit, zero) = relevance.quotient(&denominator)?;
        context.lose(Loss::ZeroDenominator, Amount::default_mode(zero));
        if let Some(bias) = &bias {
            context.lose(Loss::Bias, Amount::default_mode(weighed(&per_unit, bias)?));
        }
        context.lose(Loss::Gate, Amount::default_mode(weighed(&per_unit, &gross.sub(&passed)?)?));
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
    /// Whether every unit of a linear map is within the bounds of its gate, as most are behind SiLU: the rule then is that
    /// without a gate, at a third of the cost. The test of a non-monotone φ closes what is there only by rounding.
    fn all_open(&self, gate: Gate) -> Result<bool> {
        let mut net = self.bias.clone();
        for term in &self.terms {
            let share = term.map.apply(Part::Signed, term.operand.data()?)?;
            net = Some(match net {
                Some(net) => share.add(&net)?,
                None => share,
            });
        }
        let Some(net) = net else { return Ok(true) };
        let below = gate.lower.map_or(Ok(0.0), |lower| net.less_than(lower)?.total())?;
        let above = gate.upper.map_or(Ok(0.0), |upper| net.greater_than(upper)?.total())?;
        Ok(below + above == 0.0)
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
