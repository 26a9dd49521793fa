//! Arrays in the program's memory.

use crate::numbers::{DLB_BF16, DLB_BOOL, DLB_F16, DLB_F32, DLB_F64, DLB_I32, DLB_I64, DLB_U8};
use dlbacktrace::{Error, Result, Value};
use half::{bf16, f16};
use ndarray::ArrayD;
use std::ffi::{c_int, c_void};
use std::slice;

/// Copies the elements at `data`.
///
/// # Safety
/// `shape` points to `rank` extents, and `data` to as many elements as these make; either may be null if there are none.
pub(crate) unsafe fn array<T: Copy>(data: *const T, shape: *const usize, rank: usize) -> Result<ArrayD<T>> {
    let wrong = |what: &str| Error::Inputs(format!("an array {what}"));
    let shape = match rank {
        0 => &[],
        _ if shape.is_null() => return Err(wrong("has no shape")),
        // SAFETY: not null; the caller guarantees the rest.
        _ => unsafe { slice::from_raw_parts(shape, rank) },
    };
    let size = shape.iter().try_fold(1_usize, |size, &extent| size.checked_mul(extent));
    let bytes = size.and_then(|size| size.checked_mul(size_of::<T>()));
    let (Some(size), Some(_)) = (size, bytes.filter(|&bytes| isize::try_from(bytes).is_ok())) else {
        return Err(wrong(&format!("of shape {shape:?} is larger than any memory")));
    };
    if data.is_null() && size > 0 {
        return Err(wrong(&format!("of shape {shape:?} has no data")));
    }
    // SAFETY: within the elements that the caller guarantees; they need not be aligned.
    let elements = (0..size).map(|index| unsafe { data.add(index).read_unaligned() }).collect();
    ArrayD::from_shape_vec(shape, elements).map_err(|error| wrong(&error.to_string()))
}

/// The array as a value; the header gives the numbers of element types (`dlb_type`).
///
/// # Safety
/// As for [`array`].
pub(crate) unsafe fn value(
    element: c_int,
    data: *const c_void,
    shape: *const usize,
    rank: usize,
) -> Result<Value> {
    // SAFETY: the caller guarantees pointers and element type.
    unsafe {
        Ok(match element {
            DLB_F32 => array::<f32>(data.cast(), shape, rank)?.into(),
            DLB_F64 => array::<f64>(data.cast(), shape, rank)?.into(),
            DLB_F16 => array::<f16>(data.cast(), shape, rank)?.into(),
            DLB_BF16 => array::<bf16>(data.cast(), shape, rank)?.into(),
            DLB_I64 => array::<i64>(data.cast(), shape, rank)?.into(),
            DLB_I32 => array::<i32>(data.cast(), shape, rank)?.into(),
            DLB_U8 => array::<u8>(data.cast(), shape, rank)?.into(),
            DLB_BOOL => array::<u8>(data.cast(), shape, rank)?.mapv(|byte| byte != 0).into(),
            other => return Err(Error::Usage(format!("{other} is not an element type"))),
        })
    }
}
