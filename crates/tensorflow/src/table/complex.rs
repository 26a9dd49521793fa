//! Complex numbers and their parts (rules, "Complex numbers").

use super::Entry;
use crate::Record;
use crate::lowering::{Lowering, input};
use dlbacktrace_core::ops::Slice;
use dlbacktrace_core::{Error, Family, Range, Result};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_shape(&["Complex"], Family::Movement, |lowering, record| {
        let [real, imaginary] = [input(record, 0)?, input(record, 1)?].map(|slot| lowering.unread(slot));
        let (op, operands) = lowering.writer.joined(real, imaginary)?;
        lowering.step(record, op, operands)
    })
    .of_complex(),
    Entry::by_shape(&["Real"], Family::Movement, |lowering, record| part(lowering, record, 0)).of_complex(),
    Entry::by_shape(&["Imag"], Family::Movement, |lowering, record| part(lowering, record, 1)).of_complex(),
    Entry::by_shape(&["Conj"], Family::Pass, |lowering, record| {
        let z = lowering.unread(input(record, 0)?);
        let (op, operands) = lowering.writer.conjugate(z);
        lowering.step(record, op, operands)
    })
    .of_complex(),
    Entry::by_data(&["ComplexAbs"], Family::WeightedSum, |lowering, record| {
        let z = lowering.operand(input(record, 0)?)?;
        let (op, operands) = lowering.writer.magnitude(&z)?;
        lowering.step(record, op, operands)
    })
    .of_complex(),
    Entry::by_data(&["Angle"], Family::Product, |lowering, record| {
        let z = lowering.operand(input(record, 0)?)?;
        let (op, operands) = lowering.writer.angle(&z)?;
        lowering.step(record, op, operands)
    })
    .of_complex(),
];

fn part(lowering: &mut Lowering, record: &Record, index: usize) -> Result<()> {
    let z = lowering.unread(input(record, 0)?);
    let mut region = Range::whole(&z.meta.shape);
    let parts = region.last_mut().filter(|_| z.meta.complex);
    *parts.ok_or_else(|| Error::Uncovered("real numbers have no parts".into()))? = Range::span(index, 1);
    lowering.step(record, Box::new(Slice { regions: vec![region] }), vec![z])
}
