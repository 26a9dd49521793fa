//! Convolutions of any number of spatial axes, and their transposes.

use super::LinearMap;
use crate::{ConvGeometry, Error, Operand, Part, Range, Result, Tensor, WeightCache};

/// x `[N, C, spatial…]` ↦ w ∗ x, with w `[O, C / groups, kernel…]`.
#[derive(Debug)]
pub struct Convolution<'a, T> {
    /// w
    pub weight: &'a Operand<T>,
    /// Stride, padding, dilation, groups.
    pub geometry: &'a ConvGeometry,
    /// Spatial extents of x.
    pub spatial: Vec<usize>,
    /// Cached parts of w.
    pub weights: &'a WeightCache<T>,
}

impl<T: Tensor> LinearMap<T> for Convolution<'_, T> {
    fn channels(&self) -> Option<usize> {
        Some(1)
    }

    fn apply(&self, part: Part, x: &T) -> Result<T> {
        let weight = self.weights.part(self.weight.weight, part, self.weight.data()?)?;
        x.convolve(&weight, self.geometry)
    }

    fn adjoint(&self, part: Part, y: &T) -> Result<T> {
        let weight = self.weights.part(self.weight.weight, part, self.weight.data()?)?;
        y.convolve_adjoint(&weight, self.geometry, &self.spatial)
    }
}

/// x `[N, O, spatial…]` ↦ the adjoint of a convolution with w `[O, C / groups, kernel…]`, which frameworks call a transposed
/// convolution. `spatial` includes the output padding.
#[derive(Debug)]
pub struct TransposedConvolution<'a, T> {
    /// w
    pub weight: &'a Operand<T>,
    /// Stride, padding, dilation and groups of the convolution whose adjoint it is.
    pub geometry: &'a ConvGeometry,
    /// Spatial extents of x.
    pub from: Vec<usize>,
    /// Spatial extents of the result.
    pub spatial: Vec<usize>,
    /// Cached parts of w.
    pub weights: &'a WeightCache<T>,
}

impl<T: Tensor> LinearMap<T> for TransposedConvolution<'_, T> {
    fn channels(&self) -> Option<usize> {
        Some(1)
    }

    fn apply(&self, part: Part, x: &T) -> Result<T> {
        let weight = self.weights.part(self.weight.weight, part, self.weight.data()?)?;
        x.convolve_adjoint(&weight, self.geometry, &self.spatial)
    }

    fn adjoint(&self, part: Part, y: &T) -> Result<T> {
        let weight = self.weights.part(self.weight.weight, part, self.weight.data()?)?;
        let seen = y.convolve(&weight, self.geometry)?;
        // With an output padding as large as the stride, the result has cells that no cell of x reaches.
        let mut region = Range::whole(&seen.shape());
        for (range, &extent) in region.iter_mut().skip(2).zip(&self.from) {
            range.len = extent.min(range.len);
        }
        seen.slice(&region)
    }
}

/// w `[O, C / groups, kernel…]` ↦ w ∗ x, or wᵀ ∗ x: a convolution as a map of its kernel.
#[derive(Debug)]
pub struct Kernel<'a, T> {
    /// x
    pub x: &'a Operand<T>,
    /// Stride, padding, dilation, groups.
    pub geometry: &'a ConvGeometry,
    /// Shape of w.
    pub from: Vec<usize>,
    /// Spatial extents of the result of wᵀ ∗ x.
    pub transposed: Option<Vec<usize>>,
}

impl<T: Tensor> LinearMap<T> for Kernel<'_, T> {
    fn apply(&self, part: Part, kernel: &T) -> Result<T> {
        let x = part.of(self.x.data()?)?;
        match &self.transposed {
            None => x.convolve(kernel, self.geometry),
            Some(spatial) => x.convolve_adjoint(kernel, self.geometry, spatial),
        }
    }

    fn adjoint(&self, part: Part, y: &T) -> Result<T> {
        let x = part.of(self.x.data()?)?;
        let (wide, narrow) = if self.transposed.is_some() { (y, &x) } else { (&x, y) };
        correlation(wide, narrow, self.geometry, &self.from)
    }
}

/// The adjoint of w ↦ w ∗ x, for x `[N, C, spatial…]` and y `[N, O, spatial…]`: the sum, over the units of y, of the cells
/// of x that each cell of the kernel meets. It is a convolution too, with samples in place of channels, and stride and
/// dilation exchanged.
fn correlation<T: Tensor>(x: &T, y: &T, geometry: &ConvGeometry, kernel: &[usize]) -> Result<T> {
    let groups = geometry.groups;
    let (shape, swapped) = (x.shape(), swap(y.shape().len()));
    let [samples, channels, ref spatial @ ..] = shape[..] else {
        return Err(Error::Uncovered(format!("{shape:?} has no samples and channels")));
    };
    let depth = channels / groups.max(1);
    // [N, groups, C / groups, …] → [C / groups, groups · N, …]
    let apart = x.reshape(&[&[samples, groups, depth], spatial].concat())?;
    let order: Vec<usize> = [2, 1, 0].into_iter().chain(3..apart.shape().len()).collect();
    let x = apart.permute(&order)?.reshape(&[&[depth, groups * samples], spatial].concat())?;
    let geometry = ConvGeometry {
        stride: geometry.dilation.clone(),
        dilation: geometry.stride.clone(),
        padding: geometry.padding.clone(),
        groups,
    };
    let met = x.convolve(&y.permute(&swapped)?, &geometry)?.permute(&swapped)?;
    // Cells that the stride leaves over lie beyond the kernel.
    met.slice(&Range::whole(kernel))
}

/// The first two axes exchanged.
fn swap(rank: usize) -> Vec<usize> {
    [1, 0].into_iter().chain(2..rank).collect()
}
