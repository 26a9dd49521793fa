//! Einstein sums (rules §2 and §4).

use super::Entry;
use crate::Record;
use crate::lowering::Lowering;
use dlbacktrace_core::{Error, Family, Result};

pub(super) const ENTRIES: &[Entry] = &[Entry::by_data(&["Einsum"], Family::WeightedSum, einsum)];

fn einsum(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let operands = record.inputs.iter().map(|slot| lowering.operand(slot)).collect::<Result<Vec<_>>>()?;
    let no_equation = || Error::Shape("there is no equation".into());
    let equation = record.operation.text("equation").ok_or_else(no_equation)?;
    let (op, operands) = lowering.writer.einsum(equation, operands, &[])?;
    lowering.step(record, op, operands)
}
