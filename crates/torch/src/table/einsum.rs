//! Einstein sums (rules §2 and §4).

use super::Entry;
use crate::arguments::Arguments;
use crate::lowering::Lowering;
use dlbacktrace_core::{Family, Result};
use dlbacktrace_torch_recorder::Call;

pub(super) const ENTRIES: &[Entry] = &[Entry::by_data(&["aten::einsum"], Family::WeightedSum, einsum)];

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
