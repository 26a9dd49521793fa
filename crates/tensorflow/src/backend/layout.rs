//! A tensor and the order of its axes.

use super::conversion::{numbers, reshaped};
use super::failed;
use super::run::run;
use crate::eager::Attributes;
use crate::{DataType, Tensor as Handle};
use dlbacktrace_core::{Error, Result};
use ndarray::ArrayD;
use std::ffi::CStr;
use std::fmt;

/// A tensor of TensorFlow whose axes may be in another order than they are stored in. Cloning shares it.
///
/// TensorFlow's tensors are row-major, and its convolutions take channels last, where the rules have them first. So moving axes
/// only notes their order, and elements move when an operator needs them to. Operators to which the order does not matter
/// keep the order that they find.
#[derive(Clone)]
pub struct TfTensor {
    stored: Handle,
    shape: Vec<usize>,
    /// Axis `i` is stored as axis `order[i]`.
    order: Vec<usize>,
}

impl From<Handle> for TfTensor {
    fn from(stored: Handle) -> Self {
        // Only a tensor that is still being computed would refuse; this crate runs no operator in that way.
        let shape = stored.shape().unwrap_or_default();
        Self { stored, order: (0..shape.len()).collect(), shape }
    }
}

impl fmt::Debug for TfTensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TfTensor({} {:?})", self.stored.data_type(), self.shape)
    }
}

impl TfTensor {
    /// A tensor whose axis `i` is axis `order[i]` of `stored`.
    pub(super) fn ordered(stored: Handle, order: Vec<usize>) -> Self {
        let mut tensor = Self::from(stored);
        tensor.shape = order.iter().map(|&axis| tensor.shape[axis]).collect();
        Self { order, ..tensor }
    }

    /// Its elements if they are texts; bytes that are not UTF-8 are marked as such.
    ///
    /// # Errors
    /// [`Error::Tensor`] if they cannot be read.
    pub fn texts(&self) -> Result<Option<ArrayD<String>>> {
        if self.stored.data_type() != DataType::STRING {
            return Ok(None);
        }
        let texts = self.to_tensor()?.strings().map_err(failed("texts"))?;
        let texts = texts.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
        let texts = ArrayD::from_shape_vec(self.shape.as_slice(), texts);
        texts.map(Some).map_err(|error| Error::tensor("texts", error))
    }

    /// The extents, axis by axis.
    pub(super) fn extents(&self) -> &[usize] {
        &self.shape
    }

    /// The stored tensor, in whatever order.
    pub(super) fn stored(&self) -> &Handle {
        &self.stored
    }

    /// The stored tensor and the order of its axes.
    pub(super) fn into_parts(self) -> (Handle, Vec<usize>) {
        (self.stored, self.order)
    }

    pub(super) fn order(&self) -> &[usize] {
        &self.order
    }

    pub(super) fn is_in_order(&self) -> bool {
        self.order.is_sorted()
    }

    /// One item for each axis, in the order of the stored axes.
    pub(super) fn as_stored<T: Copy>(&self, each: &[T]) -> Vec<T> {
        inverse(&self.order).into_iter().map(|axis| each[axis]).collect()
    }

    /// Applies an operator to all elements, to which their order does not matter.
    pub(super) fn elementwise(
        &self,
        operation: &'static str,
        operator: &CStr,
        others: &[&Handle],
    ) -> Result<Self> {
        let stored = run(operation, operator, &Attributes::default(), self.stored.clone(), others)?;
        Ok(Self::ordered(stored, self.order.clone()))
    }

    /// The tensor with its axes moved as in [`permute`](dlbacktrace_core::Tensor::permute).
    pub(super) fn permuted(&self, order: &[usize]) -> Result<Self> {
        let mut seen = order.to_vec();
        seen.sort_unstable();
        if !seen.into_iter().eq(0..self.shape.len()) {
            let message = format!("{order:?} does not name each axis of {:?} once", self.shape);
            return Err(Error::tensor("permute", message));
        }
        Ok(Self {
            stored: self.stored.clone(),
            shape: order.iter().map(|&axis| self.shape[axis]).collect(),
            order: order.iter().map(|&axis| self.order[axis]).collect(),
        })
    }

    /// The tensor in TensorFlow, with axes and elements in order.
    ///
    /// # Errors
    /// [`Error::Tensor`] with TensorFlow's reason.
    pub fn to_tensor(&self) -> Result<Handle> {
        if self.is_in_order() {
            return Ok(self.stored.clone());
        }
        let name = "permute";
        let long = self.order.iter().zip(&self.shape).filter(|(_, extent)| **extent != 1);
        // Moving axes of extent 1 moves no element.
        let (operator, numbers) = match long.map(|(axis, _)| axis).is_sorted() {
            true => (c"Reshape", numbers(name, &self.stored, &self.shape)?),
            false => (c"Transpose", numbers(name, &self.stored, &self.order)?),
        };
        run(name, operator, &Attributes::default(), self.stored.clone(), &[&numbers])
    }

    /// The tensor in TensorFlow, with axis `i` stored as axis `order[i]`.
    pub(super) fn stored_as(&self, order: &[usize]) -> Result<Handle> {
        if self.order == order {
            Ok(self.stored.clone())
        } else {
            self.permuted(&inverse(order))?.to_tensor()
        }
    }

    /// Adds `count` axes of extent 1 before axis `at`.
    pub(super) fn inserted(&self, at: usize, count: usize) -> Result<Self> {
        if count == 0 {
            return Ok(self.clone());
        }
        let place = self.order.get(at).copied().unwrap_or_default();
        let mut shape = self.as_stored(&self.shape);
        shape.splice(place..place, vec![1; count]);
        let stored = reshaped("reshape", self.stored.clone(), &shape)?;
        let mut order: Vec<usize> =
            self.order.iter().map(|&axis| if axis < place { axis } else { axis + count }).collect();
        order.splice(at..at, place..place + count);
        Ok(Self::ordered(stored, order))
    }

    /// Removes axis `at`, which has extent 1.
    pub(super) fn removed(&self, at: usize) -> Result<Self> {
        let (mut shape, mut order) = (self.as_stored(&self.shape), self.order.clone());
        let place = order.remove(at);
        shape.remove(place);
        order.iter_mut().filter(|axis| **axis > place).for_each(|axis| *axis -= 1);
        Ok(Self::ordered(reshaped("reshape", self.stored.clone(), &shape)?, order))
    }

    /// Adds leading axes of extent 1 up to the given rank.
    pub(super) fn with_rank(&self, rank: usize) -> Result<Self> {
        self.inserted(0, rank.saturating_sub(self.shape.len()))
    }

    /// Both tensors, for an operator that broadcasts, stored in the axis order of the larger one.
    pub(super) fn aligned(&self, other: &Self) -> Result<(Handle, Handle, Vec<usize>)> {
        let rank = self.shape.len().max(other.shape.len());
        if self.is_in_order() && other.is_in_order() {
            return Ok((self.stored.clone(), other.stored.clone(), (0..rank).collect()));
        }
        let (a, b) = (self.with_rank(rank)?, other.with_rank(rank)?);
        let count = |tensor: &Self| tensor.shape.iter().product::<usize>();
        let order = if count(&a) < count(&b) { &b.order } else { &a.order };
        Ok((a.stored_as(order)?, b.stored_as(order)?, order.clone()))
    }
}

/// The order that undoes an order.
pub(super) fn inverse(order: &[usize]) -> Vec<usize> {
    let mut inverse = vec![0; order.len()];
    order.iter().enumerate().for_each(|(axis, &stored)| inverse[stored] = axis);
    inverse
}
