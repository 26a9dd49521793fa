//! Complex numbers, of which the tape holds real and imaginary parts along one more axis. Rotary positions are often written in
//! them.

use super::parts::{Operand, computed, finish};
use super::{Entry, Lower, fourier, spectra};
use crate::arguments::Arguments;
use crate::lowering::{Lowering, slots};
use crate::rearrange;
use dlbacktrace_core::ops::{Concat, Constant, Pad, Pass, Product, Quotient, Reshape, Sum, Unruled};
use dlbacktrace_core::{Error, Family, Function, Result, Tensor};
use dlbacktrace_torch_recorder::{Call, Keep, Slot};

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
        ("aten::div", _) if call.optional("other").is_some() => quotient(lowering, call),
        ("aten::matmul" | "aten::mm" | "aten::bmm" | "aten::mv", _) => {
            let second = ["other", "mat2", "vec"].into_iter().find_map(|name| call.optional(name));
            let second = second.map_or_else(|| call.tensor("other"), Ok)?;
            expanded(lowering, call, [call.tensor("self")?, second], |lowering, a, b| {
                lowering.writer.matmul(a, b)
            })
        }
        ("aten::einsum", _) => einsum(lowering, call),
        ("aten::mul" | "aten::div", Lower::By(lower)) if call.optional_number("other").is_some() => {
            if call.optional_number("other") > Some(0.0) {
                let spectrum = spectra::known(lowering, call.tensor("self")?);
                spectra::keep(lowering, call, spectrum);
            }
            lower(lowering, call)
        }
        (_, Lower::Function(function @ Function::Scale(_))) => {
            let operand = lowering.unread(call.tensor("self")?);
            lowering.step(call, Box::new(Pass::function(*function)), vec![operand])
        }
        ("aten::abs" | "aten::absolute", _) => magnitude(lowering, call),
        ("aten::add" | "aten::sub" | "aten::copy", Lower::By(lower)) if both(lowering, call) => {
            lower(lowering, call)
        }
        (_, Lower::Constant) => lowering.all(call, Box::new(Constant)),
        (name, Lower::By(lower)) if of_complex(name) => lower(lowering, call),
        (_, Lower::Identity) => converted(lowering, call),
        ("aten::unsqueeze", _) => {
            rearrange::lower(lowering, call)?;
            spectra::unsqueezed(lowering, call)
        }
        _ if entry.family == Family::Movement => rearrange::lower(lowering, call),
        _ => lowering.all(call, Box::new(Unruled::default())),
    }
}

/// Whether an operator's own rule is of complex numbers.
fn of_complex(name: &str) -> bool {
    ENTRIES.iter().chain(fourier::ENTRIES).any(|entry| entry.names.contains(&name))
}

/// Whether both operands are complex.
fn both(lowering: &Lowering, call: &Call) -> bool {
    let other = call.optional("other").or(call.optional("src"));
    [call.optional("self"), other].into_iter().all(|slot| slot.is_some_and(|slot| lowering.is_complex(slot)))
}

/// The same numbers, or real ones as complex.
fn converted(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let slot = slots(call).next().ok_or_else(|| Error::Uncovered("nothing is converted".into()))?;
    let (operand, output) = (lowering.unread(slot), lowering.output_shape(call)?);
    if operand.meta.shape == output {
        return lowering.step(call, Box::new(Pass::identity()), vec![operand]);
    }
    if lowering.is_complex(slot) {
        return Err(Error::Uncovered("leaving imaginary parts out by a cast has no rule".into()));
    }
    from_real(lowering, call, operand)
}

/// Real numbers as complex ones without an imaginary part.
pub(super) fn from_real(lowering: &mut Lowering, call: &Call, real: Operand) -> Result<()> {
    let rank = real.meta.shape.len();
    let shape = [&real.meta.shape[..], &[1]].concat();
    let real = lowering.writer.inner_shape(Box::new(Reshape), vec![real], shape);
    let after = [vec![0; rank], vec![1]].concat();
    lowering.step(call, Box::new(Pad { before: vec![0; rank + 1], after }), vec![real])
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
        return Err(Error::Uncovered("real and imaginary parts of different shapes have no rule".into()));
    }
    let axis = parts[0].meta.shape.len();
    lowering.step(call, Box::new(Concat { axis, new_axis: true }), parts.into())
}

/// Of two complex factors; a real one scales both parts.
fn product(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let [x, y] = [call.tensor("self")?, call.tensor("other")?];
    if both(lowering, call) {
        let known = spectra::known(lowering, x).zip(spectra::known(lowering, y));
        spectra::keep(lowering, call, known.and_then(|(x, y)| x.product(&y)));
        return expanded(lowering, call, [x, y], |lowering, a, b| lowering.writer.product(a, b));
    }
    let factors = [for_both(lowering, call, x)?, for_both(lowering, call, y)?];
    lowering.step(call, Box::new(Product), factors.into())
}

/// By a real divisor.
fn quotient(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let [x, divisor] = [call.tensor("self")?, call.tensor("other")?];
    if lowering.is_complex(divisor) {
        return Err(Error::Uncovered("a division by complex numbers has no rule".into()));
    }
    let operands = [for_both(lowering, call, x)?, for_both(lowering, call, divisor)?];
    // What counts something, as the number of points of a transform, depends on nothing.
    if !lowering.meta(divisor).dtype.is_float() && operands[1].data()?.least()? > 0.0 {
        let spectrum = spectra::known(lowering, x);
        spectra::keep(lowering, call, spectrum);
    }
    lowering.step(call, Box::new(Quotient), operands.into())
}

/// (a + ib)(c + id) = (ac − bd) + i(ad + bc), by sums and the given products of real numbers.
fn expanded(
    lowering: &mut Lowering,
    call: &Call,
    factors: [&Slot; 2],
    multiply: impl Fn(&mut Lowering, &Operand, &Operand) -> Result<Operand>,
) -> Result<()> {
    let [x, y] = factors.map(|slot| {
        let factor = lowering.operand(slot)?;
        parts(lowering, &factor)
    });
    let ([a, b], [c, d]) = (x?, y?);
    let (ac, bd) = (multiply(lowering, &a, &c)?, multiply(lowering, &b, &d)?);
    let (ad, bc) = (multiply(lowering, &a, &d)?, multiply(lowering, &b, &c)?);
    let difference = Sum { factors: vec![1.0, -1.0], constant: 0.0 };
    let data = ac.data()?.sub(bd.data()?)?;
    let axis = data.shape().len();
    let real = lowering.writer.inner(Box::new(difference), vec![ac, bd], data);
    let imaginary = lowering.writer.sum(&ad, &bc)?;
    lowering.step(call, Box::new(Concat { axis, new_axis: true }), vec![real, imaginary])
}

/// Of two complex tensors, as layers in the spectrum have it.
fn einsum(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let slots: Vec<&Slot> = call.tensors("tensors")?.into_iter().flatten().collect();
    let (&[x, y], Some(equation)) = (&slots[..], call.text("equation")) else {
        return Err(Error::Uncovered("an einsum of complex tensors has a rule only for two of them".into()));
    };
    expanded(lowering, call, [x, y], |lowering, a, b| {
        let data = [a.data()?.as_tch(), b.data()?.as_tch()];
        let data = computed(tch::Tensor::f_einsum(equation, &data, None::<i64>))?;
        let (op, operands) = lowering.writer.einsum(equation, vec![a.clone(), b.clone()], &[])?;
        Ok(lowering.writer.inner(op, operands, data))
    })?;
    spectra::paired(lowering, call, [x, y], equation)
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

/// Real and imaginary part.
fn parts(lowering: &mut Lowering, x: &Operand) -> Result<[Operand; 2]> {
    let axis = x.meta.shape.len().saturating_sub(1);
    let [real, imaginary] = [0, 1].map(|part| {
        let part = lowering.writer.narrow(x, axis, part, 1)?;
        lowering.writer.reshape(&part, &x.meta.shape[..axis])
    });
    Ok([real?, imaginary?])
}

/// A factor or divisor of both parts, if it is a real one; a complex one is both parts.
fn for_both(lowering: &mut Lowering, call: &Call, slot: &Slot) -> Result<Operand> {
    let x = lowering.number(call, slot)?;
    if lowering.is_complex(slot) {
        return Ok(x);
    }
    let shape: Vec<usize> = x.meta.shape.iter().copied().chain([1]).collect();
    lowering.writer.reshape(&x, &shape)
}
