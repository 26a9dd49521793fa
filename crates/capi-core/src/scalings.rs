//! How a model first scales its inputs, which shows the range of pixels that it takes.

use crate::handle::write;
use crate::numbers::{DLB_PIXELS_BYTES, DLB_PIXELS_UNIT, DLB_PIXELS_UNKNOWN};
use crate::request::{Request, request_behind};
use crate::status::guarded;
use crate::text::c_string;
use crate::types::{Scaling, Scalings};
use dlbacktrace::PixelRange;
use std::ffi::{CString, c_int};

/// The scalings of a request, and the texts that they refer to.
pub(crate) struct Asked {
    scalings: Vec<Scaling>,
    _names: Vec<CString>,
}

impl Asked {
    fn new(found: Vec<(String, dlbacktrace::Scaling)>) -> Self {
        let names: Vec<CString> = found.iter().map(|(name, _)| c_string(name)).collect();
        let scalings = names.iter().zip(&found).map(|(name, (_, scaling))| Scaling {
            name: name.as_ptr(),
            factor: scaling.factor,
            shift: scaling.shift,
            pixels: match scaling.pixels() {
                Some(PixelRange::Unit) => DLB_PIXELS_UNIT,
                Some(PixelRange::Bytes) => DLB_PIXELS_BYTES,
                None => DLB_PIXELS_UNKNOWN,
            },
        });
        Self { scalings: scalings.collect(), _names: names }
    }
}

pub(crate) unsafe extern "C" fn dlb_request_scalings(
    request: *mut Request,
    scalings: *mut Scalings,
) -> c_int {
    guarded(|| {
        // SAFETY: the header asks for a request.
        let request = unsafe { request_behind(request) }?;
        let asked = Asked::new(request.scalings()?);
        let result = Scalings { data: asked.scalings.as_ptr(), size: asked.scalings.len() };
        // What was handed out before lives until here.
        request.asked = Some(asked);
        // SAFETY: the header asks for a place.
        unsafe { write(scalings, result) }
    })
}
