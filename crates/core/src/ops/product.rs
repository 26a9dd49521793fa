//! Element-wise products (rules §4).

use crate::op::arrived;
use crate::ops::exactly;
use crate::{Amount, BacktraceOp, Context, Family, Loss, Mode, Operand, Relevance, Result, Role, Tensor};

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

    fn backtrace(
        &self,
        inputs: &[Operand<T>],
        outputs: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        divide(inputs, arrived(outputs)?, context, |a, b| {
            // x·x is all x's.
            (a.value != b.value).then(|| Ok((a.data()?.clone(), b.data()?.clone()))).transpose()
        })
    }
}

/// What a product and a quotient share: a constant operand takes nothing, two that depend go by the product rule
/// on the `factors`; without factors all is the first operand's.
pub(super) fn divide<T: Tensor>(
    inputs: &[Operand<T>],
    relevance: &Relevance<T>,
    context: &mut Context<'_, T>,
    factors: impl FnOnce(&Operand<T>, &Operand<T>) -> Result<Option<(T, T)>>,
) -> Result<Vec<Option<Relevance<T>>>> {
    let [a, b] = exactly(inputs)?;
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

/// Default: a takes |a(b−1)| / (|a(b−1)| + |b(a−1)|), half when both are 0. Contrastive: |b| / (|a|+|b|),
/// lost when both are 0. Of the shape of the product.
fn product_shares<T: Tensor>(
    a: &T,
    b: &T,
    relevance: &Relevance<T>,
    context: &mut Context<'_, T>,
) -> Result<(Relevance<T>, Relevance<T>)> {
    let (weight_a, weight_b) = match relevance.mode() {
        Mode::Default => (a.mul(&b.affine(1.0, -1.0)?)?.abs()?, b.mul(&a.affine(1.0, -1.0)?)?.abs()?),
        Mode::Contrastive => (b.abs()?, a.abs()?),
    };
    let both = weight_a.add(&weight_b)?;
    let neither = both.greater_than(0.0)?.complement()?;
    // Of the product's shape, whatever the shapes of the factors.
    let weight_a = weight_a.broadcast_to(&both.shape())?;
    let (mut part_a, _) = weight_a.quotient(&both)?;
    let mut part_b = part_a.complement()?;
    match relevance.mode() {
        Mode::Default => {
            let half = neither.scale(0.5)?;
            (part_a, part_b) = (part_a.add(&half)?, part_b.sub(&half)?);
        }
        Mode::Contrastive => {
            part_b = part_b.sub(&neither)?;
            let lost: Amount = relevance.measure(|channel| channel.mul(&neither)?.total())?;
            context.lose(Loss::ZeroDenominator, lost);
        }
    }
    Ok((relevance.map(|channel| channel.mul(&part_a))?, relevance.map(|channel| channel.mul(&part_b))?))
}
