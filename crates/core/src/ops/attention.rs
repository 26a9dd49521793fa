//! Scaled dot-product attention in one operator (rules §4): gives the same relevance as attention written out.

use super::reduce::kept;
use super::softmax_expansion::first_order;
use super::{MatMul, Sum};
use crate::op::arrived;
use crate::rules::Rule;
use crate::tensor::BOUND;
use crate::{
    BacktraceOp, Context, DType, Error, Family, Loss, Operand, Relevance, Result, Role, RowBlock, Rows,
    Tensor, ValueId,
};

/// softmax(scale · Q·Kᵀ + mask)·V. Operands: Q `[…, H, L, E]`, K `[…, G, S, E]`, V `[…, G, S, F]` with H a multiple of G
/// (grouped heads), and possibly a mask that broadcasts to `[…, H, L, S]`: boolean (true takes part) or added.
#[derive(Debug, Clone)]
pub struct Attention {
    /// The factor on Q·Kᵀ.
    pub scale: f64,
    /// Whether position i sees only positions ≤ i.
    pub causal: bool,
}

/// Scores at or below this take no part. It is far below any score, yet finite, so that the rules compute no NaN.
const HIDDEN: f64 = -BOUND;

impl<T: Tensor> BacktraceOp<T> for Attention {
    fn family(&self) -> Family {
        Family::Product
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Attention
    }

    fn multiplies(&self, input: usize) -> bool {
        input < 3
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let [query, key, value, mask @ ..] = operands else {
            return Err(Error::Uncovered("attention takes a query, a key and a value".into()));
        };
        let relevance = arrived(arriving)?;
        let heads = Heads::new(query, key)?;
        let mut operands = vec![query.clone(), heads.repeat(key)?, heads.repeat(value)?];
        operands.extend(mask.first().cloned());
        let none = |operand: &Operand<T>| relevance.none(&operand.meta);
        let mut shares = operands
            .iter()
            .map(|operand| operand.depends.then(|| none(operand)).transpose())
            .collect::<Result<Vec<_>>>()?;

        let last = |operand: &Operand<T>| operand.meta.shape.last().copied().unwrap_or(1);
        let keys = key.meta.shape.iter().rev().nth(1).copied().unwrap_or(1);
        let mut scores = relevance.shape();
        scores.splice(scores.len() - 1.., [keys]);
        for block in RowBlock::of(&scores, self.causal) {
            let until = block.rows.start + block.rows.len;
            let seen = if self.causal { until.min(keys) } else { keys };
            let scores = RowBlock { columns: seen, inner: last(query), ..block };
            let result = RowBlock { columns: last(value), inner: seen, ..block };
            if result.reached(relevance)?.columns == 0 {
                continue;
            }
            let parts = [
                (scores, Rows::Left),
                (scores, Rows::Right { transposed: true }),
                (result, Rows::Right { transposed: false }),
                (scores, Rows::Same),
            ];
            let cut = operands.iter().zip(parts).map(|(operand, (block, rows))| block.operand(rows, operand));
            let cut = cut.collect::<Result<Vec<_>>>()?;
            let arrived = relevance.map(|channel| result.cut(Rows::Same, channel))?;
            let found = self.rows(&cut, block.rows.start, &arrived, context)?;
            for ((whole, share), (block, rows)) in shares.iter_mut().zip(found).zip(parts) {
                if let (Some(sum), Some(share)) = (whole.take(), share) {
                    *whole = Some(block.add(rows, sum, &share)?);
                }
            }
        }
        shares[1] = heads.gather(shares[1].take(), key)?;
        shares[2] = heads.gather(shares[2].take(), value)?;
        Ok(shares)
    }
}

impl Attention {
    /// The shares of the operands for some rows of queries, beginning with row `first`.
    fn rows<T: Tensor>(
        &self,
        operands: &[Operand<T>],
        first: usize,
        relevance: &Relevance<T>,
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let [query, key, value, mask @ ..] = operands else { return Ok(Vec::new()) };

        // Computes forward again, because only Q, K, V and the mask were kept.
        let scaled = query.data()?.scale(self.scale)?;
        let scores = scaled.matmul(&key.data()?.transpose()?)?;
        let added = mask.first().filter(|mask| mask.meta.dtype != DType::Bool);
        let masked = match added {
            Some(mask) => scores.add(&mask.data()?.bounded()?)?,
            None => scores.clone(),
        };
        let attention = self.softmax(&masked, first, mask.first())?;

        let depends = query.depends || key.depends;
        let attention = operand(attention, depends);
        let pair = [attention, value.clone()];
        let outcome = MatMul { transposed: false }.backtrace(&pair, &[Some(relevance.clone())], context)?;
        let [to_attention, to_value]: [_; 2] = two(outcome)?;
        let mut shares = vec![None; operands.len()];
        shares[2] = to_value;

        // An added mask is an operand of a sum; the scale is a constant factor.
        let Some(to_attention) = to_attention else { return Ok(shares) };
        let mut to_scores = through_softmax(&masked, pair[0].data()?, to_attention, context)?;
        if let Some(mask) = added {
            let terms = [operand(scores, depends), mask.holding(mask.data()?.bounded()?)];
            let [to_sum, to_mask]: [_; 2] =
                two(Sum::add().backtrace(&terms, &[Some(to_scores)], context)?)?;
            shares[3] = to_mask;
            let Some(to_sum) = to_sum else { return Ok(shares) };
            to_scores = to_sum;
        }
        if context.rule() == Rule::Gradient {
            to_scores = to_scores.map(|channel| channel.scale(self.scale))?;
        }
        let pair = [query.clone(), key.clone()];
        let product = MatMul { transposed: true };
        let [to_query, to_key]: [_; 2] = two(product.backtrace(&pair, &[Some(to_scores)], context)?)?;
        shares[0] = to_query;
        shares[1] = to_key;
        Ok(shares)
    }

    /// Softmax of the scores of the queries from `first` on, over what they see; 0 in a row that sees nothing.
    fn softmax<T: Tensor>(&self, scores: &T, first: usize, mask: Option<&Operand<T>>) -> Result<T> {
        let mut visible = scores.full(&[1, 1], 1.0)?;
        if self.causal
            && let [.., queries, keys] = scores.shape()[..]
        {
            let shown = |(i, j): (usize, usize)| f64::from(u8::from(j <= first + i));
            let lower = ndarray::Array2::from_shape_fn((queries, keys), shown);
            visible = scores.floats(lower.into_dyn().view())?;
        }
        if let Some(mask) = mask {
            let shown = match mask.meta.dtype {
                DType::Bool => mask.data()?.cast(scores.dtype())?,
                _ => mask.data()?.greater_than(HIDDEN)?,
            };
            visible = visible.mul(&shown)?;
        }
        let hidden = visible.complement()?.scale(HIDDEN)?;
        let attention = scores.add(&hidden)?.softmax()?;
        // A query without a mask sees something, so no row needs to become 0.
        if mask.is_some() { attention.mul(&visible) } else { Ok(attention) }
    }
}

/// Softmax passes relevance, or hands it on by its derivative, or by the first-order term of its expansion.
fn through_softmax<T: Tensor>(
    scores: &T,
    softmax: &T,
    relevance: Relevance<T>,
    context: &mut Context<'_, T>,
) -> Result<Relevance<T>> {
    let last = softmax.shape().len() - 1;
    match context.rule() {
        // s ⊙ R − s·Σ(s ⊙ R)
        Rule::Gradient => {
            let part = softmax.mul(relevance.first())?;
            Ok(Relevance::default_mode(part.sub(&softmax.mul(&part.sum(&[last], true)?)?)?))
        }
        Rule::Epsilon(_) => {
            let sums = kept(&softmax.shape(), &[last]);
            let share = first_order(scores, softmax, relevance.first(), &sums)?;
            let share = Relevance::default_mode(share);
            context.lose(Loss::Remainder, relevance.amount()? - share.amount()?);
            Ok(share)
        }
        // The weights are held fixed.
        Rule::Second(_) => {
            context.lose(Loss::Closed, relevance.amount()?);
            Ok(Relevance::default_mode(softmax.zeros(&softmax.shape())?))
        }
        _ => Ok(relevance),
    }
}

fn operand<T: Tensor>(data: T, depends: bool) -> Operand<T> {
    // A value that is not on the tape.
    Operand { depends, ..Operand::new(ValueId(usize::MAX), data) }
}

fn two<T: Tensor>(shares: Vec<Option<Relevance<T>>>) -> Result<[Option<Relevance<T>>; 2]> {
    shares.try_into().map_err(|_| Error::Uncovered("two operands make two shares".into()))
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
            return Err(Error::Uncovered(format!("{query_heads} query heads over {key_heads} key heads")));
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

    /// The adjoint of the repeat: the sum over the query heads that a key head serves.
    fn gather<T: Tensor>(
        &self,
        share: Option<Relevance<T>>,
        operand: &Operand<T>,
    ) -> Result<Option<Relevance<T>>> {
        let (Some(share), true) = (&share, self.repeats > 1) else { return Ok(share) };
        let (mut wide, _) = self.shapes(&operand.meta.shape);
        let axis = wide.len() - 3;
        wide[axis] = self.repeats;
        let gathered = share.map_conserving(|channel| {
            channel.reshape(&wide)?.sum(&[axis], false)?.reshape(&operand.meta.shape)
        })?;
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
