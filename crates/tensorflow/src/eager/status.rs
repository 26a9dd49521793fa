//! TensorFlow's answer to a call.

use crate::library::{Library, types::TF_Status};
use std::ffi::CStr;

/// A `TF_Status`.
pub(super) struct Status {
    library: &'static Library,
    pointer: *mut TF_Status,
}

impl Status {
    pub(super) fn new(library: &'static Library) -> Self {
        // SAFETY: takes nothing; returns a status that `drop` deletes.
        Self { library, pointer: unsafe { (library.api.TF_NewStatus)() } }
    }

    /// The pointer for a call to write to.
    pub(super) fn pointer(&self) -> *mut TF_Status {
        self.pointer
    }

    /// The result of the last call. An error is TensorFlow's message, without its marks of source nodes.
    pub(super) fn check(&self) -> Result<(), String> {
        // SAFETY: the pointer is this status's own.
        if unsafe { (self.library.api.TF_GetCode)(self.pointer) } == 0 {
            return Ok(());
        }
        // SAFETY: the message is a C string that lives until the next call with this status.
        let message = unsafe { CStr::from_ptr((self.library.api.TF_Message)(self.pointer)) };
        let message = message.to_string_lossy();
        let message = message.split(" [Op:").next().unwrap_or_default();
        let unmarked = message.strip_prefix("{{").and_then(|message| message.split_once("}} "));
        Err(unmarked.map_or(message, |(_, message)| message).trim().to_owned())
    }
}

impl Drop for Status {
    fn drop(&mut self) {
        // SAFETY: made by `new`, deleted once.
        unsafe { (self.library.api.TF_DeleteStatus)(self.pointer) }
    }
}
