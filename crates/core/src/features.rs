//! How constants for each feature meet the weights of a layer, and operators that only scale and shift features.

use crate::{Result, Tensor};

/// y = s ⊙ x + t of one operand, with constants that broadcast to it.
#[derive(Debug, Clone)]
pub struct Affine<T> {
    /// The operand x.
    pub operand: usize,
    /// s
    pub scale: T,
    /// t
    pub shift: T,
}

/// Where the weights of a layer, its operand 1, count features.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Features {
    /// The shape under which the weights are seen, with groups apart.
    pub view: Vec<usize>,
    /// The axes of the view that together count features of the output.
    pub outputs: Vec<usize>,
    /// The axes of the view that together count features of operand 0.
    pub inputs: Vec<usize>,
    /// Whether an operand that is constant along all other axes gives such an output: there is no padding.
    pub uniform: bool,
}

impl Features {
    /// The weights, each multiplied by the number of its feature, which these axes of the view count.
    pub(crate) fn scaled<T: Tensor>(&self, weight: &T, scale: &T, axes: &[usize]) -> Result<T> {
        let shape = weight.shape();
        weight.reshape(&self.view)?.mul(&scale.reshape(&self.only(axes))?)?.reshape(&shape)
    }

    /// W·t for an operand that has these numbers for its features everywhere: one number for each output feature.
    pub(crate) fn applied<T: Tensor>(&self, weight: &T, values: &T) -> Result<T> {
        let met = weight.reshape(&self.view)?.mul(&values.reshape(&self.only(&self.inputs))?)?;
        let summed: Vec<usize> = (0..self.view.len()).filter(|axis| !self.outputs.contains(axis)).collect();
        let met = met.sum(&summed, true)?;
        let count = self.outputs.iter().map(|&axis| self.view[axis]).product();
        met.reshape(&[count])
    }

    /// The view with all but some axes of extent 1.
    fn only(&self, axes: &[usize]) -> Vec<usize> {
        self.view
            .iter()
            .enumerate()
            .map(|(axis, &extent)| if axes.contains(&axis) { extent } else { 1 })
            .collect()
    }
}
