//! Backends held to the oracle, the ndarray in double precision: every operation of the tensor trait, every
//! operator in both modes and under every gate. A backend is one tensor of it; see [`suite`].

#[path = "../crates/core/tests/common/mod.rs"]
mod cases;

use cases::operators::{movements, products, sums, winners};
use cases::{Case, apply, distance, for_all, gates_of, oracle, tensors};
use dlbacktrace::core::array::Array;
use dlbacktrace::core::{BacktraceOp, Tensor};
use dlbacktrace::torch::TorchTensor;
use ndarray::arr0;
use tch::Kind;

/// A backend, by a tensor of its, and the tolerance of tensor operations and of rules, relative to the largest
/// element.
struct Backend<T> {
    like: T,
    of_operations: f64,
    of_rules: f64,
}

fn torch_double() -> Backend<TorchTensor> {
    let like = tch::Tensor::from(0.0_f64).to_kind(Kind::Double).into();
    Backend { like, of_operations: 1e-9, of_rules: 1e-9 }
}

fn torch_single() -> Backend<TorchTensor> {
    let like = tch::Tensor::from(0.0_f64).to_kind(Kind::Float).into();
    Backend { like, of_operations: 1e-5, of_rules: 1e-4 }
}

fn ndarray_single() -> Backend<Array<f32>> {
    Backend { like: Array::new(arr0(0.0).into_dyn()), of_operations: 1e-5, of_rules: 1e-4 }
}

impl<T: Tensor> Backend<T> {
    fn operations(&self) {
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

    fn refusals(&self) {
        for (name, result) in tensors::refused(&self.like) {
            assert!(
                matches!(result, Err(dlbacktrace::core::Error::Tensor { .. })),
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

    fn rules(&self) {
        let check = |case: &Case, on_oracle: &dyn BacktraceOp<Array>, op: &dyn BacktraceOp<T>| {
            self.rule(case, on_oracle, op);
        };
        sums(&self.like, &check);
        winners(&self.like, &check);
        products::<T>(&check);
        movements(&self.like, &check);
    }
}

/// The whole suite on a backend.
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

suite!(torch_double, torch_single, ndarray_single);
