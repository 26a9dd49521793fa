//! How a model first scales its inputs, which shows the range of pixels that it takes.

use crate::explanation::out_of_range;
use crate::numbers::{DLB_PIXELS_BYTES, DLB_PIXELS_UNIT, DLB_PIXELS_UNKNOWN};
use crate::table::{TABLE, Table};
use crate::text::c_string;
use crate::types::Scaling;
use dlbacktrace::{PixelRange, Result};
use std::ffi::CString;

/// A `dlb_scalings`. Threads may read it at the same time.
#[repr(C)]
pub struct Scalings {
    table: *const Table,
    found: Vec<(CString, dlbacktrace::Scaling)>,
}

impl Scalings {
    pub(crate) fn new(found: Vec<(String, dlbacktrace::Scaling)>) -> Self {
        let found = found.into_iter().map(|(name, scaling)| (c_string(&name), scaling));
        Self { table: &raw const TABLE, found: found.collect() }
    }

    pub(crate) fn count(&self) -> Result<usize> {
        Ok(self.found.len())
    }

    pub(crate) fn get(&self, index: usize) -> Result<Scaling> {
        let (name, scaling) =
            self.found.get(index).ok_or_else(|| out_of_range("scaling", index, self.found.len()))?;
        Ok(Scaling {
            struct_size: 0,
            name: name.as_ptr(),
            factor: scaling.factor,
            shift: scaling.shift,
            pixels: match scaling.pixels() {
                Some(PixelRange::Unit) => DLB_PIXELS_UNIT,
                Some(PixelRange::Bytes) => DLB_PIXELS_BYTES,
                None => DLB_PIXELS_UNKNOWN,
            },
        })
    }
}
