//! Transposed convolutions in one, two and three dimensions (rules §2).

use super::convolution::{backtrace_convolution, role};
use crate::op::arrived;
use crate::{BacktraceOp, Context, ConvGeometry, Family, Features, Operand, Relevance, Result, Role, Tensor};

/// y = wᵀ ∗ x + b. Operands: x `[N, O, spatial…]` (or without N), w `[O, C / groups, kernel…]`, and possibly b `[C]`.
#[derive(Debug, Clone)]
pub struct TransposedConvolution {
    /// Stride, padding, dilation and groups of the convolution whose adjoint it is.
    pub geometry: ConvGeometry,
    /// Spatial extents of y, output padding included.
    pub spatial: Vec<usize>,
}

impl<T: Tensor> BacktraceOp<T> for TransposedConvolution {
    fn family(&self) -> Family {
        Family::WeightedSum
    }

    fn role(&self, operands: &[Operand<T>]) -> Role {
        role(operands, &self.geometry)
    }

    fn multiplies(&self, input: usize) -> bool {
        input < 2
    }

    fn reads_result(&self) -> bool {
        true
    }

    fn features(&self, operands: &[Operand<T>]) -> Option<Features> {
        let weight = operands.get(1).filter(|weight| !weight.depends)?;
        let (&[units, depth], kernel) = weight.meta.shape.split_first_chunk()?;
        let groups = self.geometry.groups.max(1);
        let view = [&[groups, units / groups, depth], kernel].concat();
        Some(Features { view, outputs: vec![0, 2], inputs: vec![0, 1], uniform: false })
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        backtrace_convolution(operands, &self.geometry, Some(&self.spatial), arrived(arriving)?, context)
    }
}
