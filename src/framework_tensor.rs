//! Tensors of any framework.

use crate::Result;
use dlbacktrace_core::{DType, Range, Relevance, Result as CoreResult, Tensor};
use ndarray::{ArrayD, Axis};
#[cfg(feature = "torch")]
use std::sync::OnceLock;

/// A tensor of one of the frameworks, shared and not copied.
#[derive(Debug, Clone)]
pub(crate) enum FrameworkTensor {
    #[cfg(feature = "torch")]
    Torch(dlbacktrace_torch::TorchTensor),
    #[cfg(feature = "tensorflow")]
    TensorFlow(dlbacktrace_tensorflow::TfTensor),
}

#[cfg(feature = "torch")]
impl From<dlbacktrace_torch::TorchTensor> for FrameworkTensor {
    fn from(tensor: dlbacktrace_torch::TorchTensor) -> Self {
        Self::Torch(tensor)
    }
}

#[cfg(feature = "tensorflow")]
impl From<dlbacktrace_tensorflow::TfTensor> for FrameworkTensor {
    fn from(tensor: dlbacktrace_tensorflow::TfTensor) -> Self {
        Self::TensorFlow(tensor)
    }
}

impl FrameworkTensor {
    pub(crate) fn shape(&self) -> Vec<usize> {
        match self {
            #[cfg(feature = "torch")]
            Self::Torch(tensor) => tensor.shape(),
            #[cfg(feature = "tensorflow")]
            Self::TensorFlow(tensor) => tensor.shape(),
        }
    }

    /// The tensor of libtorch; `None` for another framework.
    #[cfg(feature = "torch")]
    pub(crate) fn as_tch(&self) -> Option<&tch::Tensor> {
        match self {
            Self::Torch(tensor) => Some(tensor.as_tch()),
            #[cfg(feature = "tensorflow")]
            Self::TensorFlow(_) => None,
        }
    }

    /// Its texts, if its elements are texts.
    pub(crate) fn texts(&self) -> Result<Option<ArrayD<String>>> {
        Ok(match self {
            #[cfg(feature = "torch")]
            Self::Torch(_) => None,
            #[cfg(feature = "tensorflow")]
            Self::TensorFlow(tensor) => tensor.texts()?,
        })
    }

    /// Its elements, which must not be texts.
    pub(crate) fn array(&self) -> Result<ArrayD<f64>> {
        Ok(match self {
            #[cfg(feature = "torch")]
            Self::Torch(tensor) => tensor.to_array()?,
            #[cfg(feature = "tensorflow")]
            Self::TensorFlow(tensor) => tensor.to_array()?,
        })
    }
}

impl FrameworkTensor {
    pub(crate) fn dtype(&self) -> DType {
        match self {
            #[cfg(feature = "torch")]
            Self::Torch(tensor) => tensor.dtype(),
            #[cfg(feature = "tensorflow")]
            Self::TensorFlow(tensor) => tensor.dtype(),
        }
    }

    /// The elements at one index of an axis.
    pub(crate) fn at(&self, axis: usize, index: usize) -> Result<ArrayD<f64>> {
        Ok(match self {
            #[cfg(feature = "torch")]
            Self::Torch(tensor) => at(tensor, axis, index)?,
            #[cfg(feature = "tensorflow")]
            Self::TensorFlow(tensor) => at(tensor, axis, index)?,
        })
    }
}

fn at(tensor: &impl Tensor, axis: usize, index: usize) -> CoreResult<ArrayD<f64>> {
    let mut region: Vec<Range> = tensor.shape().into_iter().map(Range::full).collect();
    if let Some(range) = region.get_mut(axis) {
        *range = Range::span(index, 1);
    }
    Ok(tensor.slice(&region)?.to_array()?.index_axis_move(Axis(axis), 0))
}

/// The channels of a relevance.
#[derive(Debug)]
pub(crate) struct Channels {
    pub(crate) positive: FrameworkTensor,
    pub(crate) negative: Option<FrameworkTensor>,
    /// The difference of both, once it was asked for.
    #[cfg(feature = "torch")]
    difference: OnceLock<dlbacktrace_torch::TorchTensor>,
}

impl Channels {
    #[cfg(feature = "torch")]
    pub(crate) fn tensor(&self) -> Option<&tch::Tensor> {
        self.positive.as_tch()
    }

    #[cfg(feature = "torch")]
    pub(crate) fn negative_tensor(&self) -> Option<&tch::Tensor> {
        self.negative.as_ref().and_then(FrameworkTensor::as_tch)
    }

    #[cfg(feature = "torch")]
    pub(crate) fn difference_tensor(&self) -> Option<&tch::Tensor> {
        let positive = self.positive.as_tch()?;
        Some(match self.negative_tensor() {
            Some(negative) => self.difference.get_or_init(|| (positive - negative).into()).as_tch(),
            None => positive,
        })
    }

    pub(crate) fn new<T: Tensor + Into<FrameworkTensor>>(relevance: &Relevance<T>) -> Self {
        Self {
            positive: relevance.first().clone().into(),
            negative: relevance.second().cloned().map(Into::into),
            #[cfg(feature = "torch")]
            difference: OnceLock::new(),
        }
    }

    pub(crate) fn positive(&self) -> Result<ArrayD<f64>> {
        self.positive.array()
    }

    pub(crate) fn negative(&self) -> Result<Option<ArrayD<f64>>> {
        self.negative.as_ref().map(FrameworkTensor::array).transpose()
    }

    /// For minus against; in default mode, the one channel.
    pub(crate) fn difference(&self) -> Result<ArrayD<f64>> {
        let positive = self.positive()?;
        Ok(match self.negative()? {
            Some(negative) => positive - negative,
            None => positive,
        })
    }

    /// The precision of the computation.
    pub(crate) fn precision(&self) -> DType {
        self.positive.dtype()
    }
}
