//! Handles: objects that C holds by their address.

use crate::status::guarded;
use dlbacktrace::{Error, Result};

/// Hands a new handle out.
///
/// # Safety
/// `place` is null or valid for a write.
pub(crate) unsafe fn hand_out<T>(place: *mut *mut T, handle: T) -> Result<()> {
    if place.is_null() {
        return Err(Error::Usage("the place for the result is null".into()));
    }
    // SAFETY: not null; the caller guarantees the rest.
    unsafe { place.write(Box::into_raw(Box::new(handle))) };
    Ok(())
}

/// Writes a plain result.
///
/// # Safety
/// `place` is null or valid for a write.
pub(crate) unsafe fn write<T>(place: *mut T, result: T) -> Result<()> {
    if place.is_null() {
        return Err(Error::Usage("the place for the result is null".into()));
    }
    // SAFETY: not null; the caller guarantees the rest.
    unsafe { place.write(result) };
    Ok(())
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
