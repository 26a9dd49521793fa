//! Complex numbers, of which the tape holds real and imaginary parts along one more axis. Rotary positions are often written in
//! them.

use super::parts::{Operand, finish};
use super::{Entry, Lower, fourier};
use crate::arguments::Arguments;
use crate::lowering::{Lowering, slots};
use crate::rearrange;
use dlbacktrace_core::ops::{Concat, Pad, Pass, Product, Reshape, Sum, Unruled};
use dlbacktrace_core::{Error, Family, Function, Result, Tensor};
use dlbacktrace_torch_recorder::{Call, Keep};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        names: &["aten::view_as_complex", "aten::view_as_real"],
        family: Family::Movement,
        keep: Keep::Indices,
        lower: Lower::Identity,
    },
    Entry::by_shape(&["aten::complex"], Family::Movement, joined),
    Entry::by_shape(&["aten::_conj", "aten::conj_physical", "aten::_conj_physical"], Family::Pass, conjugate),
];

/// Lowers a call that takes or makes complex numbers, by the entry of its operator.
pub(crate) fn lower(lowering: &mut Lowering, call: &Call, entry: Option<&Entry>) -> Result<()> {
    let Some(entry) = entry else { return lowering.all(call, Box::new(Unruled::default())) };
    match (call.base.as_str(), &entry.lower) {
        ("aten::mul", _) if call.optional("other").is_some() => product(lowering, call),
        ("aten::mul" | "aten::div", Lower::By(lower)) if call.optional_number("other").is_some() => {
            lower(lowering, call)
        }
        (_, Lower::Function(function @ Function::Scale(_))) => {
            let operand = lowering.unread(call.tensor("self")?);
            lowering.step(call, Box::new(Pass::function(*function)), vec![operand])
        }
        ("aten::abs" | "aten::absolute", _) => magnitude(lowering, call),
        ("aten::add" | "aten::sub", Lower::By(lower)) if both(lowering, call) => lower(lowering, call),
        (name, Lower::By(lower)) if of_complex(name) => lower(lowering, call),
        (_, Lower::Identity) => converted(lowering, call),
        _ if entry.family == Family::Movement => rearrange::lower(lowering, call),
        _ => lowering.all(call, Box::new(Unruled::default())),
    }
}

/// Whether an operator's own rule is of complex numbers.
fn of_complex(name: &str) -> bool {
    ENTRIES.iter().chain(fourier::ENTRIES).any(|entry| entry.names.contains(&name))
}

/// Whether `self` and `other` are complex.
fn both(lowering: &Lowering, call: &Call) -> bool {
    ["self", "other"].iter().all(|name| call.optional(name).is_some_and(|slot| lowering.is_complex(slot)))
}

/// The same numbers, or real ones as complex.
fn converted(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let slot = slots(call).next().ok_or_else(|| Error::Shape("nothing is converted".into()))?;
    let (operand, output) = (lowering.unread(slot), lowering.output_shape(call)?);
    let shape = operand.meta.shape.clone();
    if shape == output {
        return lowering.step(call, Box::new(Pass::identity()), vec![operand]);
    }
    if lowering.is_complex(slot) {
        return Err(Error::Shape("leaving imaginary parts out by a cast has no rule".into()));
    }
    let real = lowering.writer.inner_shape(Box::new(Reshape), vec![operand], [&shape[..], &[1]].concat());
    let mut after = vec![0; output.len()];
    after[shape.len()] = 1;
    lowering.step(call, Box::new(Pad { before: vec![0; output.len()], after }), vec![real])
}

/// The other sign of the imaginary part.
fn conjugate(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let operand = lowering.unread(call.tensor("self")?);
    lowering.step(call, Box::new(Pass::function(Function::Other)), vec![operand])
}

/// Real and imaginary parts, side by side.
fn joined(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let parts = [call.tensor("real")?, call.tensor("imag")?].map(|slot| lowering.unread(slot));
    if parts[0].meta.shape != parts[1].meta.shape {
        return Err(Error::Shape("real and imaginary parts of different shapes have no rule".into()));
    }
    let axis = parts[0].meta.shape.len();
    lowering.step(call, Box::new(Concat { axis, new_axis: true }), parts.into())
}

/// (a + ib)(c + id) = (ac − bd) + i(ad + bc), by sums and products of elements. A real factor scales both parts.
fn product(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let [x, y] = [call.tensor("self")?, call.tensor("other")?];
    let (left, right) = (lowering.operand(x)?, lowering.operand(y)?);
    match (lowering.is_complex(x), lowering.is_complex(y)) {
        (true, true) => {
            let ([a, b], [c, d]) = (parts(lowering, &left)?, parts(lowering, &right)?);
            let (ac, bd) = (lowering.writer.product(&a, &c)?, lowering.writer.product(&b, &d)?);
            let (ad, bc) = (lowering.writer.product(&a, &d)?, lowering.writer.product(&b, &c)?);
            let difference = Sum { factors: vec![1.0, -1.0], constant: 0.0 };
            let data = ac.data()?.sub(bd.data()?)?;
            let axis = data.shape().len() - 1;
            let real = lowering.writer.inner(Box::new(difference), vec![ac, bd], data);
            let imaginary = lowering.writer.sum(&ad, &bc)?;
            lowering.step(call, Box::new(Concat { axis, new_axis: false }), vec![real, imaginary])
        }
        (true, false) => {
            let right = for_both(lowering, &right)?;
            lowering.step(call, Box::new(Product), vec![left, right])
        }
        _ => {
            let left = for_both(lowering, &left)?;
            lowering.step(call, Box::new(Product), vec![left, right])
        }
    }
}

/// √(a² + b²), as it would be written out: passes, and a sum.
fn magnitude(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let x = lowering.operand(call.tensor("self")?)?;
    let [a, b] = parts(lowering, &x)?;
    let [a, b] = [square(lowering, &a)?, square(lowering, &b)?];
    let sum = lowering.writer.sum(&a, &b)?;
    finish(lowering, call, sum)
}

fn square(lowering: &mut Lowering, x: &Operand) -> Result<Operand> {
    let data = x.data()?.mul(x.data()?)?;
    Ok(lowering.writer.pass(Pass::function(Function::Power(2.0)), x, data))
}

/// Real and imaginary part, of one entry along the last axis each.
fn parts(lowering: &mut Lowering, x: &Operand) -> Result<[Operand; 2]> {
    let axis = x.meta.shape.len().saturating_sub(1);
    Ok([lowering.writer.narrow(x, axis, 0, 1)?, lowering.writer.narrow(x, axis, 1, 1)?])
}

/// A real number as a factor of both parts.
fn for_both(lowering: &mut Lowering, x: &Operand) -> Result<Operand> {
    let shape: Vec<usize> = x.meta.shape.iter().copied().chain([1]).collect();
    lowering.writer.reshape(x, &shape)
}
