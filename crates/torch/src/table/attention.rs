//! Attention in one operator (rules §4).

use super::Entry;
use crate::arguments::Arguments;
use crate::lowering::Lowering;
use dlbacktrace_core::ops::Attention;
use dlbacktrace_core::rules::Kind;
use dlbacktrace_core::{Family, Result};
use dlbacktrace_torch_recorder::Call;

pub(super) const ENTRIES: &[Entry] =
    &[Entry::by_data(&["aten::scaled_dot_product_attention"], Family::Product, attention)
        .of_kinds(&[Kind::Attention])];

fn attention(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let mut operands = ["query", "key", "value"]
        .into_iter()
        .map(|name| lowering.operand(call.tensor(name)?))
        .collect::<Result<Vec<_>>>()?;
    let width = operands[0].meta.shape.last().copied().unwrap_or(1) as f64;
    if let Some(mask) = call.optional("attn_mask") {
        operands.push(lowering.operand(mask)?);
    }
    let scale = call.optional_number("scale").unwrap_or_else(|| width.sqrt().recip());
    lowering.step(call, Box::new(Attention { scale, causal: call.flag("is_causal") }), operands)
}
