//! The fast paths of torch's own transformer modules, lowered as the parts of their slow paths (rules §4).

use super::parts::{self, Operand, computed};
use super::{Entry, nested};
use crate::arguments::Arguments;
use crate::lowering::Lowering;
use dlbacktrace_core::ops::{Attention, Bundle, MatMul, Norm, Pass, Reduce, Statistics};
use dlbacktrace_core::{Error, Family, Function, Result, Tensor};
use dlbacktrace_torch_recorder::Call;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_data(&["aten::_native_multi_head_attention"], Family::Product, multi_head_attention).parts(),
    Entry::by_data(&["aten::_transformer_encoder_layer_fwd"], Family::Product, encoder_layer).parts(),
];

/// Outputs: the attended values, and the attention map if requested.
fn multi_head_attention(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let [query, key, value] = ["query", "key", "value"].map(|name| lowering.operand(call.tensor(name)?));
    let attention = MultiHead::new(lowering, call, "num_head")?;
    let heads = attention.heads(lowering, [&query?, &key?, &value?])?;
    let output = attention.attend(lowering, &heads)?;
    if !call.flag("need_weights") {
        return parts::finish(lowering, call, output);
    }
    let map = attention.map(lowering, &heads, call.flag("average_attn_weights"))?;
    lowering.step(call, Box::new(Bundle), vec![output, map])
}

/// x + attention, x + feed-forward, with a norm before or after each.
fn encoder_layer(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let mut x = lowering.operand(call.tensor("src")?)?;
    let mut attention = MultiHead::new(lowering, call, "num_heads")?;
    // Samples of unequal length come without a mask.
    if attention.mask.is_none()
        && let Some((padded, shown)) = nested::padded(lowering, call, &x)?
    {
        (x, attention.mask) = (padded, Some(shown));
    }
    let output = if call.flag("norm_first") {
        let normed = norm(lowering, call, &x, "1")?;
        let attended = attention.of_itself(lowering, &normed)?;
        let middle = lowering.writer.sum(&x, &attended)?;
        let normed = norm(lowering, call, &middle, "2")?;
        let fed = feed_forward(lowering, call, &normed)?;
        lowering.writer.sum(&middle, &fed)?
    } else {
        let attended = attention.of_itself(lowering, &x)?;
        let middle = lowering.writer.sum(&x, &attended)?;
        let middle = norm(lowering, call, &middle, "1")?;
        let fed = feed_forward(lowering, call, &middle)?;
        let output = lowering.writer.sum(&middle, &fed)?;
        norm(lowering, call, &output, "2")?
    };
    parts::finish(lowering, call, output)
}

fn norm(lowering: &mut Lowering, call: &Call, x: &Operand, which: &str) -> Result<Operand> {
    let width = *x.meta.shape.last().unwrap_or(&1) as i64;
    let parameter = |kind: &str| lowering.operand(call.tensor(&format!("norm_{kind}_{which}"))?);
    let (weight, bias) = (parameter("weight")?, parameter("bias")?);
    let epsilon = call.optional_number("eps").unwrap_or(1e-5);
    let axes = vec![x.meta.shape.len().saturating_sub(1)];
    let statistics = Statistics::Own { view: x.meta.shape.clone(), axes, centred: true };
    let norm = Norm { statistics, epsilon, scaled: true, shifted: true };
    let [gamma, beta] = [&weight, &bias].map(|x| x.data().map(|data| data.as_tch().shallow_clone()));
    let (gamma, beta) = (gamma?, beta?);
    parts::of_one(lowering, norm, x, vec![weight, bias], move |x| {
        x.f_layer_norm([width], Some(&gamma), Some(&beta), epsilon, false)
    })
}

fn feed_forward(lowering: &mut Lowering, call: &Call, x: &Operand) -> Result<Operand> {
    let layer = |lowering: &mut Lowering, x: &Operand, which: &str| {
        let weight = lowering.operand(call.tensor(&format!("ffn_weight_{which}"))?)?;
        let bias = lowering.operand(call.tensor(&format!("ffn_bias_{which}"))?)?;
        lowering.writer.linear(x, &weight, Some(&bias))
    };
    let wide = layer(lowering, x, "1")?;
    let active = match call.flag("use_gelu") {
        true => {
            parts::of_one(lowering, Pass::function(Function::Other), &wide, Vec::new(), |x| x.f_gelu("none"))?
        }
        false => parts::of_one(
            lowering,
            Pass::function(Function::Rectifier),
            &wide,
            Vec::new(),
            tch::Tensor::f_relu,
        )?,
    };
    layer(lowering, &active, "2")
}

/// Attention of several heads with its projections.
struct MultiHead {
    count: usize,
    packed_weight: Operand,
    packed_bias: Operand,
    weight: Operand,
    bias: Operand,
    /// True where a position takes part.
    mask: Option<Operand>,
}

impl MultiHead {
    fn new(lowering: &mut Lowering, call: &Call, count: &str) -> Result<Self> {
        let count = usize::try_from(call.int(count)?).ok().filter(|&count| count > 0);
        Ok(Self {
            count: count.ok_or_else(|| Error::Uncovered("attention needs at least one head".into()))?,
            packed_weight: lowering.operand(call.tensor("qkv_weight")?)?,
            packed_bias: lowering.operand(call.tensor("qkv_bias")?)?,
            weight: lowering.operand(call.tensor("proj_weight")?)?,
            bias: lowering.operand(call.tensor("proj_bias")?)?,
            mask: mask(lowering, call)?,
        })
    }

    /// Self-attention.
    fn of_itself(&self, lowering: &mut Lowering, x: &Operand) -> Result<Operand> {
        let heads = self.heads(lowering, [x, x, x])?;
        self.attend(lowering, &heads)
    }

    /// Query, key and value projected, `[N, heads, T, width]`. The projections of one value are one product.
    fn heads(&self, lowering: &mut Lowering, sources: [&Operand; 3]) -> Result<[Operand; 3]> {
        let [query, key, value] = sources.map(|source| source.value);
        let projected = if query == key && key == value {
            let packed = lowering.writer.linear(sources[0], &self.packed_weight, Some(&self.packed_bias))?;
            thirds(lowering, &packed, packed.meta.shape.len() - 1)?
        } else {
            let weights = thirds(lowering, &self.packed_weight, 0)?;
            let biases = thirds(lowering, &self.packed_bias, 0)?;
            let project =
                |index: usize| lowering.writer.linear(sources[index], &weights[index], Some(&biases[index]));
            three([0, 1, 2].map(project))?
        };
        three(projected.map(|x| {
            let [batch, length, width] = x.meta.shape[..] else {
                return Err(Error::Uncovered(format!(
                    "attention on shape {:?} instead of [N, T, C]",
                    x.meta.shape
                )));
            };
            let split = lowering.writer.reshape(&x, &[batch, length, self.count, width / self.count])?;
            lowering.writer.permute(&split, &[0, 2, 1, 3])
        }))
    }

    /// softmax(Q·Kᵀ / √width)·V, heads joined and projected.
    fn attend(&self, lowering: &mut Lowering, heads: &[Operand; 3]) -> Result<Operand> {
        let [query, key, value] = heads.each_ref().map(|head| head.data().map(|data| data.as_tch()));
        let (scale, shown) = (self.scale(&heads[0]), self.shown()?);
        let data = computed(tch::Tensor::f_scaled_dot_product_attention(
            query?, key?, value?, shown, 0.0, false, scale, false,
        ))?;
        let operands = heads.iter().chain(&self.mask).cloned().collect();
        let attended = lowering.writer.inner(Box::new(Attention { scale, causal: false }), operands, data);
        let joined = lowering.writer.permute(&attended, &[0, 2, 1, 3])?;
        let mut shape = joined.meta.shape[..2].to_vec();
        shape.push(joined.meta.shape[2..].iter().product());
        let joined = lowering.writer.reshape(&joined, &shape)?;
        lowering.writer.linear(&joined, &self.weight, Some(&self.bias))
    }

    /// The attention map softmax(Q·Kᵀ / √width), averaged over the heads on request.
    fn map(&self, lowering: &mut Lowering, heads: &[Operand; 3], average: bool) -> Result<Operand> {
        let [query, key, _] = heads;
        let scores = query.data()?.matmul(&key.data()?.transpose()?)?;
        let product = MatMul { transposed: true };
        let scores = lowering.writer.inner(Box::new(product), vec![query.clone(), key.clone()], scores);
        let (scale, shown) = (self.scale(query), self.shown()?.map(tch::Tensor::shallow_clone));
        let map =
            parts::of_one(lowering, Pass::function(Function::Softmax), &scores, Vec::new(), move |scores| {
                let mut masked = scores.f_mul_scalar(scale)?;
                if let Some(shown) = &shown {
                    masked = masked.f_masked_fill(&shown.f_logical_not()?, f64::NEG_INFINITY)?;
                }
                masked.f_softmax(-1, None::<tch::Kind>)
            })?;
        if !average {
            return Ok(map);
        }
        parts::of_one(lowering, Reduce { axes: vec![1] }, &map, Vec::new(), |map| {
            map.f_mean_dim(1, false, None::<tch::Kind>)
        })
    }

    fn scale(&self, head: &Operand) -> f64 {
        (*head.meta.shape.last().unwrap_or(&1) as f64).sqrt().recip()
    }

    fn shown(&self) -> Result<Option<&tch::Tensor>> {
        self.mask.as_ref().map(|mask| mask.data().map(|data| data.as_tch())).transpose()
    }
}

/// The mask of the call, which is true where a position is *hidden* and may have any element type. It is inverted and shaped for
/// `[N, heads, T, T]`. Types: 0 `[T, T]`, 1 `[N, T]` for the keys of each sample, 2 all axes.
fn mask(lowering: &mut Lowering, call: &Call) -> Result<Option<Operand>> {
    let Some(slot) = call.optional("mask") else { return Ok(None) };
    let given = lowering.operand(slot)?;
    let hidden = given.data()?.as_tch().f_to_kind(tch::Kind::Bool);
    let shown = computed(hidden.and_then(|hidden| hidden.f_logical_not()))?;
    let shown = match (call.int("mask_type").ok(), given.meta.shape.as_slice()) {
        (Some(1), &[batch, keys]) => shown.reshape(&[batch, 1, 1, keys])?,
        _ => shown,
    };
    Ok(Some(lowering.writer.constant(shown)))
}

/// Three parts of equal extent along an axis.
fn thirds(lowering: &mut Lowering, x: &Operand, axis: usize) -> Result<[Operand; 3]> {
    let third = x.meta.shape.get(axis).map_or(0, |extent| extent / 3);
    three([0, 1, 2].map(|index| lowering.writer.narrow(x, axis, index * third, third)))
}

fn three(results: [Result<Operand>; 3]) -> Result<[Operand; 3]> {
    let [a, b, c] = results;
    Ok([a?, b?, c?])
}
