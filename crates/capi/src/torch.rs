//! Loads the object that explains TorchScript.

use dlbacktrace::{Error, Result};
use dlbacktrace_capi_core::{ABI, Table};
use dlbacktrace_libtorch::{VERSION, pytorch_of, pytorch_version};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use std::env;
use std::ffi::{CStr, OsStr};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const NAME: &str = "libdlbacktrace_torch.so.1";
/// The variable that names the object's file, if that is not beside this library.
const VARIABLE: &str = "DLBACKTRACE_TORCH";
/// The name by which every library that needs libtorch asks for it.
const LIBTORCH: &CStr = c"libtorch_cpu.so";
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
    if !libtorch_is_loaded() {
        load_libtorch_of_python();
    }
    // All symbols at once: if libtorch is the wrong one, some are missing, and it is better to learn that now.
    // SAFETY: the object's initialisers are those of Rust and libtorch, which only set up themselves.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) }
        .map_err(|error| unloadable(&path, &error))?;
    let other = |what: &str| {
        let whose = match is_named() {
            true => format!("{VARIABLE} names {}, which", path.display()),
            false => path.display().to_string(),
        };
        Error::Library(format!(
            "{whose} does not belong to this libdlbacktrace.so: {what}.\n{}",
            match is_named() {
                true =>
                    format!("Unset it, or let it name the {NAME} that was installed with libdlbacktrace.so."),
                false => "Install both again.".to_owned(),
            }
        ))
    };
    // SAFETY: only the other half of this library has a function of this name, and it has this type there.
    let find = unsafe { library.get::<Find>(c"dlbacktrace_torch_table") }
        .map_err(|_| other("it is another library"))?;
    // SAFETY: the function takes nothing, and its table is a static one.
    let table = unsafe { find().as_ref() }.ok_or_else(|| other("it has no functions"))?;
    if table.abi != ABI {
        return Err(other(&format!("its interface is {}, this one's {ABI}", table.abi)));
    }
    // libtorch keeps what was registered with it, so the object stays loaded until the process ends.
    std::mem::forget(library);
    Ok(table)
}

fn libtorch_is_loaded() -> bool {
    // SAFETY: the name of a library, which is only looked up.
    let loaded = unsafe { libc::dlopen(LIBTORCH.as_ptr(), libc::RTLD_NOLOAD | libc::RTLD_LAZY) };
    if loaded.is_null() {
        return false;
    }
    // SAFETY: the handle just given; it counted once more.
    unsafe { libc::dlclose(loaded) };
    true
}

/// In a Python, takes the libtorch of its PyTorch, if that is of the needed version: a later `import torch` would otherwise mix
/// its own libraries with ours of the same names.
fn load_libtorch_of_python() {
    let Some(home) = python().and_then(|python| pytorch_of(&python).ok()) else { return };
    if !pytorch_version(&home).is_some_and(|version| version.starts_with(VERSION)) {
        return;
    }
    let path = home.join("lib").join(LIBTORCH.to_string_lossy().as_ref());
    // SAFETY: the library that Python would load itself. If it does not open, the one that the object finds is as good.
    if let Ok(library) = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) } {
        std::mem::forget(library);
    }
}

/// The Python that this process is, as it was called.
fn python() -> Option<PathBuf> {
    let program = PathBuf::from(env::args_os().next()?);
    let is_python = program.file_name()?.to_str()?.starts_with("python");
    // SAFETY: a lookup among the libraries of the process.
    let runs = unsafe { Library::this().get::<unsafe extern "C" fn() -> libc::c_int>(c"Py_IsInitialized") };
    (is_python && runs.is_ok()).then_some(program)
}

/// Why the system's loader did not open the object.
fn unloadable(path: &Path, error: &libloading::Error) -> Error {
    let text = match error {
        libloading::Error::DlOpen { source } => source.to_string(),
        other => other.to_string(),
    };
    let libtorch =
        format!("Link the program to libtorch {VERSION}, or let LD_LIBRARY_PATH name its lib directory.");
    Error::Library(if text.contains("undefined symbol") {
        format!(
            "libtorch {VERSION} is needed, but this process has or finds another one: {text}.\n{libtorch}"
        )
    } else if is_named() && !text.contains("libtorch") && !text.contains("libc10") {
        format!(
            "{VARIABLE} names {}, which cannot be loaded: {text}.\nUnset it, or let it name the file or directory of \
             the {NAME} that was installed with libdlbacktrace.so.",
            path.display()
        )
    } else if path.is_absolute() {
        format!(
            "to explain TorchScript, libtorch {VERSION} is needed, but {} does not find it: {text}.\n{libtorch}",
            path.display()
        )
    } else {
        format!(
            "to explain TorchScript, {NAME} is needed: {text}.\nInstall it beside libdlbacktrace.so (or beside the program that \
             this is linked into), or let {VARIABLE} name it."
        )
    })
}

/// Whether the environment names the object.
fn is_named() -> bool {
    env::var_os(VARIABLE).is_some_and(|named| !named.is_empty())
}

/// The path in the environment, else beside this library, else wherever the system's loader finds the name.
fn find() -> PathBuf {
    if let Some(named) = env::var_os(VARIABLE).filter(|named| !named.is_empty()).map(PathBuf::from) {
        let inside = named.join(NAME);
        return if inside.is_file() { inside } else { named };
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
