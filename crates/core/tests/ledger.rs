//! Every operator accounts for all it receives, in both modes and under every gate, in both precisions: on zeros,
//! negative relevance and empty windows (rules §7).

use dlbacktrace_core::array::Array;
use dlbacktrace_core::{BacktraceOp, Gate, Mode};
use ndarray::arr0;
use testkit::cases::{Case, Outcome, apply, gates_of, oracle};
use testkit::operators::{movements, products, sums, winners};

fn single() -> Array<f32> {
    Array::new(arr0(0.0).into_dyn())
}

/// In f64 to 1e-10, in f32 to 1e-4.
fn closes(case: &Case, double: &dyn BacktraceOp<Array>, single_op: &dyn BacktraceOp<Array<f32>>) {
    let check = |outcome: Outcome, tolerance: f64, mode: Mode, gate: Option<Gate>| {
        assert!(
            outcome.gap <= tolerance,
            "{double:?} leaves {} open in {mode:?} mode under {gate:?}, booked {:?}",
            outcome.gap,
            outcome.lost
        );
        let finite = outcome.shares.iter().flatten().flatten().flatten().all(|share| share.is_finite());
        assert!(finite, "{double:?} gives relevance that is not finite: {outcome:?}");
    };
    for (mode, gate) in gates_of(case) {
        check(apply(double, case, mode, gate, &oracle()).unwrap(), 1e-10, mode, gate);
        check(apply(single_op, case, mode, gate, &single()).unwrap(), 1e-4, mode, gate);
    }
}

#[test]
fn weighted_sums() {
    sums(&single(), &closes);
}

#[test]
fn operators_with_a_winner() {
    winners(&single(), &closes);
}

#[test]
fn products_of_moving_values() {
    products::<Array<f32>>(&closes);
}

#[test]
fn passes_and_movements() {
    movements(&single(), &closes);
}
