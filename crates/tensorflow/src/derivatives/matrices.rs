//! Functions of matrices, which are the last two axes.

use super::Row;
use super::call::Call;
use super::value::{Value, attempt};
use crate::eager::{Attributes, one_bool};

pub(super) const ROWS: &[Row] = &[
    // Y = A⁻¹: −Yᵀ·R·Yᵀ. Y = A⁻ᵀ: −Y·Rᵀ·Y.
    Row::first(&["MatrixInverse"], |c| match c.flag("adjoint") {
        false => -c.y().matmul(true, &c.r().matmul(false, &c.y(), true), false),
        true => -c.y().matmul(false, &c.r().matmul(true, &c.y(), false), false),
    }),
    // det A · A⁻ᵀ, and A⁻ᵀ from the logarithm, the second output; the first is a sign.
    Row::first(&["MatrixDeterminant"], |c| square(&(c.r() * c.y())) * inverse_transposed(&c.x())),
    Row::first(&["LogMatrixDeterminant"], |c| square(&c.arrived(1)) * inverse_transposed(&c.x())).from(&[1]),
    Row::first(&["Cholesky"], |c| attempt(|| cholesky(c))),
    // A·Y = B: by B, S = A⁻ᵀ·R; by A, −S·Yᵀ.
    Row::each(&["MatrixSolve"], &[0, 1], |c, by| {
        let adjoint = c.flag("adjoint");
        let how = one_bool(c"adjoint", !adjoint);
        by_system(c, by, adjoint, &Value::of(c"MatrixSolve", &how, [&c.x(), &c.r()]))
    }),
    Row::each(&["MatrixTriangularSolve"], &[0, 1], |c, by| {
        let (adjoint, lower) = (c.flag("adjoint"), c.flag("lower"));
        let how = one_bool(c"adjoint", !adjoint).and(one_bool(c"lower", lower));
        let solved = Value::of(c"MatrixTriangularSolve", &how, [&c.x(), &c.r()]);
        let made = by_system(c, by, adjoint, &solved);
        if by == 1 { made } else { triangle(&made, lower) }
    }),
];

fn by_system(c: &Call<'_>, by: usize, adjoint: bool, solved: &Value) -> Value {
    match (by, adjoint) {
        (1, _) => solved.clone(),
        (_, false) => -solved.matmul(false, &c.y(), true),
        (_, true) => -c.y().matmul(false, solved, true),
    }
}

fn inverse_transposed(a: &Value) -> Value {
    Value::of(c"MatrixInverse", &one_bool(c"adjoint", true), [a])
}

/// One number for each matrix.
fn square(numbers: &Value) -> Value {
    attempt(|| Ok(numbers.reshape(&[&numbers.shape()?[..], &[1, 1]].concat())))
}

/// The lower or upper triangle, with the diagonal.
fn triangle(a: &Value, lower: bool) -> Value {
    let (all, none) = (a.integers(&[]).number(-1.0), a.integers(&[]).number(0.0));
    let (below, above) = if lower { (&all, &none) } else { (&none, &all) };
    Value::of(c"MatrixBandPart", &Attributes::default(), [a, below, above])
}

/// A = L·Lᵀ: the symmetric part of L⁻ᵀ·Φ(Lᵀ·R)·L⁻¹, where Φ takes the lower triangle with half of the diagonal.
fn cholesky(c: &Call<'_>) -> Result<Value, String> {
    let l = c.y();
    let product = l.matmul(true, &c.r(), false);
    let halved = product.apply(c"MatrixDiagPart") / 2.0;
    let phi = triangle(&product.with(c"MatrixSetDiag", &halved), true);
    let solve = |right: &Value| {
        let how = one_bool(c"adjoint", true).and(one_bool(c"lower", true));
        Value::of(c"MatrixTriangularSolve", &how, [&l, right])
    };
    let turned = |a: &Value| -> Result<Value, String> {
        let mut order: Vec<usize> = (0..a.shape()?.len()).collect();
        let rank = order.len();
        order.swap(rank - 1, rank - 2);
        Ok(a.permute(&order))
    };
    // X·L⁻¹ = (L⁻ᵀ·Xᵀ)ᵀ
    let made = turned(&solve(&turned(&solve(&phi))?))?;
    Ok((made.clone() + turned(&made)?) / 2.0)
}
