//! A backend held to the oracle, the ndarray in double precision.

use crate::cases::{Case, apply, distance, for_all, gates_of, oracle};
use crate::operators::{movements, products, sums, winners};
use crate::tensors;
use dlbacktrace_core::array::Array;
use dlbacktrace_core::{BacktraceOp, Tensor};

/// A tensor of a backend, and the tolerances for tensor operations and for rules, relative to the largest element.
#[derive(Debug)]
pub struct Backend<T> {
    pub like: T,
    pub of_operations: f64,
    pub of_rules: f64,
}

impl<T: Tensor> Backend<T> {
    /// Every operation of the trait on drawn tensors.
    pub fn operations(&self) {
        for_all(96, tensors::draw(), |draw| {
            let expected = tensors::run(&draw, &oracle()).unwrap();
            let found = tensors::run(&draw, &self.like).unwrap();
            assert_eq!(found.len(), expected.len());
            for ((name, found), (_, expected)) in found.iter().zip(&expected) {
                assert_eq!(found.shape(), expected.shape(), "{name}");
                let gap = distance(found, expected);
                assert!(gap <= self.of_operations, "{name} is off by {gap}: {found}, not {expected}");
            }
        });
    }

    /// Operations that every backend must refuse.
    pub fn refusals(&self) {
        for (name, result) in tensors::refused(&self.like) {
            assert!(
                matches!(result, Err(dlbacktrace_core::Error::Tensor { .. })),
                "{name} is not refused: {result:?}"
            );
        }
    }

    /// Shares, booked losses and balance of one rule.
    fn rule(&self, case: &Case, on_oracle: &dyn BacktraceOp<Array>, op: &dyn BacktraceOp<T>) {
        for (mode, gate) in gates_of(case) {
            let expected = apply(on_oracle, case, mode, gate, &oracle()).unwrap();
            let found = apply(op, case, mode, gate, &self.like).unwrap();
            let place = || format!("{op:?} in {mode:?} mode under {gate:?}");
            assert!(found.gap <= self.of_rules, "{} leaves {} open", place(), found.gap);
            for (found, expected) in found.shares.iter().zip(&expected.shares) {
                assert_eq!(found.is_some(), expected.is_some(), "{}", place());
                for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
                    let gap = distance(found, expected);
                    assert!(gap <= self.of_rules, "{} is off by {gap}: {found}, not {expected}", place());
                }
            }
            for (loss, expected) in &expected.lost {
                let found = found.lost.get(loss).copied().unwrap_or_default();
                let gap = (found - *expected).magnitude();
                assert!(
                    gap <= self.of_rules * expected.magnitude().max(10.0),
                    "{}: {loss:?} is off by {gap}",
                    place()
                );
            }
        }
    }

    /// Every rule in both modes and under every gate.
    pub fn rules(&self) {
        let check = |case: &Case, on_oracle: &dyn BacktraceOp<Array>, op: &dyn BacktraceOp<T>| {
            self.rule(case, on_oracle, op);
        };
        sums(&self.like, &check);
        winners(&self.like, &check);
        products::<T>(&check);
        movements(&self.like, &check);
    }
}

/// The whole suite on backends, each returned by a function.
#[macro_export]
macro_rules! suite {
    ($($backend:ident),*) => {$(
        mod $backend {
            #[test]
            fn operations() {
                super::$backend().operations();
            }
            #[test]
            fn refusals() {
                super::$backend().refusals();
            }
            #[test]
            fn rules() {
                super::$backend().rules();
            }
        }
    )*};
}
