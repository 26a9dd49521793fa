//! Models: loaded from a file, or shared with the program.

use crate::answer::{answer, taken};
use crate::explanation::out_of_range;
use crate::handle::{behind, free, handed_out};
use crate::numbers::precision;
use crate::request::Request;
use crate::table::{TABLE, Table};
use crate::text::{c_string, given, needed, path};
use crate::types::{Argument, LoadOptions, ModelInfo};
use dlbacktrace::{Error, Result};
use std::ffi::{CString, c_char, c_int, c_void};
use std::slice;
use std::sync::{Arc, OnceLock};

/// The most texts of a list.
pub const MAX_TEXTS: usize = 256;

/// A `dlb_model`. Threads may share it.
#[repr(C)]
pub struct Model {
    table: *const Table,
    inner: Arc<dlbacktrace::Model>,
    framework: CString,
    /// The name and the kind of each argument.
    arguments: Vec<(CString, CString)>,
    inspection: OnceLock<CString>,
}

/// An array of C strings.
///
/// # Safety
/// `texts` is null or points to `count` C strings.
unsafe fn texts<'a>(what: &str, texts: *const *const c_char, count: usize) -> Result<&'a [*const c_char]> {
    match count {
        0 => Ok(&[]),
        _ if texts.is_null() => Err(Error::Usage(format!("{what} are {count}, but their array is null"))),
        _ if count > MAX_TEXTS => {
            Err(Error::Usage(format!("{what} are {count}, and {MAX_TEXTS} is the most")))
        }
        // SAFETY: not null; the caller guarantees the rest.
        _ => Ok(unsafe { slice::from_raw_parts(texts, count) }),
    }
}

/// # Safety
/// `options` is null or as the header requires.
unsafe fn load_options(options: *const LoadOptions) -> Result<dlbacktrace::LoadOptions> {
    if options.is_null() {
        return Ok(dlbacktrace::LoadOptions::default());
    }
    // SAFETY: the caller guarantees the options and all pointers in them.
    unsafe {
        let options = taken(options)?;
        let tags = texts("the tags", options.tags, options.tag_count)?;
        let libraries = texts("the libraries", options.libraries, options.library_count)?;
        Ok(dlbacktrace::LoadOptions {
            libraries: libraries.iter().map(|&text| path(text, "a library")).collect::<Result<_>>()?,
            signature: given(options.signature)?.map(str::to_owned),
            tags: tags.iter().map(|&text| Ok(needed(text, "a tag")?.to_owned())).collect::<Result<_>>()?,
            tensorflow: match options.tensorflow.is_null() {
                true => None,
                false => Some(path(options.tensorflow, "the path of TensorFlow")?),
            },
            threads: (options.threads > 0).then_some(options.threads),
        })
    }
}

impl Model {
    fn new(inner: dlbacktrace::Model) -> Self {
        let texts = |argument: &dlbacktrace::Argument| (c_string(&argument.name), c_string(&argument.kind));
        Self {
            table: &raw const TABLE,
            framework: c_string(&inner.framework()),
            arguments: inner.arguments().iter().map(texts).collect(),
            inspection: OnceLock::new(),
            inner: Arc::new(inner),
        }
    }

    fn info(&self) -> ModelInfo {
        ModelInfo {
            struct_size: 0,
            framework: self.framework.as_ptr(),
            argument_count: self.arguments.len(),
            ordered: self.inner.ordered().into(),
            precision: precision(self.inner.precision()),
        }
    }

    fn argument(&self, index: usize) -> Result<Argument> {
        let found = self.inner.arguments().iter().zip(&self.arguments).nth(index);
        let (argument, (name, kind)) =
            found.ok_or_else(|| out_of_range("argument", index, self.arguments.len()))?;
        Ok(Argument {
            struct_size: 0,
            name: name.as_ptr(),
            kind: kind.as_ptr(),
            optional: argument.optional.into(),
        })
    }
}

pub(crate) unsafe extern "C" fn dlb_model_load(
    file: *const c_char,
    options: *const LoadOptions,
    model: *mut *mut Model,
) -> c_int {
    let load = || {
        // SAFETY: the header asks for a C string and for null or the options.
        let (path, options) = unsafe { (path(file, "the path")?, load_options(options)?) };
        #[cfg(feature = "torch")]
        fits()?;
        Ok(handed_out(Model::new(dlbacktrace::Model::load_with(path, &options)?)))
    };
    // SAFETY: the header asks for a place.
    unsafe { answer(model, load) }
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
    let share = || {
        fits()?;
        // SAFETY: the header asks for a live module of this libtorch.
        let shared = unsafe { dlbacktrace::Model::share_torch(module) }?;
        Ok(handed_out(Model::new(shared)))
    };
    // SAFETY: the header asks for a place.
    unsafe { answer(model, share) }
}

#[cfg(not(feature = "torch"))]
pub(crate) unsafe extern "C" fn dlb_model_share_torch(_: *const c_void, model: *mut *mut Model) -> c_int {
    let refuse = || Err(Error::Library("this object does not explain modules of libtorch".into()));
    // SAFETY: the header asks for a place.
    unsafe { answer(model, refuse) }
}

pub(crate) unsafe extern "C" fn dlb_model_free(model: *mut Model) {
    // SAFETY: the header asks for null or a model that was not freed.
    unsafe { free(model) };
}

pub(crate) unsafe extern "C" fn dlb_model_describe(model: *const Model, info: *mut ModelInfo) -> c_int {
    // SAFETY: the header asks for a live model and a place.
    unsafe { answer(info, || Ok(behind(model)?.info())) }
}

pub(crate) unsafe extern "C" fn dlb_model_argument(
    model: *const Model,
    index: usize,
    argument: *mut Argument,
) -> c_int {
    // SAFETY: the header asks for a live model and a place.
    unsafe { answer(argument, || behind(model)?.argument(index)) }
}

pub(crate) unsafe extern "C" fn dlb_model_inspect(model: *const Model, json: *mut *const c_char) -> c_int {
    let inspect = || {
        // SAFETY: the header asks for a live model.
        let model = unsafe { behind(model) }?;
        if let Some(text) = model.inspection.get() {
            return Ok(text.as_ptr());
        }
        let inspection = serde_json::to_string(&model.inner.inspect()?);
        let text = inspection.map_err(|error| Error::Internal(error.to_string()))?;
        Ok(model.inspection.get_or_init(|| c_string(&text)).as_ptr())
    };
    // SAFETY: the header asks for a place.
    unsafe { answer(json, inspect) }
}

pub(crate) unsafe extern "C" fn dlb_request_new(model: *const Model, request: *mut *mut Request) -> c_int {
    // SAFETY: the header asks for a live model and a place.
    unsafe { answer(request, || Ok(handed_out(Request::new(Arc::clone(&behind(model)?.inner))))) }
}
