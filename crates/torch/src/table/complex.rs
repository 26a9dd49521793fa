//! Operators between real and complex numbers (rules, "Complex numbers"). Models often write rotary positions with these.

use super::{Entry, Lower};
use crate::arguments::Arguments;
use crate::lowering::Lowering;
use dlbacktrace_core::{Family, Result};
use dlbacktrace_torch_recorder::{Call, Keep};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::new(
        &["aten::view_as_complex", "aten::view_as_real"],
        Family::Pass,
        Keep::Indices,
        Lower::Identity,
    )
    .of_complex(),
    Entry::by_shape(&["aten::complex"], Family::Movement, joined).of_complex(),
    Entry::by_shape(&["aten::_conj", "aten::conj_physical", "aten::_conj_physical"], Family::Pass, conjugate)
        .of_complex(),
];

/// Complex numbers from real and imaginary parts.
fn joined(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let [real, imaginary] = [call.tensor("real")?, call.tensor("imag")?].map(|slot| lowering.unread(slot));
    let (op, operands) = lowering.writer.joined(real, imaginary)?;
    lowering.step(call, op, operands)
}

fn conjugate(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let operand = lowering.unread(call.tensor("self")?);
    let (op, operands) = lowering.writer.conjugate(operand);
    lowering.step(call, op, operands)
}
