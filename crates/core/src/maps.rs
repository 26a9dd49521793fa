//! Linear maps: what the rule of weighted sums needs of an operator (rules §2).

mod axes;
mod block_matrix;
mod broadcast;
mod convolution;
mod dense;
mod scatter;
mod sparse;

pub use axes::Axes;
pub use block_matrix::BlockMatrix;
pub use broadcast::Broadcast;
pub use convolution::{Convolution, Kernel, TransposedConvolution};
pub use dense::{Dense, Side};
pub use scatter::Scatter;
pub use sparse::{Entries, Sparse};

use crate::{Part, Result, Tensor};
use std::fmt::Debug;

/// A linear map x ↦ Wx, applied with W or a part of it, and its exact adjoint.
pub trait LinearMap<T: Tensor>: Debug {
    /// W·x, with this part in place of W.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) if the shapes do not fit.
    fn apply(&self, part: Part, x: &T) -> Result<T>;

    /// Wᵀ·y, with this part in place of W, in the shape of x.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) if the shapes do not fit.
    fn adjoint(&self, part: Part, y: &T) -> Result<T>;

    /// The axis of x that counts channels, or the features of a linear layer.
    fn channels(&self) -> Option<usize> {
        None
    }
}
