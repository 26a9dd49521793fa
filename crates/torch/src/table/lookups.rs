//! Rows looked up by index (rules §5).

use super::Entry;
use super::parts::{Operand, computed};
use crate::arguments::{Arguments, axis};
use crate::lowering::Lowering;
use crate::rearrange;
use dlbacktrace_core::ops::{
    Constant, Embedding, Expand, IndexSelect, OneHot, Pass, Permute, Reshape, TokenArithmetic, Unruled,
};
use dlbacktrace_core::rules::Kind;
use dlbacktrace_core::{DType, Error, Family, Result, Tensor};
use dlbacktrace_torch_recorder::{Call, Slot};
use tch::TchError;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_shape(&["aten::embedding"], Family::Embedding, |lowering, call| {
        embedding(lowering, call, call.tensor("weight")?, call.tensor("indices")?)
    })
    .of_kinds(&[Kind::Embedding]),
    Entry::by_shape(&["aten::index_select"], Family::Embedding, index_select).by_parts(),
    Entry::by_shape(&["aten::index"], Family::Embedding, index).by_parts(),
    Entry::by_shape(&["aten::gather"], Family::Movement, |lowering, call| {
        let axis = call.int("dim")?;
        element(lowering, call, |numbers, index| numbers.f_gather(axis, index, false))
    })
    .by_parts(),
    Entry::by_shape(&["aten::take"], Family::Movement, |lowering, call| {
        element(lowering, call, tch::Tensor::f_take)
    })
    .by_parts(),
    Entry::by_shape(&["aten::take_along_dim"], Family::Movement, |lowering, call| {
        let axis = call.int("dim").ok();
        element(lowering, call, |numbers, index| numbers.f_take_along_dim(index, axis))
    })
    .by_parts(),
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

/// Sub-tensors along an axis are rows of the table with that axis first. Rows are an embedding, whether the table is constant
/// or moves.
fn index_select(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let (table, index) = (call.tensor("self")?, call.tensor("index")?);
    let shape = lowering.meta(table).shape;
    let axis = axis(call.int("dim")?, shape.len())?;
    if axis == 0 && !shape.is_empty() {
        return embedding(lowering, call, table, index);
    }
    let (table, index) = (lowering.unread(table), lowering.operand(index)?);
    if shape.is_empty() || !is_table(&table, call, lowering)? {
        return lowering.step(call, Box::new(IndexSelect { axis }), vec![table, index]);
    }
    let mut order: Vec<usize> = (0..shape.len()).collect();
    order.remove(axis);
    order.insert(0, axis);
    let back = (0..shape.len()).map(|axis| order.iter().position(|&from| from == axis).unwrap_or(axis));
    let back = Box::new(Permute { order: back.collect() });
    let mut turned: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
    let table = lowering.writer.inner_shape(Box::new(Permute { order }), vec![table], turned.clone());
    turned[0] = index.meta.shape.iter().product();
    let rows = lowering.writer.inner_shape(Box::new(Embedding), vec![table, index], turned);
    lowering.step(call, back, vec![rows])
}

/// table[tokens] is an embedding, where tokens may count from the end. Several indices name a row of the table with all their
/// axes merged: a pair of tokens is one name. Anything else is movement of elements.
fn index(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let table = lowering.unread(call.tensor("self")?);
    let indices = call.tensors("indices")?;
    let rank = table.meta.shape.len();
    let by_number = |slot: &Option<&Slot>| slot.is_some_and(|slot| lowering.meta(slot).dtype == DType::Int);
    let all = (1..=rank).contains(&indices.len()) && indices.iter().all(by_number);
    if !all || (indices.len() > 1 && !is_table(&table, call, lowering)?) {
        return rearrange::lower(lowering, call);
    }
    let (axes, width) = table.meta.shape.split_at(indices.len());
    let rows = [&[axes.iter().product()], width].concat();
    let names = named(lowering, axes, &indices)?;
    let table = match indices.len() {
        1 => table,
        _ => lowering.writer.inner_shape(Box::new(Reshape), vec![table], rows),
    };
    lowering.step(call, Box::new(Embedding), vec![table, names])
}

/// The names that several indices make together: the numbers of the rows that they name, counted over these axes.
pub(super) fn named(lowering: &mut Lowering, axes: &[usize], indices: &[Option<&Slot>]) -> Result<Operand> {
    let operands = indices.iter().flatten().map(|slot| lowering.operand(slot)).collect::<Result<Vec<_>>>()?;
    let given: Vec<_> = operands
        .iter()
        .map(|operand| Ok(Some(operand.data()?.as_tch().shallow_clone())))
        .collect::<Result<_>>()?;
    let rows = computed(rearrange::numbers(axes)?.f_index(&given))?;
    let rows = rearrange::to_index(rows.as_tch())?.reshape(&rows.shape())?;
    Ok(match <[Operand; 1]>::try_from(operands) {
        Ok([only]) => only.holding(rows),
        Err(several) => lowering.writer.inner(Box::new(TokenArithmetic), several, rows),
    })
}

/// Elements, each at its own index: a look-up in the table of all elements, by their numbers.
fn element(
    lowering: &mut Lowering,
    call: &Call,
    map: impl FnOnce(&tch::Tensor, &tch::Tensor) -> std::result::Result<tch::Tensor, TchError>,
) -> Result<()> {
    let table = lowering.unread(call.tensor("self")?);
    if !is_table(&table, call, lowering)? {
        return rearrange::lower(lowering, call);
    }
    let slot = call.optional("index").map_or_else(|| call.tensor("indices"), Ok)?;
    let index = lowering.operand(slot)?;
    let cells = computed(map(&rearrange::numbers(&table.meta.shape)?, index.data()?.as_tch()))?;
    let cells = rearrange::to_index(cells.as_tch())?.reshape(&cells.shape())?;
    let index = match cells.shape() == index.meta.shape {
        true => lowering.writer.pass(Pass::identity(), &index, cells),
        false => lowering.writer.inner(Box::new(Expand), vec![index], cells),
    };
    let count = vec![table.meta.shape.iter().product()];
    let table = lowering.writer.inner_shape(Box::new(Reshape), vec![table], count);
    lowering.step(call, Box::new(Embedding), vec![table, index])
}

/// Whether the tensor that is read is a table: numbers, or constants of the model. Tokens stay tokens wherever they move.
fn is_table(table: &Operand, call: &Call, lowering: &Lowering) -> Result<bool> {
    Ok(table.meta.dtype.is_float() || lowering.is_stored(call.tensor("self")?))
}

/// Lists each token once, and says for each token which of these it is. Tables are read by the list, but the second result
/// stands for the tokens, so that each of several equal ones keeps its own relevance.
fn unique(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let tokens = lowering.unread(call.tensor("self")?);
    let [_, which, ..] = call.outputs.as_slice() else {
        return Err(Error::Uncovered("the operator returned no places".into()));
    };
    let placed = tokens.meta.shape == lowering.meta(&which.slot).shape;
    let mut made = lowering.made(call);
    if tokens.meta.dtype == DType::Int && !placed {
        // The number of each carries nothing.
        lowering.writer.step(Box::new(Constant), vec![tokens.clone()], made.split_off(1));
    }
    if tokens.meta.dtype != DType::Int || !placed {
        let reason =
            Some("only tokens are deduplicated, and only if the operator returns the place of each".into());
        lowering.writer.step(Box::new(Unruled { reason, ..Unruled::default() }), vec![tokens], made);
        return Ok(());
    }
    let which = made.remove(1);
    lowering.writer.step(Box::new(Constant), vec![tokens.clone()], made);
    lowering.writer.step(Box::new(Pass::identity()), vec![tokens], vec![which]);
    Ok(())
}
