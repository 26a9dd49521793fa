//! `libdlbacktrace_torch`: the C interface over libtorch. It exports one function, which only `libdlbacktrace` calls.

use dlbacktrace_capi_core::{TABLE, Table};

/// The functions of this object.
#[unsafe(no_mangle)]
pub extern "C" fn dlbacktrace_torch_table() -> *const Table {
    &raw const TABLE
}
