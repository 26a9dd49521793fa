//! Models: loaded from a file, or shared with the program.

use crate::handle::{behind, free, hand_out, write};
use crate::request::Request;
use crate::status::guarded;
use crate::table::{TABLE, Table};
use crate::text::{c_string, given, needed};
use crate::types::LoadOptions;
use dlbacktrace::{Error, Result};
use std::ffi::{CString, c_char, c_int, c_void};
use std::path::PathBuf;
use std::slice;
use std::sync::{Arc, OnceLock};

/// A `dlb_model`. Threads may share it.
#[repr(C)]
pub struct Model {
    table: *const Table,
    inner: Arc<dlbacktrace::Model>,
    inspection: OnceLock<CString>,
}

/// The texts of an array of C strings.
///
/// # Safety
/// `texts` is null or points to `count` C strings.
unsafe fn texts<'a>(texts: *const *const c_char, count: usize) -> Result<Vec<&'a str>> {
    if texts.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: not null; the caller guarantees the rest.
    unsafe { slice::from_raw_parts(texts, count) }
        .iter()
        .map(|&text| {
            // SAFETY: as above.
            unsafe { needed(text, "a text of a list") }
        })
        .collect()
}

/// # Safety
/// `options` is null or as the header requires.
unsafe fn load_options(options: *const LoadOptions) -> Result<dlbacktrace::LoadOptions> {
    // SAFETY: the caller guarantees it.
    let Some(options) = (unsafe { options.as_ref() }) else { return Ok(dlbacktrace::LoadOptions::default()) };
    // SAFETY: the caller guarantees all pointers in the options.
    let (signature, tensorflow, tags, libraries) = unsafe {
        (
            given(options.signature)?,
            given(options.tensorflow)?,
            texts(options.tags, options.tag_count)?,
            texts(options.libraries, options.library_count)?,
        )
    };
    Ok(dlbacktrace::LoadOptions {
        libraries: libraries.into_iter().map(PathBuf::from).collect(),
        signature: signature.map(str::to_owned),
        tags: tags.into_iter().map(str::to_owned).collect(),
        tensorflow: tensorflow.map(PathBuf::from),
        threads: (options.threads > 0).then_some(options.threads),
    })
}

impl Model {
    fn new(inner: dlbacktrace::Model) -> Self {
        Self { table: &raw const TABLE, inner: Arc::new(inner), inspection: OnceLock::new() }
    }
}

pub(crate) unsafe extern "C" fn dlb_model_load(
    path: *const c_char,
    options: *const LoadOptions,
    model: *mut *mut Model,
) -> c_int {
    guarded(|| {
        // SAFETY: the header asks for a C string and for null or the options.
        let (path, options) = unsafe { (needed(path, "the path")?, load_options(options)?) };
        #[cfg(feature = "torch")]
        fits()?;
        let loaded = dlbacktrace::Model::load_with(path, &options)?;
        // SAFETY: the header asks for a place.
        unsafe { hand_out(model, Model::new(loaded)) }
    })
}

/// Checks that the libtorch of the process is the one that the recorder was compiled against.
#[cfg(feature = "torch")]
fn fits() -> Result<()> {
    let found = dlbacktrace::torch::libtorch_version();
    let needed = dlbacktrace_libtorch::VERSION;
    // A release that the user built says 2.13.0a0 or 2.13.0+cpu.
    if found.starts_with(needed) {
        return Ok(());
    }
    Err(Error::Library(format!(
        "libtorch {needed} is needed, but this process has loaded {found}: link the program to libtorch {needed}, or let \
         LD_LIBRARY_PATH name its lib directory"
    )))
}

#[cfg(feature = "torch")]
pub(crate) unsafe extern "C" fn dlb_model_share_torch(
    module: *const c_void,
    model: *mut *mut Model,
) -> c_int {
    guarded(|| {
        fits()?;
        // SAFETY: the header asks for a live module of this libtorch.
        let shared = unsafe { dlbacktrace::Model::share_torch(module) }?;
        // SAFETY: the header asks for a place.
        unsafe { hand_out(model, Model::new(shared)) }
    })
}

#[cfg(not(feature = "torch"))]
pub(crate) unsafe extern "C" fn dlb_model_share_torch(_: *const c_void, _: *mut *mut Model) -> c_int {
    guarded(|| Err(Error::Library("this object does not explain modules of libtorch".into())))
}

pub(crate) unsafe extern "C" fn dlb_model_free(model: *mut Model) {
    // SAFETY: the header asks for null or a model that was not freed.
    unsafe { free(model) };
}

pub(crate) unsafe extern "C" fn dlb_model_inspect(model: *const Model, json: *mut *const c_char) -> c_int {
    guarded(|| {
        // SAFETY: the header asks for a live model.
        let model = unsafe { behind(model) }?;
        let text = match model.inspection.get() {
            Some(text) => text,
            None => {
                let inspection = serde_json::to_string(&model.inner.inspect()?);
                let text = inspection.map_err(|error| Error::Internal(error.to_string()))?;
                model.inspection.get_or_init(|| c_string(&text))
            }
        };
        // SAFETY: the header asks for a place.
        unsafe { write(json, text.as_ptr()) }
    })
}

pub(crate) unsafe extern "C" fn dlb_request_new(model: *const Model, request: *mut *mut Request) -> c_int {
    guarded(|| {
        // SAFETY: the header asks for a live model.
        let model = unsafe { behind(model) }?;
        // SAFETY: the header asks for a place.
        unsafe { hand_out(request, Request::new(Arc::clone(&model.inner))) }
    })
}
