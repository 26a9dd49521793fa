//! Tensors of libtorch that the program may read: each is the `at::Tensor` itself.

use dlbacktrace::{Explanation, InputRelevance, OutputTensor, ValueRelevance};
use std::ffi::c_void;
use std::ptr;

/// What has tensors of libtorch behind it.
pub(crate) trait Tensors {
    /// A pointer to the `at::Tensor` of a channel; null for another framework or an absent channel.
    fn tensor_pointer(&self, channel: usize) -> *const c_void;
}

macro_rules! tensors {
    ($($type:ty: $tensor:ident $(, $negative:ident, $difference:ident)?;)*) => {$(
        impl Tensors for $type {
            #[cfg(feature = "torch")]
            fn tensor_pointer(&self, channel: usize) -> *const c_void {
                let tensor = match channel {
                    0 => self.$tensor(),
                    $(1 => self.$negative(), 2 => self.$difference(),)?
                    _ => None,
                };
                tensor.map_or(ptr::null(), |tensor| tensor.as_ptr().cast())
            }

            #[cfg(not(feature = "torch"))]
            fn tensor_pointer(&self, _: usize) -> *const c_void {
                ptr::null()
            }
        }
    )*};
}

tensors! {
    InputRelevance: tensor, negative_tensor, difference_tensor;
    ValueRelevance: tensor, negative_tensor, difference_tensor;
    Explanation: output_tensor;
    OutputTensor: tensor;
}
