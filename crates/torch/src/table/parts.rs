//! Operators as steps of their parts: what a part computes is computed again, for the next part's rule to read.

use crate::lowering::Lowering;
use crate::{TorchTensor, rearrange};
use dlbacktrace_core::ops::{Constant, MatMul, Pass, Permute, Rearrange, Reshape, Slice, Sum};
use dlbacktrace_core::{Error, Range, Result, Tensor};
use dlbacktrace_torch_recorder::Call;
use tch::TchError;

pub(super) type Operand = dlbacktrace_core::Operand<TorchTensor>;

/// What libtorch computed, or its complaint.
pub(super) fn computed(result: std::result::Result<tch::Tensor, TchError>) -> Result<TorchTensor> {
    result.map(TorchTensor::from).map_err(|error| Error::tensor("part of an operator", error))
}

/// A value that no relevance reaches.
pub(super) fn constant(lowering: &mut Lowering, data: TorchTensor) -> Operand {
    lowering.inner(Box::new(Constant), Vec::new(), data)
}

/// What the call returned first, in its compute type.
pub(super) fn result(lowering: &Lowering, call: &Call) -> Result<TorchTensor> {
    let output =
        call.outputs.first().ok_or_else(|| Error::Shape("the operator returned no tensor".into()))?;
    Ok(lowering.operand(&output.slot)?.data()?.clone())
}

/// The product of a linear layer, x·Wᵀ + b.
pub(super) fn linear(
    lowering: &mut Lowering,
    x: &Operand,
    weight: &Operand,
    bias: &Operand,
) -> Result<Operand> {
    let data = x.data()?.matmul(&weight.data()?.transpose()?)?.add(bias.data()?)?;
    let operands = vec![x.clone(), weight.clone(), bias.clone()];
    Ok(lowering.inner(Box::new(MatMul { transposed: true }), operands, data))
}

/// a + b
pub(super) fn sum(lowering: &mut Lowering, a: &Operand, b: &Operand) -> Result<Operand> {
    let data = a.data()?.add(b.data()?)?;
    Ok(lowering.inner(Box::new(Sum::add()), vec![a.clone(), b.clone()], data))
}

/// A function or norm of x, with the values it takes.
pub(super) fn pass(lowering: &mut Lowering, pass: Pass, x: &Operand, data: TorchTensor) -> Operand {
    lowering.inner(Box::new(pass), vec![x.clone()], data)
}

/// A regular part.
pub(super) fn slice(lowering: &mut Lowering, x: &Operand, region: Vec<Range>) -> Result<Operand> {
    let data = x.data()?.slice(&region)?;
    Ok(lowering.inner(Box::new(Slice { regions: vec![region] }), vec![x.clone()], data))
}

/// `len` indices of an axis from `start`.
pub(super) fn narrow(
    lowering: &mut Lowering,
    x: &Operand,
    axis: usize,
    start: usize,
    len: usize,
) -> Result<Operand> {
    let mut region: Vec<Range> = x.meta.shape.iter().map(|&extent| Range::full(extent)).collect();
    *region.get_mut(axis).ok_or_else(|| Error::Shape(format!("no axis {axis}")))? = Range::span(start, len);
    slice(lowering, x, region)
}

/// The same elements under another shape.
pub(super) fn reshape(lowering: &mut Lowering, x: &Operand, shape: &[usize]) -> Result<Operand> {
    let data = x.data()?.reshape(shape)?;
    Ok(lowering.inner(Box::new(Reshape), vec![x.clone()], data))
}

/// Axes in another order.
pub(super) fn permute(lowering: &mut Lowering, x: &Operand, order: &[usize]) -> Result<Operand> {
    let data = x.data()?.permute(order)?;
    Ok(lowering.inner(Box::new(Permute { order: order.to_vec() }), vec![x.clone()], data))
}

/// Elements moved by a map that moves any tensor's alike.
pub(super) fn moved(
    lowering: &mut Lowering,
    x: &Operand,
    map: impl Fn(&tch::Tensor) -> std::result::Result<tch::Tensor, TchError>,
) -> Result<Operand> {
    let numbers = computed(map(&rearrange::numbers(&x.meta.shape)?))?;
    let data = computed(map(x.data()?.as_tch()))?;
    let index = rearrange::to_index(numbers.as_tch())?;
    Ok(lowering.inner(Box::new(Rearrange::new(index)), vec![x.clone()], data))
}

/// Closes an operator: its result is that of the last part, if need be under another shape.
pub(super) fn finish(lowering: &mut Lowering, call: &Call, last: Operand) -> Result<()> {
    lowering.step(call, Box::new(Reshape), vec![last])
}
