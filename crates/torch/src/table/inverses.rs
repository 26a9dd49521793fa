//! Inverses of matrices, determinants, and systems solved with them (rules, "Functions of two values and of matrices").

use super::Entry;
use super::parts::{self, Operand, computed};
use crate::arguments::Arguments;
use crate::lowering::Lowering;
use crate::written;
use dlbacktrace_core::ops::{Constant, Inverse, Pass, Product, Reduce};
use dlbacktrace_core::{Error, Family, Function, Result, Tensor};
use dlbacktrace_torch_recorder::Call;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_result(
        &["aten::linalg_inv", "aten::linalg_inv_ex", "aten::inverse", "aten::linalg_pinv", "aten::pinverse"],
        Family::WeightedSum,
        inverse,
    ),
    Entry::by_data(&["aten::_linalg_solve_ex"], Family::WeightedSum, |lowering, call| {
        let left = call.flag("left");
        written::lower(lowering, call, ["A", "B"], [], |[a, b], []| {
            let vectors = b.dim() == 1 || a.size()[..a.dim() - 1] == b.size();
            let columns = if vectors { b.f_unsqueeze(-1)? } else { b.shallow_clone() };
            let inverse = a.f_inverse()?;
            let solved = if left { inverse.f_matmul(&columns)? } else { columns.f_matmul(&inverse)? };
            if vectors { solved.f_squeeze_dim(-1) } else { Ok(solved) }
        })
    }),
    Entry::by_data(&["aten::cholesky_solve"], Family::WeightedSum, |lowering, call| {
        let upper = call.flag("upper");
        written::lower(lowering, call, ["self", "input2"], [], |[b, factor], []| {
            let turned = factor.f_transpose(-2, -1)?;
            let whole = if upper { turned.f_matmul(factor)? } else { factor.f_matmul(&turned)? };
            whole.f_inverse()?.f_matmul(b)
        })
    }),
    Entry::by_data(
        &["aten::_linalg_det", "aten::linalg_det", "aten::det"],
        Family::WeightedSum,
        |lowering, call| {
            let determinant = cofactors(lowering, call)?;
            parts::finish(lowering, call, determinant)
        },
    ),
    Entry::by_data(&["aten::_linalg_slogdet"], Family::WeightedSum, logarithm),
];

/// The inverse P of A is P·A·P.
fn inverse(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let slot = call.optional("A").map_or_else(|| call.tensor("self"), Ok)?;
    let matrix = lowering.operand(slot)?;
    let inverse = parts::result(lowering, call)?;
    let inverse = lowering.writer.constant(inverse);
    lowering.step(call, Box::new(Inverse), vec![matrix, inverse])
}

/// det A as the mean over its rows of their expansions by cofactors: Σ aᵢⱼ cᵢⱼ / n with C = det A · A⁻ᵀ.
fn cofactors(lowering: &mut Lowering, call: &Call) -> Result<Operand> {
    let matrix = lowering.operand(call.optional("A").map_or_else(|| call.tensor("self"), Ok)?)?;
    let rank = matrix.meta.shape.len();
    let size = matrix.meta.shape.last().copied().unwrap_or(1).max(1) as f64;
    let data = matrix.data()?.as_tch();
    let determinant = computed(data.f_det())?;
    let weights = data.f_inverse().and_then(|inverse| {
        let factor = determinant.as_tch().f_unsqueeze(-1)?.f_unsqueeze(-1)?.f_div_scalar(size)?;
        inverse.f_transpose(-2, -1)?.f_mul(&factor)
    });
    let weights = weights
        .map_err(|_| Error::Uncovered("the determinant of a matrix without an inverse has no rule".into()))?;
    let weights = lowering.writer.constant(computed(Ok(weights))?);
    let products = matrix.data()?.mul(weights.data()?)?;
    let products = lowering.writer.inner(Box::new(Product), vec![matrix, weights], products);
    let axes = vec![rank - 2, rank - 1];
    Ok(lowering.writer.inner(Box::new(Reduce { axes }), vec![products], determinant))
}

/// The logarithm of the determinant's magnitude passes relevance to the determinant; its sign carries nothing.
fn logarithm(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let determinant = cofactors(lowering, call)?;
    let mut made = lowering.made(call);
    let rest = made.split_off(made.len().min(2));
    let log = made.pop().into_iter().collect();
    lowering.writer.step(Box::new(Pass::function(Function::Log)), vec![determinant], log);
    lowering.writer.step(Box::new(Constant), Vec::new(), [made, rest].concat());
    Ok(())
}
