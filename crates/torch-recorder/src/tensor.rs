//! The one place where a tensor crosses between tch and the bridge: `C_tensor` *is* `at::Tensor`, so nothing is copied.

use crate::bridge::ffi::{self, AtTensor};
use cxx::UniquePtr;
use std::ops::Deref;
use tch::{Kind, Tensor};
use torch_sys::C_tensor;

/// The tensor as the bridge sees it.
pub(crate) fn share(tensor: &Tensor) -> &AtTensor {
    // SAFETY: torch-sys declares `typedef torch::Tensor *tensor`, and every tch tensor owns a live, non-null one.
    // The reference borrows the tch tensor, so it cannot outlive it.
    unsafe { &*tensor.as_ptr().cast::<AtTensor>() }
}

/// A tensor that threads share.
#[derive(Debug)]
pub struct Shared(Tensor);

// SAFETY: it gives out the tensor only by reference or as a whole. Libtorch counts references atomically and lets threads read one
// tensor at the same time. A write through another handle of it is no new danger: tch lets a thread send such a handle away.
unsafe impl Sync for Shared {}

impl Shared {
    /// The tensor, taken out.
    pub fn into_inner(self) -> Tensor {
        self.0
    }
}

impl From<Tensor> for Shared {
    fn from(tensor: Tensor) -> Self {
        Self(tensor)
    }
}

impl Deref for Shared {
    type Target = Tensor;

    fn deref(&self) -> &Tensor {
        &self.0
    }
}

/// Another handle of the tensor, for C++; nothing is copied.
pub fn to_at(tensor: &Tensor) -> UniquePtr<AtTensor> {
    ffi::handle(share(tensor))
}

/// Another handle of the tensor, for tch; nothing is copied.
pub fn to_tch(tensor: &AtTensor) -> Tensor {
    adopt(ffi::handle(tensor)).unwrap_or_default()
}

/// Whether nothing else sees writes into this tensor: no clone, no view, and none of its own elements twice.
pub fn holds_alone(tensor: &Tensor) -> bool {
    ffi::holds_alone(share(tensor)).unwrap_or(false)
}

/// Whether its elements lie at strides, which those of sparse tensors do not.
pub fn is_strided(tensor: &Tensor) -> bool {
    ffi::is_strided(share(tensor))
}

/// Takes over a tensor from the bridge; `None` for a null pointer.
pub(crate) fn adopt(tensor: UniquePtr<AtTensor>) -> Option<Tensor> {
    if tensor.is_null() {
        return None;
    }
    // SAFETY: the pointer is a non-null `at::Tensor` made by C++ `new`, ownership of which passes to tch,
    // which frees it with the `delete` of the same type.
    Some(unsafe { Tensor::from_ptr(tensor.into_raw().cast::<C_tensor>()) })
}

/// The tch kind of a c10 `ScalarType` code; `None` for types that tch does not know.
pub(crate) fn kind(code: i32) -> Option<Kind> {
    const KINDS: [(i32, Kind); 20] = [
        (0, Kind::Uint8),
        (1, Kind::Int8),
        (2, Kind::Int16),
        (3, Kind::Int),
        (4, Kind::Int64),
        (5, Kind::Half),
        (6, Kind::Float),
        (7, Kind::Double),
        (8, Kind::ComplexHalf),
        (9, Kind::ComplexFloat),
        (10, Kind::ComplexDouble),
        (11, Kind::Bool),
        (12, Kind::QInt8),
        (13, Kind::QUInt8),
        (14, Kind::QInt32),
        (15, Kind::BFloat16),
        (23, Kind::Float8e5m2),
        (24, Kind::Float8e4m3fn),
        (25, Kind::Float8e5m2fnuz),
        (26, Kind::Float8e4m3fnuz),
    ];
    KINDS.iter().find(|(known, _)| *known == code).map(|(_, kind)| *kind)
}
