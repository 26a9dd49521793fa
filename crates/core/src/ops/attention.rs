//! Scaled dot-product attention in one operator (rules §4): equal to attention written out.

use super::MatMul;
use crate::op::arrived;
use crate::ops::Sum;
use crate::tensor::BOUND;
use crate::{
    BacktraceOp, Context, DType, Error, Family, Operand, Relevance, Result, Role, Tensor, Unary, ValueId,
};

/// softmax(scale · Q·Kᵀ + mask)·V. Operands: Q `[…, H, L, E]`, K `[…, G, S, E]`, V `[…, G, S, F]` with H a
/// multiple of G (grouped heads), and a mask that broadcasts to `[…, H, L, S]` if any: boolean (true takes
/// part) or added.
#[derive(Debug, Clone)]
pub struct Attention {
    /// The factor on Q·Kᵀ.
    pub scale: f64,
    /// Whether position i sees only positions ≤ i.
    pub causal: bool,
}

/// Scores at or below this take no part; far below any score, yet finite, so that the arithmetic of the
/// rules stays clean.
const HIDDEN: f64 = -BOUND;

impl<T: Tensor> BacktraceOp<T> for Attention {
    fn family(&self) -> Family {
        Family::Product
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Attention
    }

    fn backtrace(
        &self,
        inputs: &[Operand<T>],
        outputs: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let [query, key, value, mask @ ..] = inputs else {
            return Err(Error::Shape("attention takes a query, a key and a value".into()));
        };
        let relevance = arrived(outputs)?;
        let heads = Heads::new(query, key)?;
        let (grouped_key, grouped_value) = (heads.repeat(key)?, heads.repeat(value)?);
        let product = MatMul { transposed: true };

        // Forward again: only Q, K, V and the mask were kept.
        let scores = query.data()?.matmul(&grouped_key.data()?.transpose()?)?.scale(self.scale)?;
        let visible = self.visible(&scores, mask.first())?;
        let added = mask.first().filter(|mask| mask.meta.dtype != DType::Bool);
        let masked = match added {
            Some(mask) => scores.add(&mask.data()?.bounded()?)?,
            None => scores.clone(),
        };
        let attention = softmax(&masked, &visible)?;

        let depends = query.depends || key.depends;
        let attention = operand(attention, depends);
        let pair = [attention, grouped_value];
        let outcome = MatMul { transposed: false }.backtrace(&pair, &[Some(relevance.clone())], context)?;
        let [to_attention, to_value]: [_; 2] = two(outcome)?;
        let mut shares = vec![None; inputs.len()];
        shares[2] = heads.gather(to_value, value)?;

        // Softmax passes; an added mask is an operand of a sum; the scale is a constant factor.
        let Some(mut to_scores) = to_attention else { return Ok(shares) };
        if let Some(mask) = added {
            let mut mask = mask.clone();
            mask.data = Some(mask.data()?.bounded()?);
            let terms = [operand(scores, depends), mask];
            let [to_sum, to_mask]: [_; 2] =
                two(Sum::add().backtrace(&terms, &[Some(to_scores)], context)?)?;
            shares[3] = to_mask;
            let Some(to_sum) = to_sum else { return Ok(shares) };
            to_scores = to_sum;
        }
        let pair = [query.clone(), grouped_key];
        let [to_query, to_key]: [_; 2] = two(product.backtrace(&pair, &[Some(to_scores)], context)?)?;
        shares[0] = to_query;
        shares[1] = heads.gather(to_key, key)?;
        Ok(shares)
    }
}

impl Attention {
    /// 1 where a position takes part, of a shape that broadcasts to the scores.
    fn visible<T: Tensor>(&self, scores: &T, mask: Option<&Operand<T>>) -> Result<T> {
        let mut visible = scores.full(&[1, 1], 1.0)?;
        if self.causal
            && let [.., queries, keys] = scores.shape()[..]
        {
            let lower = ndarray::Array2::from_shape_fn((queries, keys), |(i, j)| f64::from(u8::from(j <= i)));
            visible = scores.floats(lower.into_dyn().view())?;
        }
        if let Some(mask) = mask {
            let shown = match mask.meta.dtype {
                DType::Bool => mask.data()?.cast(scores.dtype())?,
                _ => mask.data()?.greater_than(HIDDEN)?,
            };
            visible = visible.mul(&shown)?;
        }
        Ok(visible)
    }
}

/// Softmax over the last axis; a row without a visible position is 0.
fn softmax<T: Tensor>(scores: &T, visible: &T) -> Result<T> {
    let last = scores.shape().len() - 1;
    let hidden = visible.complement()?.scale(HIDDEN)?;
    let shifted = scores.add(&hidden)?;
    let exponential = shifted.sub(&shifted.max_over(&[last])?)?.unary(Unary::Exp)?.mul(visible)?;
    Ok(exponential.quotient(&exponential.sum(&[last], true)?)?.0)
}

fn operand<T: Tensor>(data: T, depends: bool) -> Operand<T> {
    // A value of its own: it stands for no recorded one.
    Operand { depends, ..Operand::new(ValueId(usize::MAX), data) }
}

fn two<T: Tensor>(shares: Vec<Option<Relevance<T>>>) -> Result<[Option<Relevance<T>>; 2]> {
    shares.try_into().map_err(|_| Error::Shape("two operands make two shares".into()))
}

/// Grouped-query heads: each key head serves `repeats` query heads.
struct Heads {
    repeats: usize,
}

impl Heads {
    fn new<T: Tensor>(query: &Operand<T>, key: &Operand<T>) -> Result<Self> {
        let (q, k) = (&query.meta.shape, &key.meta.shape);
        let heads = |shape: &[usize]| shape.len().checked_sub(3).map_or(1, |axis| shape[axis]);
        let (query_heads, key_heads) = (heads(q), heads(k));
        let grouped = q.len() == k.len() && key_heads > 1 && query_heads > key_heads;
        if grouped && query_heads % key_heads != 0 {
            return Err(Error::Shape(format!("{query_heads} query heads over {key_heads} key heads")));
        }
        Ok(Self { repeats: if grouped { query_heads / key_heads } else { 1 } })
    }

    /// `[…, G, S, E]` → `[…, G·repeats, S, E]`.
    fn repeat<T: Tensor>(&self, operand: &Operand<T>) -> Result<Operand<T>> {
        if self.repeats == 1 {
            return Ok(operand.clone());
        }
        let (split, shape) = self.shapes(&operand.meta.shape);
        let mut wide = split.clone();
        let axis = wide.len() - 3;
        wide[axis] = self.repeats;
        let mut repeated = operand.clone();
        repeated.data = Some(operand.data()?.reshape(&split)?.broadcast_to(&wide)?.reshape(&shape)?);
        repeated.meta.shape = shape;
        Ok(repeated)
    }

    /// The repeat's adjoint: the sum over the heads a key head serves.
    fn gather<T: Tensor>(
        &self,
        share: Option<Relevance<T>>,
        operand: &Operand<T>,
    ) -> Result<Option<Relevance<T>>> {
        let (Some(share), true) = (&share, self.repeats > 1) else { return Ok(share) };
        let (mut wide, _) = self.shapes(&operand.meta.shape);
        let axis = wide.len() - 3;
        wide[axis] = self.repeats;
        let gathered = share
            .rearrange(|channel| channel.reshape(&wide)?.sum(&[axis], false)?.reshape(&operand.meta.shape))?;
        Ok(Some(gathered))
    }

    /// `[…, G, 1, S, E]` and `[…, G·repeats, S, E]`.
    fn shapes(&self, shape: &[usize]) -> (Vec<usize>, Vec<usize>) {
        let axis = shape.len() - 3;
        let mut split = shape.to_vec();
        split.insert(axis + 1, 1);
        let mut full = shape.to_vec();
        full[axis] *= self.repeats;
        (split, full)
    }
}
