//! Loads the object that explains TorchScript.

use dlbacktrace::{Error, Result};
use dlbacktrace_cxx_interface::{ABI, Table};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use std::env;
use std::ffi::{CStr, OsStr};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::OnceLock;

const NAME: &str = "libdlbacktrace_torch.so.1";
/// Names the object's file, where it is not beside this library.
const VARIABLE: &str = "DLBACKTRACE_TORCH";
/// `dlbacktrace_torch_table` of the object.
type Find = unsafe extern "C" fn() -> *const Table;

/// The functions of the object; it is loaded once, and tried again after a failure.
pub(crate) fn table() -> Result<&'static Table> {
    static LOADED: OnceLock<&'static Table> = OnceLock::new();
    match LOADED.get() {
        Some(table) => Ok(table),
        None => load().map(|table| *LOADED.get_or_init(|| table)),
    }
}

fn load() -> Result<&'static Table> {
    let path = find();
    // Every symbol now: of a wrong libtorch some are missing, which is better met here than in the midst of work.
    // SAFETY: the object's initialisers are those of Rust and libtorch, which only set up themselves.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) }.map_err(|error| {
        let text = match &error {
            libloading::Error::DlOpen { source } => source.to_string(),
            other => other.to_string(),
        };
        Error::Library(format!(
            "TorchScript is explained by {NAME} with libtorch 2.13.0, and the system's loader found one of them missing or \
             wrong: {text}. Install both, {NAME} beside libdlbacktrace.so or where {VARIABLE} says, and let \
             LD_LIBRARY_PATH name the lib directory of libtorch if the program is not linked to it"
        ))
    })?;
    let other = |what: &str| {
        Error::Library(format!("{} is not of this dlbacktrace: {what}. Install both anew", path.display()))
    };
    // SAFETY: only the other half of this library has a function of this name, and there it has this type.
    let find = unsafe { library.get::<Find>(c"dlbacktrace_torch_table") }
        .map_err(|error| other(&error.to_string()))?;
    // SAFETY: the function takes nothing, and its table is a static one.
    let table = unsafe { find().as_ref() }.ok_or_else(|| other("it has no functions"))?;
    if table.abi != ABI {
        return Err(other(&format!("its interface is {}, this one's {ABI}", table.abi)));
    }
    // libtorch keeps what was registered with it, so the object stays until the process ends.
    std::mem::forget(library);
    Ok(table)
}

/// Where the environment says, else beside this library, else wherever the system's loader finds the name.
fn find() -> PathBuf {
    if let Some(named) = env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        return named.into();
    }
    let here = place().and_then(|library| Some(library.canonicalize().ok()?.parent()?.to_path_buf()));
    let places = here.iter().flat_map(|here| [here.join(NAME), here.join("../lib").join(NAME)]);
    places.into_iter().find(|path| path.is_file()).unwrap_or_else(|| NAME.into())
}

/// The file that this code was loaded from: the library, or the program that it is linked into.
fn place() -> Option<PathBuf> {
    static HERE: u8 = 0;
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: any address may be asked for, and the place for the answer is valid.
    let found = unsafe { libc::dladdr((&raw const HERE).cast(), info.as_mut_ptr()) };
    // SAFETY: zeros are a valid value, too.
    let name = unsafe { info.assume_init() }.dli_fname;
    if found == 0 || name.is_null() {
        return None;
    }
    // SAFETY: the linker's own C string.
    let name = unsafe { CStr::from_ptr(name) };
    Some(OsStr::from_bytes(name.to_bytes()).into())
}
