//! Convolutions of any number of spatial axes, and their transposes.

use super::LinearMap;
use crate::{ConvGeometry, Operand, Part, Range, Result, Tensor, WeightCache};

/// x `[N, C, spatial…]` ↦ w ∗ x, with w `[O, C / groups, kernel…]`.
#[derive(Debug)]
pub struct Convolution<'a, T> {
    /// w
    pub weight: &'a Operand<T>,
    /// Stride, padding, dilation, groups.
    pub geometry: &'a ConvGeometry,
    /// Spatial extents of x.
    pub spatial: Vec<usize>,
    /// Kept parts of w.
    pub weights: &'a WeightCache<T>,
}

impl<T: Tensor> LinearMap<T> for Convolution<'_, T> {
    fn apply(&self, part: Part, x: &T) -> Result<T> {
        let weight = self.weights.part(self.weight.weight, part, self.weight.data()?)?;
        x.convolve(&weight, self.geometry)
    }

    fn adjoint(&self, part: Part, y: &T) -> Result<T> {
        let weight = self.weights.part(self.weight.weight, part, self.weight.data()?)?;
        y.convolve_adjoint(&weight, self.geometry, &self.spatial)
    }
}

/// x `[N, O, spatial…]` ↦ the adjoint of a convolution with w `[O, C / groups, kernel…]`: what frameworks
/// call a transposed convolution, output padding included in `spatial`.
#[derive(Debug)]
pub struct TransposedConvolution<'a, T> {
    /// w
    pub weight: &'a Operand<T>,
    /// Stride, padding, dilation, groups of the convolution it is the adjoint of.
    pub geometry: &'a ConvGeometry,
    /// Spatial extents of x.
    pub from: Vec<usize>,
    /// Spatial extents of the result.
    pub spatial: Vec<usize>,
    /// Kept parts of w.
    pub weights: &'a WeightCache<T>,
}

impl<T: Tensor> LinearMap<T> for TransposedConvolution<'_, T> {
    fn apply(&self, part: Part, x: &T) -> Result<T> {
        let weight = self.weights.part(self.weight.weight, part, self.weight.data()?)?;
        x.convolve_adjoint(&weight, self.geometry, &self.spatial)
    }

    fn adjoint(&self, part: Part, y: &T) -> Result<T> {
        let weight = self.weights.part(self.weight.weight, part, self.weight.data()?)?;
        let seen = y.convolve(&weight, self.geometry)?;
        // An output padding as long as the stride makes room for cells that x does not have.
        let mut region = Range::whole(&seen.shape());
        for (range, &extent) in region.iter_mut().skip(2).zip(&self.from) {
            range.len = extent.min(range.len);
        }
        seen.slice(&region)
    }
}
