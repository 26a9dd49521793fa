//! Arrays in the program's memory.

use crate::numbers::{
    DLB_TYPE_BF16, DLB_TYPE_BOOL, DLB_TYPE_F16, DLB_TYPE_F32, DLB_TYPE_F64, DLB_TYPE_I32, DLB_TYPE_I64,
    DLB_TYPE_U8,
};
use dlbacktrace::{Error, Result, Value};
use half::{bf16, f16};
use ndarray::ArrayD;
use std::ffi::{c_int, c_void};
use std::slice;

/// The most axes of an array.
pub const MAX_RANK: usize = 64;

/// Copies the elements at `data`.
///
/// # Safety
/// `shape` points to `rank` extents, and `data` to as many elements as these make; either may be null if there are none.
pub(crate) unsafe fn array<T: Copy>(data: *const T, shape: *const usize, rank: usize) -> Result<ArrayD<T>> {
    let wrong = |what: &str| Error::Inputs(format!("an array {what}"));
    let shape = match rank {
        0 => &[],
        _ if rank > MAX_RANK => {
            return Err(wrong(&format!("has {rank} axes, and {MAX_RANK} is the most")));
        }
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
    let mut elements = Vec::new();
    let room = elements.try_reserve_exact(size);
    room.map_err(|_| wrong(&format!("of shape {shape:?} is larger than the memory")))?;
    // SAFETY: within the elements that the caller guarantees; they need not be aligned.
    elements.extend((0..size).map(|index| unsafe { data.add(index).read_unaligned() }));
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
            DLB_TYPE_F32 => array::<f32>(data.cast(), shape, rank)?.into(),
            DLB_TYPE_F64 => array::<f64>(data.cast(), shape, rank)?.into(),
            DLB_TYPE_F16 => array::<f16>(data.cast(), shape, rank)?.into(),
            DLB_TYPE_BF16 => array::<bf16>(data.cast(), shape, rank)?.into(),
            DLB_TYPE_I64 => array::<i64>(data.cast(), shape, rank)?.into(),
            DLB_TYPE_I32 => array::<i32>(data.cast(), shape, rank)?.into(),
            DLB_TYPE_U8 => array::<u8>(data.cast(), shape, rank)?.into(),
            DLB_TYPE_BOOL => array::<u8>(data.cast(), shape, rank)?.mapv(|byte| byte != 0).into(),
            other => return Err(Error::Usage(format!("{other} is not an element type"))),
        })
    }
}
