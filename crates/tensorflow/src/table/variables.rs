//! Variables: what a run writes to one is what it reads from it later.

use super::Entry;
use crate::Record;
use crate::lowering::{Assigned, Lowering, input};
use dlbacktrace_core::ops::{Constant, Pass, Unruled};
use dlbacktrace_core::{Family, Operand, Result, ValueId};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_shape(&["ReadVariableOp"], Family::Constant, read).of_complex(),
    Entry::by_shape(&["AssignVariableOp"], Family::Pass, |lowering, record| write(lowering, record, true))
        .of_complex(),
    Entry::by_shape(
        &[
            "AssignAddVariableOp",
            "AssignSubVariableOp",
            "ResourceScatterAdd",
            "ResourceScatterSub",
            "ResourceScatterUpdate",
            "ResourceScatterMul",
            "ResourceScatterDiv",
            "ResourceScatterMax",
            "ResourceScatterMin",
            "ResourceScatterNdAdd",
            "ResourceScatterNdSub",
            "ResourceScatterNdUpdate",
            "ResourceStridedSliceAssign",
        ],
        Family::Unruled,
        |lowering, record| write(lowering, record, false),
    )
    .of_complex(),
];

/// Reads a variable: what this run wrote to it, or a constant known by the variable's name.
fn read(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let name = lowering.framework.variable(input(record, 0)?).map(str::to_owned);
    if let Some(Assigned { values, whole }) =
        name.as_ref().and_then(|name| lowering.framework.assigned.get(name))
    {
        let meta = |value: &ValueId| lowering.writer.tape.meta(*value).clone();
        let operands = values.iter().map(|value| Operand::shape_only(*value, meta(value))).collect();
        if *whole {
            return lowering.step(record, Box::new(Pass::identity()), operands);
        }
        let reason = Some("a variable that was changed in part has no rule".into());
        return lowering.step(record, Box::new(Unruled { reason, ..Unruled::default() }), operands);
    }
    if let (Some(name), Some(output)) = (name, record.outputs.first()) {
        lowering.framework.stored.insert(output.value.0, Some(name));
    }
    lowering.step(record, Box::new(Constant), Vec::new())
}

/// Writes to a variable: it takes the value of an input (`whole`), or inputs change it.
fn write(lowering: &mut Lowering, record: &Record, whole: bool) -> Result<()> {
    let Some(name) = lowering.framework.variable(input(record, 0)?).map(str::to_owned) else { return Ok(()) };
    let written = record.inputs[1..].iter().map(|slot| slot.value);
    let assigned = lowering.framework.assigned.entry(name).or_insert(Assigned { values: Vec::new(), whole });
    if whole {
        assigned.values.clear();
    }
    assigned.whole = whole;
    assigned.values.extend(written);
    Ok(())
}
