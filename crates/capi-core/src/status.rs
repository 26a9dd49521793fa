//! How a call ends: a status, and a message that the thread keeps.

use crate::text::c_string;
use dlbacktrace::Result;
use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CString, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static LAST_ERROR: RefCell<CString> = RefCell::default();
}

/// The status of a defect or a failure of the framework.
const INTERNAL: c_int = 1;

/// The message of this thread's last failed call, valid until the next one fails.
pub extern "C" fn last_error() -> *const c_char {
    LAST_ERROR.with_borrow(|text| text.as_ptr())
}

/// Keeps a message for [`last_error`].
pub fn set_last_error(text: &str) {
    LAST_ERROR.set(c_string(text));
}

/// Runs `work`; its error, or its panic, becomes the status and the message.
pub fn guarded(work: impl FnOnce() -> Result<()>) -> c_int {
    // A panic leaves no handle half written, because each is written in its last step.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => 0,
        Ok(Err(error)) => {
            set_last_error(&error.to_string());
            error.exit_code()
        }
        Err(panic) => {
            set_last_error(&format!(
                "this is a defect of dlbacktrace. Please report it: {}",
                message(&*panic)
            ));
            INTERNAL
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests {
    use super::*;
    use dlbacktrace::Error;
    use std::ffi::CStr;

    fn said() -> String {
        // SAFETY: the thread keeps the text.
        unsafe { CStr::from_ptr(last_error()) }.to_string_lossy().into_owned()
    }

    #[test]
    fn errors_and_panics_become_statuses_with_their_messages() {
        assert_eq!(guarded(|| Err(Error::Inputs("x is missing".into()))), 5);
        assert_eq!(said(), "x is missing");
        assert_eq!(guarded(|| panic!("no {}", "luck")), 1);
        assert!(said().ends_with("Please report it: no luck"), "{}", said());
        assert_eq!(guarded(|| Ok(())), 0);
    }
}
