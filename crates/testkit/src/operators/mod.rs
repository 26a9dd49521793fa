//! Random cases of every operator, each with its rule on the oracle and on another backend.

mod movement;
mod products;
mod sums;
mod winners;

pub use movement::movements;
pub use products::products;
pub use sums::sums;
pub use winners::winners;

use crate::cases::Case;
use dlbacktrace_core::array::Array;
use dlbacktrace_core::{BacktraceOp, Tensor};

/// Is shown each case with its operator on the oracle and on the other backend.
pub type Check<'a, T> = &'a dyn Fn(&Case, &dyn BacktraceOp<Array>, &dyn BacktraceOp<T>);

/// An operator that is the same on every backend.
fn both<T: Tensor, O: BacktraceOp<Array> + BacktraceOp<T>>(check: Check<T>, case: &Case, op: &O) {
    check(case, op, op);
}
