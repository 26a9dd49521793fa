//! Rows looked up by index (rules §5).

use super::Entry;
use super::parts::computed;
use crate::arguments::{Arguments, axis};
use crate::lowering::Lowering;
use crate::rearrange;
use dlbacktrace_core::ops::{Constant, Embedding, IndexSelect, OneHot, Pass, Unruled};
use dlbacktrace_core::{DType, Error, Family, Result};
use dlbacktrace_torch_recorder::{Call, Slot};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_shape(&["aten::embedding"], Family::Embedding, |lowering, call| {
        embedding(lowering, call, call.tensor("weight")?, call.tensor("indices")?)
    }),
    Entry::by_shape(&["aten::index_select"], Family::Embedding, index_select),
    Entry::by_shape(&["aten::index"], Family::Embedding, index),
    Entry::by_shape(&["aten::_unique2", "aten::unique_consecutive"], Family::Pass, unique),
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

/// Rows are an embedding, whether the table is constant or moves.
fn index_select(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let (table, index) = (call.tensor("self")?, call.tensor("index")?);
    let rank = lowering.meta(table).shape.len();
    let axis = axis(call.int("dim")?, rank)?;
    if axis == 0 && rank > 0 {
        return embedding(lowering, call, table, index);
    }
    let operands = vec![lowering.unread(table), lowering.operand(index)?];
    lowering.step(call, Box::new(IndexSelect { axis }), operands)
}

/// table[tokens] is an embedding, where tokens may count from the end; by several indices elements move.
fn index(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let table = call.tensor("self")?;
    let indices = call.tensors("indices")?;
    if let [Some(tokens)] = indices.as_slice()
        && lowering.meta(tokens).dtype == DType::Int
        && let Some(&rows) = lowering.meta(table).shape.first()
    {
        let mut tokens = lowering.operand(tokens)?;
        tokens.data = Some(computed(tokens.data()?.as_tch().f_remainder(rows.max(1) as i64))?);
        let operands = vec![lowering.unread(table), tokens];
        return lowering.step(call, Box::new(Embedding), operands);
    }
    rearrange::lower(lowering, call)
}

/// Each token once, and which of these each was: tables are read by the former, but it is the latter that stands for a
/// token, so that each of several equal ones keeps its own relevance.
fn unique(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let tokens = lowering.unread(call.tensor("self")?);
    let [_, which, ..] = call.outputs.as_slice() else {
        return Err(Error::Shape("it returned no places".into()));
    };
    let placed = tokens.meta.shape == lowering.meta(&which.slot).shape;
    let mut made = lowering.made(call);
    if tokens.meta.dtype == DType::Int && !placed {
        // How many there are of each carries nothing.
        lowering.writer.step(Box::new(Constant), vec![tokens.clone()], made.split_off(1));
    }
    if tokens.meta.dtype != DType::Int || !placed {
        let reason = Some("only tokens are told apart, with the place of each".into());
        lowering.writer.step(Box::new(Unruled { reason, ..Unruled::default() }), vec![tokens], made);
        return Ok(());
    }
    let which = made.remove(1);
    lowering.writer.step(Box::new(Constant), vec![tokens.clone()], made);
    lowering.writer.step(Box::new(Pass::identity()), vec![tokens], vec![which]);
    Ok(())
}
