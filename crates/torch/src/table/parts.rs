//! Operators as steps of their parts: what a part computes is computed again, for the next part's rule to read.

use crate::lowering::Lowering;
use crate::{TorchTensor, rearrange};
use dlbacktrace_core::ops::{Rearrange, Reshape};
use dlbacktrace_core::{Error, Result};
use dlbacktrace_torch_recorder::Call;
use tch::TchError;

pub(super) type Operand = dlbacktrace_core::Operand<TorchTensor>;

/// What libtorch computed, or its complaint.
pub(super) fn computed(result: std::result::Result<tch::Tensor, TchError>) -> Result<TorchTensor> {
    result.map(TorchTensor::from).map_err(|error| Error::tensor("part of an operator", error))
}

/// What the call returned first, in its compute type.
pub(super) fn result(lowering: &Lowering, call: &Call) -> Result<TorchTensor> {
    let output =
        call.outputs.first().ok_or_else(|| Error::Shape("the operator returned no tensor".into()))?;
    Ok(lowering.operand(&output.slot)?.data()?.clone())
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
    Ok(lowering.writer.inner(Box::new(Rearrange::new(index)), vec![x.clone()], data))
}

/// Closes an operator: its result is that of the last part, if need be under another shape.
pub(super) fn finish(lowering: &mut Lowering, call: &Call, last: Operand) -> Result<()> {
    lowering.step(call, Box::new(Reshape), vec![last])
}
