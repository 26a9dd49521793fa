//! Operators as steps of their parts. The result of each part is computed again, because the rule of the next part reads it.

use crate::TorchTensor;
use crate::lowering::Lowering;
use dlbacktrace_core::ops::Reshape;
use dlbacktrace_core::{BacktraceOp, Derivative, Error, Result, ValueId, WholeCall};
use dlbacktrace_torch_recorder::Call;
use std::fmt;
use tch::TchError;

pub(super) type Operand = dlbacktrace_core::Operand<TorchTensor>;

/// What libtorch computed, or its error.
pub(super) fn computed(result: std::result::Result<tch::Tensor, TchError>) -> Result<TorchTensor> {
    result.map(TorchTensor::from).map_err(|error| Error::tensor("part of an operator", error))
}

/// Adds a step for what `compute` makes of one operand; `others` are constants that its rule reads. Rules that need its derivative
/// run it once more, by autograd.
pub(super) fn of_one(
    lowering: &mut Lowering,
    op: impl BacktraceOp<TorchTensor> + 'static,
    x: &Operand,
    others: Vec<Operand>,
    compute: impl Fn(&tch::Tensor) -> std::result::Result<tch::Tensor, TchError> + Send + 'static,
) -> Result<Operand> {
    let data = computed(compute(x.data()?.as_tch()))?;
    let operands = std::iter::once(x.clone()).chain(others).collect();
    let made = lowering.writer.inner(Box::new(op), operands, data);
    if lowering.reads.more() {
        let derivative = Box::new(OfOne { x: x.data()?.clone(), compute });
        let (first, outputs) = (lowering.writer.tape.steps.len() - 1, vec![made.value]);
        if let Some(last) = lowering.writer.tape.steps.last_mut() {
            last.call = Some(WholeCall { first, outputs, derivative });
        }
    }
    Ok(made)
}

/// The derivative of a function of one tensor, by autograd.
struct OfOne<F> {
    x: TorchTensor,
    compute: F,
}

impl<F> fmt::Debug for OfOne<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfOne").field("x", &self.x).finish_non_exhaustive()
    }
}

impl<F: Fn(&tch::Tensor) -> std::result::Result<tch::Tensor, TchError> + Send> Derivative<TorchTensor>
    for OfOne<F>
{
    fn adjoint(
        &self,
        wanted: &[ValueId],
        arriving: &[Option<TorchTensor>],
    ) -> Result<Vec<Option<TorchTensor>>> {
        let [Some(arrived)] = arriving else { return Ok(vec![None; wanted.len()]) };
        let x = self.x.as_tch().detach().set_requires_grad(true);
        let found = tch::with_grad(|| {
            let product = (self.compute)(&x)?.f_mul(arrived.as_tch())?;
            tch::Tensor::f_run_backward(&[product.f_sum(None::<tch::Kind>)?], &[&x], false, false)
        });
        let found = found.map_err(|error| Error::tensor("the derivative of an operator's part", error))?;
        Ok(found.into_iter().map(|found| Some(TorchTensor::from(found))).collect())
    }
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
