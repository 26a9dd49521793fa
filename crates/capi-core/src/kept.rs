//! Arrays of ours that C reads. Each is converted when it is first asked for, and lives as long as its handle.

use crate::numbers::{DLB_TYPE_F32, DLB_TYPE_F64};
use crate::types::Array;
use dlbacktrace::{Error, Result};
use ndarray::ArrayD;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::OnceLock;

/// An array in both element types. Threads may ask at the same time.
#[derive(Default)]
pub(crate) struct Kept {
    floats: OnceLock<Option<Elements<f32>>>,
    doubles: OnceLock<Option<Elements<f64>>>,
}

/// Elements in row-major order, with their shape.
struct Elements<T> {
    data: Vec<T>,
    shape: Vec<usize>,
}

impl Kept {
    /// The array in the element type of this number. `find` reads it; `None` stands for no array, which has no data.
    pub(crate) fn told(
        &self,
        element: c_int,
        find: impl FnOnce() -> Result<Option<ArrayD<f64>>>,
    ) -> Result<Array> {
        match element {
            DLB_TYPE_F32 => told(&self.floats, element, find, |number| number as f32),
            DLB_TYPE_F64 => told(&self.doubles, element, find, |number| number),
            other => Err(Error::Usage(format!(
                "an array is given in DLB_TYPE_F32 or DLB_TYPE_F64, but the type is {other}"
            ))),
        }
    }
}

fn told<T>(
    kept: &OnceLock<Option<Elements<T>>>,
    element: c_int,
    find: impl FnOnce() -> Result<Option<ArrayD<f64>>>,
    convert: impl Fn(f64) -> T,
) -> Result<Array> {
    let found = match kept.get() {
        Some(found) => found,
        None => {
            let elements = find()?.map(|array| Elements {
                data: array.iter().map(|&number| convert(number)).collect(),
                shape: array.shape().to_vec(),
            });
            // If another thread came first, its array stays.
            kept.get_or_init(|| elements)
        }
    };
    let (data, size, shape) = match found {
        Some(Elements { data, shape }) => (data.as_ptr().cast::<c_void>(), data.len(), shape.as_slice()),
        None => (ptr::null(), 0, &[][..]),
    };
    Ok(Array { struct_size: 0, data, size, shape: shape.as_ptr(), rank: shape.len(), r#type: element })
}
