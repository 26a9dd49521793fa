//! `libdlbacktrace`: the functions of `cpp/include/dlbacktrace/dlbacktrace.h`.
//!
//! It explains SavedModels itself, with a TensorFlow that is found at run time. For TorchScript it loads another object when
//! that is first needed. Each function calls the function of its name in the table that its handle begins with.

mod torch;

use dlbacktrace::{Error, Result, is_torchscript};
use dlbacktrace_capi_core::{
    ABI, Argument, Array, Checks, Entry, Explanation, Gate, Input, LoadOptions, Model, ModelInfo, Output,
    Outputs, Progress, Request, Scaling, Scalings, Summary, TABLE, Table, Value, Verification, given,
    guarded, interface, last_error, set_last_error,
};
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

/// Calls a function of a table. If it fails, the message of the other object becomes the message of this one.
fn call(table: &Table, function: impl FnOnce(&Table) -> c_int) -> c_int {
    let status = function(table);
    if status != 0 && !ptr::eq(table, &raw const TABLE) {
        // SAFETY: the table's object keeps the text until its next failure on this thread.
        let text = unsafe { CStr::from_ptr((table.last_error)()) };
        set_last_error(&text.to_string_lossy());
    }
    status
}

/// Calls a function of the table that the handle begins with.
///
/// # Safety
/// `handle` is null or a live one.
unsafe fn by_handle<T>(handle: *const T, function: impl FnOnce(&Table) -> c_int) -> c_int {
    // SAFETY: every handle begins with the address of a table, which lives until the process ends. Functions of this object
    // refuse a null handle as well as any.
    call(unsafe { table_of(handle) }.unwrap_or(&TABLE), function)
}

/// # Safety
/// `handle` is null or a live one.
unsafe fn table_of<T>(handle: *const T) -> Option<&'static Table> {
    // SAFETY: the first word of a live handle is the address of a table.
    unsafe { handle.cast::<*const Table>().as_ref()?.as_ref() }
}

macro_rules! export {
    ($(fn $name:ident($handle:ident: $type:ty $(, $argument:ident: $other:ty)*);)*) => {$(
        /// See `dlbacktrace.h`.
        ///
        /// # Safety
        /// As `dlbacktrace.h` requires.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($handle: $type $(, $argument: $other)*) -> c_int {
            // SAFETY: the caller guarantees the arguments.
            unsafe { by_handle($handle, |table| (table.$name)($handle $(, $argument)*)) }
        }
    )*};
}

interface!(export);

macro_rules! export_free {
    ($($name:ident: $type:ty),*) => {$(
        /// See `dlbacktrace.h`.
        ///
        /// # Safety
        /// As `dlbacktrace.h` requires.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(handle: *mut $type) {
            // SAFETY: the caller guarantees the handle.
            unsafe {
                if let Some(table) = table_of(handle) {
                    (table.$name)(handle);
                }
            }
        }
    )*};
}

export_free!(
    dlb_model_free: Model, dlb_request_free: Request, dlb_outputs_free: Outputs, dlb_scalings_free: Scalings,
    dlb_verification_free: Verification, dlb_explanation_free: Explanation
);

/// See `dlbacktrace.h`.
#[unsafe(no_mangle)]
pub extern "C" fn dlb_abi_version() -> c_int {
    ABI as c_int
}

/// See `dlbacktrace.h`.
#[unsafe(no_mangle)]
pub extern "C" fn dlb_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// See `dlbacktrace.h`.
#[unsafe(no_mangle)]
pub extern "C" fn dlb_last_error() -> *const c_char {
    last_error()
}

/// Calls a function of the table that `find` returns. If there is none, no model is handed out.
///
/// # Safety
/// `model` is null or valid for a write.
unsafe fn by_choice(
    model: *mut *mut Model,
    find: impl FnOnce() -> Result<&'static Table>,
    function: impl FnOnce(&Table) -> c_int,
) -> c_int {
    let mut found = None;
    let status = guarded(|| {
        if model.is_null() {
            return Err(Error::Usage("the place for the model is null".into()));
        }
        // SAFETY: not null; the caller guarantees the rest.
        unsafe { model.write(ptr::null_mut()) };
        found = Some(find()?);
        Ok(())
    });
    found.map_or(status, |table| call(table, function))
}

/// See `dlbacktrace.h`.
///
/// # Safety
/// As `dlbacktrace.h` requires.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dlb_model_load(
    path: *const c_char,
    options: *const LoadOptions,
    model: *mut *mut Model,
) -> c_int {
    let by_kind = || {
        if path.is_null() {
            return Err(Error::Usage("the path is null".into()));
        }
        // SAFETY: not null; the caller guarantees the rest.
        let path = Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes()));
        if is_torchscript(path)? { torch::table() } else { Ok(&TABLE) }
    };
    // SAFETY: the caller guarantees the arguments.
    unsafe { by_choice(model, by_kind, |table| (table.dlb_model_load)(path, options, model)) }
}

/// See `dlbacktrace.h`.
///
/// # Safety
/// As `dlbacktrace.h` requires.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dlb_model_share_torch(
    module: *const c_void,
    torch_version: *const c_char,
    model: *mut *mut Model,
) -> c_int {
    let fitting = || {
        // SAFETY: the caller guarantees the text.
        torch::fits(unsafe { given(torch_version) }?)?;
        torch::table()
    };
    // SAFETY: the caller guarantees the arguments.
    unsafe { by_choice(model, fitting, |table| (table.dlb_model_share_torch)(module, model)) }
}
