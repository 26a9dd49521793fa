//! Complex numbers, of which the tape holds real and imaginary parts along one more axis. Rotary positions are often written in
//! them.

use super::parts::{Operand, finish};
use super::{Entry, Lower};
use crate::arguments::Arguments;
use crate::lowering::Lowering;
use dlbacktrace_core::ops::{Concat, Pass, Product, Sum};
use dlbacktrace_core::{Family, Function, Result, Tensor};
use dlbacktrace_torch_recorder::{Call, Keep, Slot};

pub(super) const ENTRIES: &[Entry] = &[Entry {
    names: &["aten::view_as_complex", "aten::view_as_real"],
    family: Family::Movement,
    keep: Keep::Indices,
    lower: Lower::Identity,
}];

/// Whether the operator's rule holds for complex numbers as well.
pub(crate) fn covers(operator: &str) -> bool {
    ["aten::mul", "aten::abs", "aten::absolute"].contains(&operator)
        || ENTRIES.iter().any(|entry| entry.names.contains(&operator))
}

/// (a + ib)(c + id) = (ac − bd) + i(ad + bc), by sums and products of elements. A real factor scales both parts.
pub(super) fn product(lowering: &mut Lowering, call: &Call) -> Result<()> {
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
pub(super) fn magnitude(lowering: &mut Lowering, call: &Call, x: &Slot) -> Result<()> {
    let x = lowering.operand(x)?;
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
