//! Nested tensors, which torch's encoder makes from samples of unequal length (rules §5). On the tape they are padded to the
//! longest sample; what lies beyond a sample's end is a constant that nothing reads.

use super::Entry;
use super::parts::{self, Operand, computed};
use crate::TorchTensor;
use crate::arguments::Arguments;
use crate::lowering::Lowering;
use dlbacktrace_core::ops::{Pad, Select, Slice};
use dlbacktrace_core::{Error, Family, Range, Result, Tensor};
use dlbacktrace_torch_recorder::{Call, Input, call_operator};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_result(&["aten::_nested_tensor_from_mask"], Family::Movement, from_mask),
    Entry::by_data(&["aten::to_padded_tensor", "aten::nested_to_padded_tensor"], Family::Movement, to_padded),
];

/// The elements of `[N, T, C]` where the mask holds.
fn from_mask(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let whole = lowering.operand(call.tensor("t")?)?;
    let mask = lowering.operand(call.tensor("mask")?)?;
    let result = parts::result(lowering, call)?;
    let lengths = lengths(&result).ok_or_else(|| Error::Uncovered("the result is not nested".into()))?;
    let mut shape = whole.meta.shape.clone();
    let mut column = mask.meta.shape.clone();
    column.push(1);
    let mask = mask.data()?.reshape(&column)?;
    let data = whole.data()?.mul(&mask.cast(whole.data()?.dtype())?)?;
    let mask = lowering.writer.constant(mask);
    let kept = lowering.writer.inner(Box::new(Select { a: Some(1), b: None }), vec![mask, whole], data);
    if let Some(extent) = shape.get_mut(1) {
        *extent = longest(&lengths)?;
    }
    let regions = vec![shape.iter().map(|&extent| Range::full(extent)).collect()];
    declare(lowering, call, shape);
    lowering.step(call, Box::new(Slice { regions }), vec![kept])
}

/// Pads each sample with constants to the requested size.
fn to_padded(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let nested = lowering.operand(call.tensor("self")?)?;
    let unknown = || Error::Uncovered("this nested tensor was made by an operator without a rule".into());
    let lengths = lengths(nested.data()?).ok_or_else(unknown)?;
    let (wanted, shape) = (lowering.output_shape(call)?, nested.meta.shape.clone());
    let after: Vec<usize> =
        wanted.iter().zip(&shape).filter_map(|(wanted, extent)| wanted.checked_sub(*extent)).collect();
    if after.len() != wanted.len() || after.len() != shape.len() {
        return Err(unknown());
    }
    let mask = lowering.writer.constant(within(&lengths)?.reshape(&[shape[0], shape[1], 1])?);
    let data = padded_data(&nested)?.mul(&mask.data()?.cast(nested.meta.dtype.compute())?)?;
    let kept = lowering.writer.inner(Box::new(Select { a: Some(1), b: None }), vec![mask, nested], data);
    lowering.step(call, Box::new(Pad { before: vec![0; after.len()], after }), vec![kept])
}

/// A nested operand, padded, and a mask `[N, 1, 1, T]` that is true where samples have elements. `None` if it is not nested. The
/// result of the call gets the operand's shape.
pub(super) fn padded(
    lowering: &mut Lowering,
    call: &Call,
    x: &Operand,
) -> Result<Option<(Operand, Operand)>> {
    let Some(lengths) = lengths(x.data()?) else { return Ok(None) };
    let data = padded_data(x)?;
    let shape = data.shape();
    let shown = within(&lengths)?;
    let shown = shown.reshape(&[shown.shape()[0], 1, 1, shown.shape()[1]])?;
    let shown = lowering.writer.constant(shown);
    declare(lowering, call, shape);
    Ok(Some((Operand { data: Some(data), ..x.clone() }, shown)))
}

fn padded_data(nested: &Operand) -> Result<TorchTensor> {
    let tensor = Input::Tensor(nested.data()?.as_tch().shallow_clone());
    first(call_operator("aten::to_padded_tensor", "", vec![tensor, Input::Float(0.0)]))
}

/// The extent of each sample along its first axis; `None` if the tensor is not nested.
fn lengths(tensor: &TorchTensor) -> Option<TorchTensor> {
    let tensor = Input::Tensor(tensor.as_tch().shallow_clone());
    let sizes = first(call_operator("aten::_nested_tensor_size", "", vec![tensor])).ok()?;
    computed(sizes.as_tch().f_select(1, 0)).ok()
}

/// `[N, T]`, true where a sample has an element.
fn within(lengths: &TorchTensor) -> Result<TorchTensor> {
    let places = tch::Tensor::f_arange(longest(lengths)? as i64, tch::kind::INT64_CPU);
    computed(places.and_then(|places| places.f_less_tensor(&lengths.as_tch().f_unsqueeze(1)?)))
}

fn longest(lengths: &TorchTensor) -> Result<usize> {
    Ok(lengths
        .to_indices()?
        .iter()
        .copied()
        .max()
        .and_then(|longest| usize::try_from(longest).ok())
        .unwrap_or(0))
}

fn first(
    results: std::result::Result<Vec<tch::Tensor>, dlbacktrace_torch_recorder::Error>,
) -> Result<TorchTensor> {
    let results = results.map_err(|error| Error::tensor("reading a nested tensor", error))?;
    let first = results.into_iter().next().map(TorchTensor::from);
    first.ok_or_else(|| Error::tensor("reading a nested tensor", "no result"))
}

/// Gives the call's result, which has no regular shape, a shape on the tape.
fn declare(lowering: &mut Lowering, call: &Call, shape: Vec<usize>) {
    let value = call.outputs.first().map(|output| output.slot.value.0);
    if let Some(meta) = value.and_then(|value| lowering.writer.tape.values.get_mut(value)) {
        meta.shape = shape;
    }
}
