//! Adds sub-tensors at indices along an axis: multiplication by a matrix of zeros and ones.

use super::LinearMap;
use crate::{Part, Result, Tensor};

/// x ↦ zeros with the sub-tensors of x added at `index` along an axis.
#[derive(Debug)]
pub struct Scatter<'a, T> {
    /// The axis.
    pub axis: usize,
    /// For each sub-tensor of x, its index in the result.
    pub index: &'a T,
    /// Shape of the result.
    pub to: Vec<usize>,
}

impl<T: Tensor> LinearMap<T> for Scatter<'_, T> {
    fn apply(&self, part: Part, x: &T) -> Result<T> {
        let zeros = x.zeros(&self.to)?;
        if part == Part::Negative { Ok(zeros) } else { zeros.index_add(self.axis, self.index, x) }
    }

    fn adjoint(&self, part: Part, y: &T) -> Result<T> {
        let read = y.index_select(self.axis, self.index)?;
        if part == Part::Negative { read.scale(0.0) } else { Ok(read) }
    }
}
