//! Movements of elements along axes that keep their order.

use super::TfTensor;
use super::conversion::{numbers, reshaped};
use super::layout::inverse;
use super::run::run;
use crate::eager::{Attributes, one_bool, one_int, one_type};
use crate::{DataType, Tensor as Handle};
use dlbacktrace_core::{Error, Result};
use std::ffi::CStr;

/// The stored axes that belong to these axes.
pub(super) fn stored_axes(operation: &'static str, x: &TfTensor, axes: &[usize]) -> Result<Vec<usize>> {
    let stored = axes.iter().map(|&axis| x.order().get(axis).copied()).collect::<Option<_>>();
    stored.ok_or_else(|| Error::tensor(operation, format!("{:?} has no such axes: {axes:?}", x.extents())))
}

/// The stored axis that belongs to an axis, for operators that take one.
fn stored_axis(operation: &'static str, x: &TfTensor, axis: usize) -> Result<Handle> {
    let axes = numbers(operation, x.stored(), &stored_axes(operation, x, &[axis])?)?;
    reshaped(operation, axes, &[])
}

pub(super) fn concat(parts: &[TfTensor], axis: usize) -> Result<TfTensor> {
    let name = "concat";
    let [first, others @ ..] = parts else {
        return Err(Error::tensor(name, "there is no tensor to concatenate"));
    };
    if others.is_empty() {
        return stored_axis(name, first, axis).map(|_| first.clone());
    }
    if let Some(other) = others.iter().find(|other| other.extents().len() != first.extents().len()) {
        return Err(Error::tensor(name, format!("{first:?} and {other:?} have different numbers of axes")));
    }
    let axis = stored_axis(name, first, axis)?;
    let mut inputs: Vec<Handle> =
        others.iter().map(|other| other.stored_as(first.order())).collect::<Result<_>>()?;
    inputs.push(axis);
    let attributes = one_int(c"N", parts.len() as i64)
        .and(one_type(c"T", first.stored().data_type()))
        .and(one_type(c"Tidx", DataType::INT64));
    let inputs: Vec<&Handle> = inputs.iter().collect();
    let joined = run(name, c"ConcatV2", &attributes, first.stored().clone(), &inputs)?;
    Ok(TfTensor::ordered(joined, first.order().to_vec()))
}

pub(super) fn flip(x: &TfTensor, axes: &[usize]) -> Result<TfTensor> {
    let name = "flip";
    if axes.is_empty() {
        return Ok(x.clone());
    }
    let axes = numbers(name, x.stored(), &stored_axes(name, x, axes)?)?;
    x.elementwise(name, c"ReverseV2", &[&axes])
}

pub(super) fn broadcast_to(x: &TfTensor, shape: &[usize]) -> Result<TfTensor> {
    let name = "broadcast_to";
    if x.extents() == shape {
        return Ok(x.clone());
    }
    let x = x.with_rank(shape.len())?;
    if x.extents().len() != shape.len() {
        return Err(Error::tensor(name, format!("{x:?} does not repeat to {shape:?}")));
    }
    let shape = numbers(name, x.stored(), &x.as_stored(shape))?;
    x.elementwise(name, c"BroadcastTo", &[&shape])
}

fn one_axis(operation: &'static str, index: &TfTensor) -> Result<usize> {
    match index.extents() {
        &[length] => Ok(length),
        shape => Err(Error::tensor(operation, format!("an index has one axis, not the shape {shape:?}"))),
    }
}

pub(super) fn index_select(x: &TfTensor, axis: usize, index: &TfTensor) -> Result<TfTensor> {
    let name = "index_select";
    one_axis(name, index)?;
    let axis = stored_axis(name, x, axis)?;
    x.elementwise(name, c"GatherV2", &[index.stored(), &axis])
}

/// Moves the axis to the front, where TensorFlow adds; works in place if nobody else holds the tensor.
pub(super) fn index_add(x: TfTensor, axis: usize, index: &TfTensor, source: &TfTensor) -> Result<TfTensor> {
    let name = "index_add";
    let length = one_axis(name, index)?;
    stored_axes(name, &x, &[axis])?;
    let mut expected = x.extents().to_vec();
    expected[axis] = length;
    if source.extents() != expected {
        return Err(Error::tensor(name, format!("{source:?} does not have the shape {expected:?}")));
    }
    let mut front: Vec<usize> = (0..expected.len()).collect();
    front[..=axis].rotate_right(1);
    let index = reshaped(name, index.to_tensor()?, &[length, 1])?;
    let source = source.permuted(&front)?.to_tensor()?;
    let moved = x.permuted(&front)?;
    drop(x);
    let target = moved.to_tensor()?;
    drop(moved);
    let sum = run(name, c"TensorScatterAdd", &Attributes::default(), target, &[&index, &source])?;
    TfTensor::from(sum).permuted(&inverse(&front))
}

/// Reduces over some axes, by an operator that takes these and whether they stay with extent 1.
pub(super) fn reduce(
    operation: &'static str,
    operator: &CStr,
    x: &TfTensor,
    axes: &[usize],
    keep: bool,
) -> Result<TfTensor> {
    if axes.is_empty() {
        return Ok(x.clone());
    }
    let reduced = stored_axes(operation, x, axes)?;
    let numbers = numbers(operation, x.stored(), &reduced)?;
    let attributes = one_bool(c"keep_dims", keep);
    let stored = run(operation, operator, &attributes, x.stored().clone(), &[&numbers])?;
    if keep {
        return Ok(TfTensor::ordered(stored, x.order().to_vec()));
    }
    let below = |axis: &usize| axis - reduced.iter().filter(|&gone| gone < axis).count();
    let order = x.order().iter().filter(|axis| !reduced.contains(axis)).map(below).collect();
    Ok(TfTensor::ordered(stored, order))
}

/// `[N, C, spatial…]` in TensorFlow's order, `[N, spatial…, C]`.
pub(super) fn channels_last(x: &TfTensor) -> Result<Handle> {
    let mut order: Vec<usize> = (0..x.extents().len()).collect();
    order[1..].rotate_left(1);
    x.permuted(&order)?.to_tensor()
}

/// Undoes [`channels_last`].
pub(super) fn channels_first(x: Handle) -> Result<TfTensor> {
    let x = TfTensor::from(x);
    let mut order: Vec<usize> = (0..x.extents().len()).collect();
    order[1..].rotate_right(1);
    x.permuted(&order)
}
