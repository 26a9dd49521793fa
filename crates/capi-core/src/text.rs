//! Texts that cross to and from C.

use dlbacktrace::{Error, Result};
use std::ffi::{CStr, CString, OsStr, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The text for C, in which a NUL is shown as ␀.
pub fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', "␀")).unwrap_or_default()
}

/// The text of a C string; `None` for null.
///
/// # Errors
/// [`Error::Usage`] if it is not UTF-8.
///
/// # Safety
/// `text` is null or points to a C string that outlives the result.
pub unsafe fn given<'a>(text: *const c_char) -> Result<Option<&'a str>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not null; the caller guarantees the rest.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map(Some).map_err(|_| Error::Usage(format!("{text:?} is not UTF-8")))
}

/// As [`given`], for a text that is required.
///
/// # Safety
/// As for [`given`].
pub(crate) unsafe fn needed<'a>(text: *const c_char, what: &str) -> Result<&'a str> {
    // SAFETY: the caller guarantees the pointer.
    unsafe { given(text) }?.ok_or_else(|| Error::Usage(format!("{what} is null")))
}

/// A path, which is what bytes the system has.
///
/// # Safety
/// As for [`given`].
pub(crate) unsafe fn path(text: *const c_char, what: &str) -> Result<PathBuf> {
    if text.is_null() {
        return Err(Error::Usage(format!("{what} is null")));
    }
    // SAFETY: not null; the caller guarantees the rest.
    Ok(OsStr::from_bytes(unsafe { CStr::from_ptr(text) }.to_bytes()).into())
}
