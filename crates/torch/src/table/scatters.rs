//! Elements that are written or added into others by index (rules §2, §3 and §5).

use super::Entry;
use super::lookups::named;
use super::parts::{self, Operand, computed};
use crate::arguments::{Arguments, axis};
use crate::lowering::Lowering;
use crate::{TorchTensor, rearrange};
use dlbacktrace_core::ops::{Expand, IndexAdd, IndexExtremum, Pass, Rearrange, Select, Slice, TokenScatter};
use dlbacktrace_core::{BacktraceOp, DType, Error, Family, Function, Range, Result, Tensor};
use dlbacktrace_torch_recorder::{Call, Slot};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_result(&["aten::index_add", "aten::index_reduce"], Family::WeightedSum, along_axis),
    Entry::by_result(&["aten::scatter_add", "aten::scatter_reduce"], Family::WeightedSum, scatter),
    Entry::by_result(&["aten::scatter"], Family::Movement, |lowering, call| match call.text("reduce") {
        Some(_) => scatter(lowering, call),
        None => written(lowering, call),
    })
    .by_parts(),
    Entry::by_result(&["aten::index_put"], Family::Movement, |lowering, call| {
        match call.flag("accumulate") {
            true => put(lowering, call),
            false => put_over(lowering, call),
        }
    })
    .by_parts(),
    Entry::by_result(&["aten::col2im"], Family::WeightedSum, fold),
    Entry::by_data(&["aten::bincount"], Family::Embedding, counts),
];

/// What the values that meet in a cell become.
#[derive(Clone, Copy, PartialEq)]
enum Collision {
    /// Their sum or mean; scaling a cell does not change the rule.
    Sum,
    /// The largest or the smallest.
    Extremum,
}

impl Collision {
    fn of(call: &Call) -> Result<Self> {
        match call.text("reduce") {
            None | Some("sum" | "add" | "mean") => Ok(Self::Sum),
            Some("amax" | "amin") => Ok(Self::Extremum),
            Some(other) => Err(Error::Uncovered(format!("values that meet by {other} have no rule"))),
        }
    }

    fn rule(self, axis: usize, index: TorchTensor, result: TorchTensor) -> Box<dyn BacktraceOp<TorchTensor>> {
        match self {
            Self::Sum => Box::new(IndexAdd { axis, index }),
            Self::Extremum => Box::new(IndexExtremum { axis, index, result }),
        }
    }
}

/// Sub-tensors that land along an axis.
fn along_axis(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let meeting = Collision::of(call)?;
    let mut source = lowering.operand(call.tensor("source")?)?;
    let mut base = lowering.operand(call.tensor("self")?)?;
    let mut result = parts::result(lowering, call)?;
    if base.meta.shape.is_empty() {
        // Scalars land as vectors of one element.
        (base, source) = (lowering.writer.reshape(&base, &[1])?, lowering.writer.reshape(&source, &[1])?);
        result = result.reshape(&[1])?;
    }
    let axis = axis(call.int("dim")?, base.meta.shape.len())?;
    let index = lowering.operand(call.tensor("index")?)?.data()?.reshape(&[source.meta.shape[axis]])?;
    if let Some(alpha) = call.optional_number("alpha").filter(|&alpha| alpha != 1.0) {
        let scaled = source.data()?.scale(alpha)?;
        source = lowering.writer.pass(Pass::function(Function::Scale(alpha)), &source, scaled);
    }
    let source = placed(lowering, call, source, axis)?;
    let base = taking_part(lowering, call, meeting, base, axis, &index)?;
    let shape = result.shape();
    let met = lowering.writer.inner_shape(meeting.rule(axis, index, result), vec![source, base], shape);
    parts::finish(lowering, call, met)
}

/// Sub-tensors placed by the indices that say where each goes; relevance of constant ones goes to the indices.
fn placed(lowering: &mut Lowering, call: &Call, source: Operand, axis: usize) -> Result<Operand> {
    let index = lowering.operand(call.tensor("index")?)?;
    let mut rows = vec![1; source.meta.shape.len()];
    rows[axis] = source.meta.shape[axis];
    let index = lowering.writer.reshape(&index, &rows)?;
    let everywhere = index.data()?.broadcast_to(&source.meta.shape)?;
    let index = lowering.writer.inner(Box::new(Expand), vec![index], everywhere);
    let data = source.data()?.clone();
    Ok(lowering.writer.inner(Box::new(TokenScatter), vec![source, index], data))
}

/// Elements that land along an axis, each at its own index.
fn scatter(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let meeting = Collision::of(call)?;
    let (base, index, source) = landing(lowering, call)?;
    let dim = call.int("dim")?;
    let numbers = rearrange::numbers(&base.meta.shape)?.f_gather(dim, index.as_tch(), false);
    let cells = rearrange::to_index(computed(numbers)?.as_tch())?;
    by_element(lowering, call, meeting, source, base, cells)
}

/// As [`scatter`], but only the last value that lands in a cell stays.
fn written(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let (base, index, source) = landing(lowering, call)?;
    let cells = rearrange::numbers(&base.meta.shape)?;
    let landing = rearrange::numbers(&source.meta.shape)?.f_add_scalar(cells.numel() as i64);
    let dim = call.int("dim")?;
    let written = computed(landing.and_then(|landing| cells.f_scatter(dim, index.as_tch(), &landing)))?;
    let indices = vec![rearrange::to_index(written.as_tch())?];
    lowering.step(call, Box::new(Rearrange::of(indices)), vec![base, source])
}

/// The base, the indices at which elements land, and these elements, as many as indices.
fn landing(lowering: &mut Lowering, call: &Call) -> Result<(Operand, TorchTensor, Operand)> {
    let base = lowering.operand(call.tensor("self")?)?;
    let index = lowering.operand(call.tensor("index")?)?;
    let value = match call.optional_number("value") {
        Some(value) => {
            let filled = base.data()?.full(&index.meta.shape, value)?;
            lowering.writer.constant(filled)
        }
        None => {
            let source = lowering.operand(call.tensor("src")?)?;
            let region = index.meta.shape.iter().map(|&extent| Range::full(extent)).collect();
            lowering.writer.slice(&source, region)?
        }
    };
    let (placed, places) = (value.data()?.clone(), index.data()?.clone());
    let source = lowering.writer.inner(Box::new(TokenScatter), vec![value, index], placed);
    Ok((base, places, source))
}

/// Values added at the cells that indices name.
fn put(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let base = lowering.operand(call.tensor("self")?)?;
    let chosen = cells(call, &rearrange::numbers(&base.meta.shape)?)?;
    let values = put_values(lowering, call, &base.meta.shape, &chosen.shape())?;
    let cells = rearrange::to_index(chosen.as_tch())?;
    by_element(lowering, call, Collision::Sum, values, base, cells)
}

/// As [`put`], but only the last value that lands in a cell stays.
fn put_over(lowering: &mut Lowering, call: &Call) -> Result<()> {
    if !by_numbers(lowering, call)? {
        return rearrange::lower(lowering, call);
    }
    let base = lowering.operand(call.tensor("self")?)?;
    let numbers = rearrange::numbers(&base.meta.shape)?;
    let shape = cells(call, &numbers)?.shape();
    let values = put_values(lowering, call, &base.meta.shape, &shape)?;
    let landing = rearrange::numbers(&shape)?.f_add_scalar(numbers.numel() as i64);
    let indices = indices(call)?;
    let written = computed(landing.and_then(|landing| numbers.f_index_put(&indices, &landing, false)))?;
    let moves = Rearrange::of(vec![rearrange::to_index(written.as_tch())?]);
    lowering.step(call, Box::new(moves), vec![base, values])
}

fn indices(call: &Call) -> Result<Vec<Option<tch::Tensor>>> {
    let slots = call.tensors("indices")?.into_iter();
    let tensor =
        |slot: Option<&Slot>| slot.and_then(|slot| slot.tensor.as_ref()).map(tch::Tensor::shallow_clone);
    Ok(slots.map(tensor).collect())
}

/// The numbers of the cells at which values are put.
fn cells(call: &Call, numbers: &tch::Tensor) -> Result<TorchTensor> {
    computed(numbers.f_index(&indices(call)?))
}

/// Whether all indices are integers that count along the first axes.
fn by_numbers(lowering: &Lowering, call: &Call) -> Result<bool> {
    let by_number = |slot: &Option<&Slot>| slot.is_some_and(|slot| lowering.meta(slot).dtype == DType::Int);
    Ok(call.tensors("indices")?.iter().all(by_number))
}

/// The values to put, one for each cell, placed by the indices.
fn put_values(lowering: &mut Lowering, call: &Call, base: &[usize], shape: &[usize]) -> Result<Operand> {
    let values = lowering.operand(call.tensor("values")?)?;
    let data = values.data()?.broadcast_to(shape)?;
    let values = lowering.writer.inner(Box::new(Expand), vec![values], data.clone());
    let slots = call.tensors("indices")?;
    if !by_numbers(lowering, call)? || slots.is_empty() || slots.len() > base.len() {
        return Ok(values);
    }
    let names = named(lowering, &base[..slots.len()], &slots)?;
    let mut rows = names.meta.shape.clone();
    rows.resize(shape.len(), 1);
    let names = lowering.writer.reshape(&names, &rows)?;
    let everywhere = names.data()?.broadcast_to(shape)?;
    let names = lowering.writer.inner(Box::new(Expand), vec![names], everywhere);
    Ok(lowering.writer.inner(Box::new(TokenScatter), vec![values, names], data))
}

/// Adds each element of the source to a cell of its own.
fn by_element(
    lowering: &mut Lowering,
    call: &Call,
    meeting: Collision,
    source: Operand,
    base: Operand,
    cells: TorchTensor,
) -> Result<()> {
    let (landing, count) = (cells.shape()[0], base.meta.shape.iter().product());
    let source = lowering.writer.reshape(&source, &[landing])?;
    let base = lowering.writer.reshape(&base, &[count])?;
    let base = taking_part(lowering, call, meeting, base, 0, &cells)?;
    let result = parts::result(lowering, call)?.reshape(&[count])?;
    let met = lowering.writer.inner_shape(meeting.rule(0, cells, result), vec![source, base], vec![count]);
    parts::finish(lowering, call, met)
}

/// The base, without the cells in which something landed if it takes no part in these.
fn taking_part(
    lowering: &mut Lowering,
    call: &Call,
    meeting: Collision,
    base: Operand,
    axis: usize,
    index: &TorchTensor,
) -> Result<Operand> {
    if call.optional_number("include_self") != Some(0.0) {
        return Ok(base);
    }
    let data = base.data()?.as_tch();
    let landed = data
        .f_zeros_like()
        .and_then(|zeros| zeros.f_index_fill(axis as i64, index.as_tch(), 1)?.f_to_kind(tch::Kind::Bool));
    let landed = computed(landed)?;
    // Nothing equals NaN, so it never wins.
    let absent = if meeting == Collision::Sum { 0.0 } else { f64::NAN };
    let data = computed(data.f_masked_fill(landed.as_tch(), absent))?;
    let landed = lowering.writer.constant(landed);
    Ok(lowering.writer.inner(Box::new(Select { a: None, b: Some(1) }), vec![landed, base], data))
}

/// The adjoint of im2col: adds columns where im2col read them, and drops the padding.
fn fold(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let columns = lowering.operand(call.tensor("self")?)?;
    let image = lowering.output_shape(call)?;
    let ints = |name| call.ints(name).unwrap_or_default();
    let read = rearrange::numbers(&image)?.f_im2col(
        ints("kernel_size"),
        ints("dilation"),
        ints("padding"),
        ints("stride"),
    );
    // Numbers start from 1, so that padding has cell 0 to itself.
    let cells = read.and_then(|read| read.f_reshape([-1])?.f_to_kind(tch::Kind::Int64));
    let (cells, count): (_, usize) = (computed(cells)?, image.iter().product());
    let columns = lowering.writer.reshape(&columns, &cells.shape())?;
    let add = IndexAdd { axis: 0, index: cells };
    let padded = lowering.writer.inner_shape(Box::new(add), vec![columns], vec![count + 1]);
    let regions = vec![vec![Range::span(1, count)]];
    let inside = lowering.writer.inner_shape(Box::new(Slice { regions }), vec![padded], vec![count]);
    parts::finish(lowering, call, inside)
}

/// How often each token occurs: a sum of ones, a one for each token.
fn counts(lowering: &mut Lowering, call: &Call) -> Result<()> {
    if call.optional("weights").is_some() {
        return Err(Error::Uncovered("counts of tokens with weights have no rule".into()));
    }
    let tokens = lowering.operand(call.tensor("self")?)?;
    let index = tokens.data()?.clone();
    let one_each = index.cast(DType::F32)?.full(&tokens.meta.shape, 1.0)?;
    let ones = lowering.writer.constant(one_each.clone());
    let ones = lowering.writer.inner(Box::new(TokenScatter), vec![ones, tokens], one_each);
    lowering.step(call, Box::new(IndexAdd { axis: 0, index }), vec![ones])
}
