//! Derivatives of operators, for walks by gradients (rules §10).

use crate::rules::Kind;
use crate::{Result, Role, Step, Tensor, ValueId};
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

/// Whether the adjoint that a step brings is its derivative, and as cheap as a kernel's.
pub(crate) fn adjoins<T: Tensor>(step: &Step<T>) -> bool {
    use Kind::{
        Activation, Convolution, Embedding, Linear, MatrixProduct, Movement, Norm, Product, Rectifier, Sum,
    };
    match Kind::of(&*step.op, &step.inputs) {
        Linear | Convolution | Sum | MatrixProduct | Embedding | Movement => true,
        Product => matches!(step.op.role(&step.inputs), Role::Product | Role::Quotient),
        Rectifier | Activation => {
            matches!(step.op.role(&step.inputs), Role::Function(function) if function.slope::<T>().is_some() && step.result.is_some())
        }
        Norm => matches!(step.op.affine(&step.inputs), Ok(Some(_))),
        _ => false,
    }
}
