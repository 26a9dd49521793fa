//! Losses.

use super::Row;
use super::call::Call;
use super::value::{Value, attempt};

pub(super) const ROWS: &[Row] = &[
    // Σx² / 2
    Row::first(&["L2Loss"], |c| c.r() * c.x()),
    // By the logits: the second output is their derivative. By the labels: −log softmax.
    Row::each(&["SoftmaxCrossEntropyWithLogits"], &[0, 1], |c, by| match by {
        0 => by_logits(c),
        _ => -column(&c.r()) * c.x().apply(c"LogSoftmax"),
    })
    .from(&[0, 1]),
    Row::first(&["SparseSoftmaxCrossEntropyWithLogits"], by_logits).from(&[0, 1]),
];

/// R · (p − labels) from the loss, and p ⊙ (S − Σ S ⊙ p) from its derivative, where S arrived; p = softmax x.
fn by_logits(c: &Call<'_>) -> Value {
    let of_loss = column(&c.r()) * c.output(1);
    if c.arriving.get(1).is_none_or(Option::is_none) {
        return of_loss;
    }
    let (s, p) = (c.arrived(1), c.x().apply(c"Softmax"));
    of_loss + (s.clone() - (s * p.clone()).sum_over_last()) * p
}

/// One number for each row, as a column.
fn column(numbers: &Value) -> Value {
    attempt(|| Ok(numbers.reshape(&[&numbers.shape()?[..], &[1]].concat())))
}
