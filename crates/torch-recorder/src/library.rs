//! The libtorch library itself: its version, custom operators, its allocator.

use crate::bridge::ffi;
use crate::error::{Error, Result};
use std::path::Path;

/// The version of the loaded libtorch, such as `"2.13.0"`.
pub fn libtorch_version() -> String {
    ffi::libtorch_version()
}

/// Opens a shared library that registers custom operators, so that archives which call them can be loaded.
///
/// # Errors
/// [`Error::Library`] with the dynamic linker's text.
pub fn load_library(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    ffi::load_library(&path.to_string_lossy())
        .map_err(|error| Error::Library { path: path.to_owned(), reason: error.what().to_owned() })
}

/// Makes the C allocator keep large blocks instead of returning each to the system.
///
/// A recording keeps many large tensors, and fresh pages from the system cost several times the arithmetic on them. Call this
/// once when the program starts; on systems without glibc it does nothing.
pub fn tune_allocator() {
    ffi::tune_allocator();
}
