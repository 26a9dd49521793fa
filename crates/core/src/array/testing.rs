//! Helpers for the tests of this folder.

use super::Array;
use crate::{Error, Result, Tensor};
use proptest::prelude::*;

/// Arrays of small integers: sums of their products are exact, so adjoints can be compared with `==`.
pub(super) fn integers(shape: Vec<usize>) -> impl Strategy<Value = Array> {
    let volume = shape.iter().product::<usize>();
    prop::collection::vec((-8_i32..9).prop_map(f64::from), volume)
        .prop_map(move |values| Array::from_slice(&shape, &values))
}

/// ⟨a, b⟩ of two tensors of one shape.
pub(super) fn inner(a: &Array, b: &Array) -> f64 {
    assert_eq!(a.shape(), b.shape());
    a.mul(b).unwrap().total().unwrap()
}

/// Asserts that an operation was refused under its own name.
#[track_caller]
pub(super) fn refused<R>(result: Result<R>, operation: &str) {
    match result {
        Err(Error::Tensor { operation: refusing, .. }) => assert_eq!(refusing, operation),
        Err(other) => panic!("{operation} was refused with another error: {other}"),
        Ok(_) => panic!("{operation} was not refused"),
    }
}
