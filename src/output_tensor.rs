//! The result of a model that is run without an explanation.

use crate::framework_tensor::FrameworkTensor;
use crate::{Error, Result};
use ndarray::ArrayD;

/// One tensor of a model's result.
#[derive(Debug)]
pub struct OutputTensor {
    /// Its name: `output`, `output.logits`, `output[1]`.
    pub name: String,
    tensor: FrameworkTensor,
}

impl OutputTensor {
    pub(crate) fn new(name: String, tensor: impl Into<FrameworkTensor>) -> Self {
        Self { name, tensor: tensor.into() }
    }

    /// Extent of each axis.
    pub fn shape(&self) -> Vec<usize> {
        self.tensor.shape()
    }

    /// Whether its elements are floating-point numbers.
    pub fn is_floating(&self) -> bool {
        self.tensor.dtype().is_float()
    }

    /// Its elements.
    ///
    /// # Errors
    /// [`Error::Internal`] if they cannot be read from the framework.
    pub fn array(&self) -> Result<ArrayD<f64>> {
        self.tensor.array()
    }

    /// The tensor as one of libtorch, not copied. `None` for a model of another framework.
    #[cfg(feature = "torch")]
    pub fn tensor(&self) -> Option<&tch::Tensor> {
        self.tensor.as_tch()
    }

    /// The elements at one index of an axis; the result lacks that axis. This reads the scores of one position without those
    /// of all others.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is no such index, [`Error::Internal`] if they cannot be read from the framework.
    pub fn at(&self, axis: usize, index: usize) -> Result<ArrayD<f64>> {
        let shape = self.shape();
        match shape.get(axis) {
            Some(&extent) if index < extent => self.tensor.at(axis, index),
            _ => Err(Error::Usage(format!(
                "{} of shape {shape:?} has no index {index} on axis {axis}",
                self.name
            ))),
        }
    }
}
