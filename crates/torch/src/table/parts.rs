//! Operators as steps of their parts. The result of each part is computed again, because the rule of the next part reads it.

use crate::TorchTensor;
use crate::lowering::Lowering;
use dlbacktrace_core::ops::Reshape;
use dlbacktrace_core::{Error, Result};
use dlbacktrace_torch_recorder::Call;
use tch::TchError;

pub(super) type Operand = dlbacktrace_core::Operand<TorchTensor>;

/// What libtorch computed, or its error.
pub(super) fn computed(result: std::result::Result<tch::Tensor, TchError>) -> Result<TorchTensor> {
    result.map(TorchTensor::from).map_err(|error| Error::tensor("part of an operator", error))
}

/// The first tensor that the call returned, in its compute type.
pub(super) fn result(lowering: &Lowering, call: &Call) -> Result<TorchTensor> {
    let output =
        call.outputs.first().ok_or_else(|| Error::Uncovered("the operator returned no tensor".into()))?;
    Ok(lowering.operand(&output.slot)?.data()?.clone())
}

/// Closes an operator: its result is that of the last part, reshaped if needed.
pub(super) fn finish(lowering: &mut Lowering, call: &Call, last: Operand) -> Result<()> {
    lowering.step(call, Box::new(Reshape), vec![last])
}
