//! Handles: objects that C holds by their address.

use crate::status::guarded;
use dlbacktrace::{Error, Result};

/// A new handle.
pub(crate) fn handed_out<T>(object: T) -> *mut T {
    Box::into_raw(Box::new(object))
}

/// The object behind a handle.
///
/// # Safety
/// `handle` is null, or was handed out for a `T` and not freed.
pub(crate) unsafe fn behind<'a, T>(handle: *const T) -> Result<&'a T> {
    // SAFETY: the caller guarantees it.
    unsafe { handle.as_ref() }.ok_or_else(|| Error::Usage("the handle is null".into()))
}

/// Frees the object behind a handle.
///
/// # Safety
/// `handle` is null, or was handed out for a `T` and not freed.
pub(crate) unsafe fn free<T>(handle: *mut T) {
    guarded(|| {
        if !handle.is_null() {
            // SAFETY: the caller guarantees it.
            drop(unsafe { Box::from_raw(handle) });
        }
        Ok(())
    });
}
