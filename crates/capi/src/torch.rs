//! Loads the object that explains TorchScript.

use dlbacktrace::{Error, Result};
use dlbacktrace_capi_core::{ABI, Table};
use dlbacktrace_libtorch::VERSION;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use std::env;
use std::ffi::{CStr, OsStr};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::OnceLock;

const NAME: &str = "libdlbacktrace_torch.so.1";
/// The variable that names the object's file, if that is not beside this library.
const VARIABLE: &str = "DLBACKTRACE_TORCH";
/// `dlbacktrace_torch_table` of the object.
type Find = unsafe extern "C" fn() -> *const Table;

/// The functions of the object. It is loaded once; a failed load is tried again.
pub(crate) fn table() -> Result<&'static Table> {
    static LOADED: OnceLock<&'static Table> = OnceLock::new();
    match LOADED.get() {
        Some(table) => Ok(table),
        None => load().map(|table| *LOADED.get_or_init(|| table)),
    }
}

/// Checks that a program was compiled with the headers of the needed libtorch. Only then is the layout of its modules known; and
/// with another libtorch the object would not even load.
pub(crate) fn fits(headers: Option<&str>) -> Result<()> {
    let Some(headers) = headers else { return Err(Error::Usage("the version of libtorch is null".into())) };
    // A release that the user built says 2.13.0a0 or 2.13.0+cpu.
    if headers.starts_with(VERSION) {
        return Ok(());
    }
    Err(Error::Library(format!(
        "libtorch {VERSION} is needed, but this program was compiled with the headers of {headers}: compile and link it \
         with libtorch {VERSION}"
    )))
}

fn load() -> Result<&'static Table> {
    let path = find();
    // All symbols at once: if libtorch is the wrong one, some are missing, and it is better to learn that now.
    // SAFETY: the object's initialisers are those of Rust and libtorch, which only set up themselves.
    let library =
        unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) }.map_err(|error| unloadable(&error))?;
    let other = |what: &str| {
        Error::Library(format!(
            "{} does not belong to this dlbacktrace: {what}. Install both again",
            path.display()
        ))
    };
    // SAFETY: only the other half of this library has a function of this name, and it has this type there.
    let find = unsafe { library.get::<Find>(c"dlbacktrace_torch_table") }
        .map_err(|error| other(&error.to_string()))?;
    // SAFETY: the function takes nothing, and its table is a static one.
    let table = unsafe { find().as_ref() }.ok_or_else(|| other("it has no functions"))?;
    if table.abi != ABI {
        return Err(other(&format!("its interface is {}, this one's {ABI}", table.abi)));
    }
    // libtorch keeps what was registered with it, so the object stays loaded until the process ends.
    std::mem::forget(library);
    Ok(table)
}

fn unloadable(error: &libloading::Error) -> Error {
    let text = match error {
        libloading::Error::DlOpen { source } => source.to_string(),
        other => other.to_string(),
    };
    Error::Library(if text.contains("undefined symbol") {
        format!(
            "libtorch {VERSION} is needed, but this process has or finds another one: {text}. Link the program \
             to libtorch {VERSION}, or let LD_LIBRARY_PATH name its lib directory"
        )
    } else {
        format!(
            "to explain TorchScript, {NAME} and libtorch {VERSION} are needed, but the system's loader found one of them missing: \
             {text}. Install both: {NAME} beside libdlbacktrace.so (or beside the program that this is linked into) or at the path in \
             {VARIABLE}; and let LD_LIBRARY_PATH name the lib directory of libtorch if the program is not linked to it"
        )
    })
}

/// The path in the environment, else beside this library, else wherever the system's loader finds the name.
fn find() -> PathBuf {
    if let Some(named) = env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        return named.into();
    }
    let here = place().and_then(|library| Some(library.canonicalize().ok()?.parent()?.to_path_buf()));
    let places = here.iter().flat_map(|here| [here.join(NAME), here.join("../lib").join(NAME)]);
    places.into_iter().find(|path| path.is_file()).unwrap_or_else(|| NAME.into())
}

/// The file from which this code was loaded: the library, or the program that it is linked into.
fn place() -> Option<PathBuf> {
    static HERE: u8 = 0;
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: any address is allowed, and the place for the answer is valid.
    let found = unsafe { libc::dladdr((&raw const HERE).cast(), info.as_mut_ptr()) };
    // SAFETY: zeros are a valid value too.
    let name = unsafe { info.assume_init() }.dli_fname;
    if found == 0 || name.is_null() {
        return None;
    }
    // SAFETY: the linker's own C string.
    let name = PathBuf::from(OsStr::from_bytes(unsafe { CStr::from_ptr(name) }.to_bytes()));
    // For a program this is the name it was called by, which need not be a path.
    if name.is_file() { Some(name) } else { env::current_exe().ok() }
}
