//! Weighted least squares.

use crate::{Error, Result};
use nalgebra::{DMatrix, DVector};

/// The β that makes Σ w (y − row·β)² + ridge·Σβ² least. `penalised` says how many leading coefficients the ridge holds down.
pub(super) fn least_squares(
    rows: &[Vec<f64>],
    targets: &[f64],
    weights: &[f64],
    ridge: f64,
    penalised: usize,
) -> Result<Vec<f64>> {
    let width = rows.first().map_or(0, Vec::len);
    let x = DMatrix::from_fn(rows.len(), width, |row, column| rows[row][column]);
    let weighted = DMatrix::from_fn(rows.len(), width, |row, column| weights[row] * rows[row][column]);
    let mut gram = weighted.transpose() * &x;
    for index in 0..penalised.min(width) {
        gram[(index, index)] += ridge;
    }
    let right = weighted.transpose() * DVector::from_column_slice(targets);
    let solved =
        gram.clone().cholesky().map(|factors| factors.solve(&right)).or_else(|| gram.lu().solve(&right));
    let solved = solved.filter(|solved| solved.iter().all(|value| value.is_finite()));
    solved.map(|solved| solved.iter().copied().collect()).ok_or_else(|| {
        Error::Unfit(format!(
            "{} samples do not determine {width} coefficients; draw more samples",
            rows.len()
        ))
    })
}
