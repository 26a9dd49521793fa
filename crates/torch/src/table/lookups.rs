//! Rows looked up by index (rules §5).

use super::Entry;
use crate::arguments::{Arguments, axis};
use crate::lowering::Lowering;
use crate::rearrange;
use dlbacktrace_core::ops::{Embedding, IndexSelect, OneHot};
use dlbacktrace_core::{DType, Family, Result};
use dlbacktrace_torch_recorder::{Call, Slot};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_shape(&["aten::embedding"], Family::Embedding, |lowering, call| {
        embedding(lowering, call, call.tensor("weight")?, call.tensor("indices")?)
    }),
    Entry::by_shape(&["aten::index_select"], Family::Embedding, index_select),
    Entry::by_shape(&["aten::index"], Family::Embedding, index),
    Entry::by_shape(&["aten::one_hot"], Family::Embedding, |lowering, call| {
        let tokens = lowering.unread(call.tensor("self")?);
        let axis = tokens.meta.shape.len();
        lowering.step(call, Box::new(OneHot { axis }), vec![tokens])
    }),
];

fn embedding(lowering: &mut Lowering, call: &Call, table: &Slot, tokens: &Slot) -> Result<()> {
    let operands = vec![lowering.unread(table), lowering.operand(tokens)?];
    lowering.step(call, Box::new(Embedding), operands)
}

/// Rows of a stored table are an embedding; elsewhere elements move.
fn index_select(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let (table, index) = (call.tensor("self")?, call.tensor("index")?);
    let axis = axis(call.int("dim")?, lowering.meta(table).shape.len())?;
    if axis == 0 && lowering.is_stored(table) {
        return embedding(lowering, call, table, index);
    }
    let operands = vec![lowering.unread(table), lowering.operand(index)?];
    lowering.step(call, Box::new(IndexSelect { axis }), operands)
}

/// table[tokens] of a stored table is an embedding; elsewhere elements move.
fn index(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let table = call.tensor("self")?;
    let indices = call.tensors("indices")?;
    if let [Some(tokens)] = indices.as_slice()
        && lowering.is_stored(table)
        && lowering.meta(tokens).dtype == DType::Int
    {
        return embedding(lowering, call, table, tokens);
    }
    rearrange::lower(lowering, call)
}
