//! Einstein sums (rules §2 and §4).

use super::{Entry, parts};
use crate::arguments::Arguments;
use crate::lowering::Lowering;
use dlbacktrace_core::ops::Sum;
use dlbacktrace_core::{Family, Result, Tensor};
use dlbacktrace_torch_recorder::Call;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_data(&["aten::einsum"], Family::WeightedSum, einsum).of_complex(),
    Entry::by_result(&["aten::bilinear"], Family::WeightedSum, bilinear),
];

fn einsum(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let operands = call
        .tensors("tensors")?
        .into_iter()
        .flatten()
        .map(|slot| lowering.operand(slot))
        .collect::<Result<Vec<_>>>()?;
    let path = call.ints("path").unwrap_or_default();
    let path: Vec<usize> = path.into_iter().map(|place| place as usize).collect();
    let equation = call.text("equation").unwrap_or_default();
    let (op, operands) = lowering.writer.einsum(equation, operands, &path)?;
    lowering.step(call, op, operands)
}

/// y_o = Σ x_i W_oij z_j + b, as an einsum: a linear map of x, then products with z.
fn bilinear(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let operand = |name| lowering.operand(call.tensor(name)?);
    let operands = vec![operand("input1")?, operand("weight")?, operand("input2")?];
    let bias = call.optional("bias").map(|slot| lowering.operand(slot)).transpose()?;
    let (op, operands) = lowering.writer.einsum("...i,oij,...j->...o", operands, &[])?;
    let Some(bias) = bias else { return lowering.step(call, op, operands) };
    let product = parts::result(lowering, call)?.sub(bias.data()?)?;
    let product = lowering.writer.inner(op, operands, product);
    lowering.step(call, Box::new(Sum::add()), vec![product, bias])
}
