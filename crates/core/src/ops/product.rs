//! Element-wise products (rules §4).

use crate::op::arrived;
use crate::ops::{Multiply, exactly};
use crate::rules::Rule;
use crate::{
    Affine, Amount, BacktraceOp, Context, Family, Loss, Mode, Operand, Relevance, Result, Role, Rows, Tensor,
};

/// a ⊙ b. Operands broadcast.
#[derive(Debug, Clone)]
pub struct Product;

impl<T: Tensor> BacktraceOp<T> for Product {
    fn family(&self) -> Family {
        Family::Product
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Product
    }

    fn rows(&self, _: &[Operand<T>], _: usize) -> Option<Rows> {
        Some(Rows::Same)
    }

    fn multiplies(&self, _: usize) -> bool {
        true
    }

    fn affine(&self, operands: &[Operand<T>]) -> Result<Option<Affine<T>>> {
        let [a, b] = exactly(operands)?;
        let (operand, constant) = if a.depends { (0, b) } else { (1, a) };
        let Some(scale) = constant.data.clone().filter(|_| a.depends != b.depends) else { return Ok(None) };
        Ok(Some(Affine { operand, shift: scale.zeros(&[])?, scale }))
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        match context.rule() {
            Rule::Gradient => {
                let [a, b] = exactly(operands)?;
                let relevance = arrived(arriving)?.first();
                let by = |operand, other: &Operand<T>| derivative(operand, || relevance.mul(other.data()?));
                Ok(vec![by(a, b)?, by(b, a)?])
            }
            _ => divide(operands, arrived(arriving)?, context, |a, b| {
                // x·x is all x's.
                (a.value != b.value).then(|| Ok((a.data()?.clone(), b.data()?.clone()))).transpose()
            }),
        }
    }
}

impl<T: Tensor> Multiply<T> for Product {
    fn multiply(&self, a: &T, b: &T) -> Result<T> {
        a.mul(b)
    }
}

/// What an operand takes of a derivative by the broadcast result, if it depends on an explained input.
pub(super) fn derivative<T: Tensor>(
    operand: &Operand<T>,
    by_result: impl FnOnce() -> Result<T>,
) -> Result<Option<Relevance<T>>> {
    let share = || by_result()?.sum_to(&operand.meta.shape).map(Relevance::default_mode);
    operand.depends.then(share).transpose()
}

/// The rule that products and quotients share: a constant operand takes nothing. Two that depend go by the product rule on
/// the `factors`; without factors, the first operand takes everything.
pub(super) fn divide<T: Tensor>(
    operands: &[Operand<T>],
    relevance: &Relevance<T>,
    context: &mut Context<'_, T>,
    factors: impl FnOnce(&Operand<T>, &Operand<T>) -> Result<Option<(T, T)>>,
) -> Result<Vec<Option<Relevance<T>>>> {
    let [a, b] = exactly(operands)?;
    context.rule();
    let to = |operand: &Operand<T>, share: &Relevance<T>| {
        share.map(|channel| channel.sum_to(&operand.meta.shape)).map(Some)
    };
    if !b.depends {
        return Ok(vec![to(a, relevance)?, None]);
    }
    if !a.depends {
        return Ok(vec![None, to(b, relevance)?]);
    }
    let Some((factor_a, factor_b)) = factors(a, b)? else { return Ok(vec![to(a, relevance)?, None]) };
    let (share_a, share_b) = product_shares(&factor_a, &factor_b, relevance, context)?;
    Ok(vec![to(a, &share_a)?, to(b, &share_b)?])
}

/// The shares of both factors, in the shape of the product.
fn product_shares<T: Tensor>(
    a: &T,
    b: &T,
    relevance: &Relevance<T>,
    context: &mut Context<'_, T>,
) -> Result<(Relevance<T>, Relevance<T>)> {
    let part = |part: f64| relevance.map(|channel| channel.scale(part));
    match (context.rule(), relevance.mode()) {
        (Rule::Half, _) => Ok((part(0.5)?, part(0.5)?)),
        (Rule::First(_), _) => Ok((relevance.clone(), part(0.0)?)),
        (Rule::Second(_), _) => Ok((part(0.0)?, relevance.clone())),
        (Rule::Magnitude, _) => by_size(b, a, relevance, context),
        (_, Mode::Default) => by_distance(a, b, relevance.first()),
        (_, Mode::Contrastive) => by_size(a, b, relevance, context),
    }
}

/// a takes |a(b−1)| / (|a(b−1)| + |b(a−1)|), or half if both are 0.
fn by_distance<T: Tensor>(a: &T, b: &T, relevance: &T) -> Result<(Relevance<T>, Relevance<T>)> {
    let weight = |x: &T, other: &T| x.mul(&other.affine(1.0, -1.0)?)?.abs();
    let (weight_a, weight_b) = (weight(a, b)?, weight(b, a)?);
    let both = weight_a.add(&weight_b)?;
    let (mut part_a, _) = weight_a.quotient(&both)?;
    let negligible = both.dtype().negligible();
    if both.least()? < negligible {
        part_a = part_a.accumulate(&both.less_than(negligible)?.scale(0.5)?)?;
    }
    let share_a = part_a.multiplied(relevance)?;
    let share_b = relevance.sub(&share_a)?;
    Ok((Relevance::default_mode(share_a), Relevance::default_mode(share_b)))
}

/// a takes |b| / (|a|+|b|); lost if both are 0.
fn by_size<T: Tensor>(
    a: &T,
    b: &T,
    relevance: &Relevance<T>,
    context: &mut Context<'_, T>,
) -> Result<(Relevance<T>, Relevance<T>)> {
    let (weight_a, weight_b) = (b.abs()?, a.abs()?);
    let both = weight_a.add(&weight_b)?;
    let neither = both.greater_than(0.0)?.complement()?;
    // In the product's shape, whatever the shapes of the factors.
    let (part_a, _) = weight_a.broadcast_to(&both.shape())?.quotient(&both)?;
    let part_b = part_a.complement()?.sub(&neither)?;
    let lost: Amount = relevance.measure(|channel| channel.mul(&neither)?.total())?;
    context.lose(Loss::ZeroDenominator, lost);
    Ok((relevance.map(|channel| channel.mul(&part_a))?, relevance.map(|channel| channel.mul(&part_b))?))
}
