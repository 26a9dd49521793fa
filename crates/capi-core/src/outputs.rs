//! What a model returned when it ran without an explanation.

use crate::explanation::out_of_range;
use crate::kept::Kept;
use crate::table::{TABLE, Table};
use crate::text::c_string;
use crate::torch::Tensors;
use crate::types::Array;
use dlbacktrace::{OutputTensor, Result};
use std::ffi::{CString, c_char, c_int, c_void};

/// A `dlb_outputs`. Threads may read it at the same time.
#[repr(C)]
pub struct Outputs {
    table: *const Table,
    outputs: Vec<Named>,
}

struct Named {
    name: CString,
    array: Kept,
    found: OutputTensor,
}

impl Outputs {
    pub(crate) fn new(found: Vec<OutputTensor>) -> Self {
        let named =
            |found: OutputTensor| Named { name: c_string(&found.name), array: Kept::default(), found };
        Self { table: &raw const TABLE, outputs: found.into_iter().map(named).collect() }
    }

    fn found(&self, index: usize) -> Result<&Named> {
        self.outputs.get(index).ok_or_else(|| out_of_range("output", index, self.outputs.len()))
    }

    pub(crate) fn count(&self) -> Result<usize> {
        Ok(self.outputs.len())
    }

    pub(crate) fn name(&self, index: usize) -> Result<*const c_char> {
        Ok(self.found(index)?.name.as_ptr())
    }

    pub(crate) fn array(&self, index: usize, element: c_int) -> Result<Array> {
        let Named { array, found, .. } = self.found(index)?;
        array.told(element, || found.array().map(Some))
    }

    pub(crate) fn torch(&self, index: usize) -> Result<*const c_void> {
        Ok(self.found(index)?.found.tensor_pointer(0))
    }
}
