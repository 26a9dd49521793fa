//! Triangular systems, as the substitution that solves them (rules, "Operators made of several"). Gated delta networks solve one
//! for each part of a text.

use super::Entry;
use super::parts;
use crate::arguments::Arguments;
use crate::lowering::Lowering;
use crate::written;
use dlbacktrace_core::ops::{MatMul, Sum};
use dlbacktrace_core::{Error, Family, Result, Tensor};
use dlbacktrace_torch_recorder::Call;

pub(super) const ENTRIES: &[Entry] =
    &[Entry::by_data(&["aten::linalg_solve_triangular"], Family::WeightedSum, solve)];

/// Row i of the solution is that of B minus the product of A and the rows before: xᵢ = bᵢ − aᵢ·x.
fn solve(lowering: &mut Lowering, call: &Call) -> Result<()> {
    if call.flag("upper") || !call.flag("left") || !call.flag("unitriangular") {
        return by_inverse(lowering, call);
    }
    let (a, b) = (lowering.operand(call.tensor("self")?)?, lowering.operand(call.tensor("B")?)?);
    let (lead, rows) = match (a.meta.shape.as_slice(), b.meta.shape.as_slice()) {
        ([lead_a @ .., rows, _], [lead_b @ .., _, _]) if lead_a == lead_b => (lead_a.len(), *rows),
        (a, b) => {
            return Err(Error::Uncovered(format!("a triangular system of {a:?} and {b:?} has no rule")));
        }
    };
    let mut solved = lowering.writer.narrow(&b, lead, 0, 1)?;
    for row in 1..rows {
        let given = lowering.writer.narrow(&b, lead, row, 1)?;
        let factors = lowering.writer.narrow(&a, lead, row, 1)?;
        let factors = lowering.writer.narrow(&factors, lead + 1, 0, row)?;
        let data = factors.data()?.matmul(solved.data()?)?;
        let product = MatMul { transposed: false };
        let before = lowering.writer.inner(Box::new(product), vec![factors, solved.clone()], data);
        let data = given.data()?.sub(before.data()?)?;
        let difference = Sum { factors: vec![1.0, -1.0], constant: 0.0 };
        let next = lowering.writer.inner(Box::new(difference), vec![given, before], data);
        solved = lowering.writer.concat(vec![solved, next], lead)?;
    }
    parts::finish(lowering, call, solved)
}

/// A⁻¹·B or B·A⁻¹, where A is the triangle that the call reads.
fn by_inverse(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let (upper, left, unit) = (call.flag("upper"), call.flag("left"), call.flag("unitriangular"));
    written::lower(lowering, call, ["self", "B"], [], |[a, b], []| {
        let mut triangle = if upper { a.f_triu(i64::from(unit))? } else { a.f_tril(-i64::from(unit))? };
        if unit {
            let rows = a.size()[a.dim() - 1];
            triangle = triangle.f_add(&tch::Tensor::f_eye(rows, (a.kind(), a.device()))?)?;
        }
        let inverse = triangle.f_inverse()?;
        if left { inverse.f_matmul(b) } else { b.f_matmul(&inverse) }
    })
}
