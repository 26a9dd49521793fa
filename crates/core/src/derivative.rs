//! Derivatives of operators, for walks by gradients (rules §10).

use crate::{Result, ValueId};
use std::fmt::Debug;

/// The derivative of an operator that ran, by its framework's own kernel.
pub trait Derivative<T>: Debug + Send {
    /// Jᵀ·R for each of the `wanted` values, which are operands of the operator, in their shapes. `arriving` holds R at each
    /// output, `None` where nothing arrived. The result is `None` where the output does not depend on the value smoothly, as on
    /// integers.
    ///
    /// # Errors
    /// [`Error::Uncovered`](crate::Error::Uncovered) if the framework has no derivative of the operator,
    /// [`Error::Tensor`](crate::Error::Tensor).
    fn adjoint(&self, wanted: &[ValueId], arriving: &[Option<T>]) -> Result<Vec<Option<T>>>;
}
