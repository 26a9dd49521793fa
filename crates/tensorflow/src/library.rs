//! TensorFlow's own library, found and loaded when it is first needed.

mod api;
mod search;
mod version;

pub(crate) use api::{Api, types};
pub use version::Version;

use crate::{Error, Result};
use libloading::os::unix::{Library as SharedObject, RTLD_LOCAL, RTLD_NOW};
use std::env;
use std::ffi::CStr;
use std::fmt;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The variable that names a libtensorflow (its file, or the directory that contains it). Only a library that the process has
/// already loaded takes precedence.
pub const VARIABLE: &str = "DLBACKTRACE_LIBTENSORFLOW";

/// The command that installs a libtensorflow where it will be found.
pub const REMEDY: &str = "pip install tensorflow-cpu==2.21.0";

/// What TensorFlow itself logs: only errors that end the process.
const LOG_LEVEL: (&str, &str) = ("TF_CPP_MIN_LOG_LEVEL", "3");

/// A process can hold one TensorFlow, and can never unload it.
static LOADED: Mutex<Option<&'static Library>> = Mutex::new(None);

/// TensorFlow, loaded into this process for the rest of its life.
pub struct Library {
    pub(crate) api: Api,
    path: PathBuf,
    version: Version,
}

impl Library {
    /// The TensorFlow of this process. The first call finds and loads it. It looks in this order: among the libraries that the
    /// process has already loaded, because two copies in one process do not work; at `named`, the library's file or the
    /// directory that contains it; at the same in the environment variable [`VARIABLE`]; in the active Python's package
    /// `tensorflow`; in what `cargo xtask setup --tensorflow` fetched; in `LD_LIBRARY_PATH`; in `/usr/local/lib`.
    ///
    /// Unless `TF_CPP_MIN_LOG_LEVEL` is set, the first call sets it to 3, so that TensorFlow writes no notes. Make this call before
    /// starting threads that read the environment from C.
    ///
    /// # Errors
    /// [`Error::LibraryMissing`], [`Error::LibraryUnloadable`], [`Error::LibraryVersion`], [`Error::LibrarySymbol`].
    pub fn load(named: Option<&Path>) -> Result<&'static Self> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(library) = *loaded {
            return Ok(library);
        }
        let library: &'static Self = Box::leak(Box::new(Self::open(search::find(named)?)?));
        *loaded = Some(library);
        Ok(library)
    }

    fn open(path: PathBuf) -> Result<Self> {
        if env::var_os(LOG_LEVEL.0).is_none() {
            // SAFETY: Rust's own readers of the environment are synchronised with this; readers in C are not, and the documentation of
            // `load` says so.
            unsafe { env::set_var(LOG_LEVEL.0, LOG_LEVEL.1) };
        }
        // SAFETY: the initialisers of libtensorflow only require that no other copy is loaded, which `search` ensures. RTLD_LOCAL
        // keeps its symbols, LLVM's among them, from other libraries.
        let object = unsafe { SharedObject::open(Some(&path), RTLD_NOW | RTLD_LOCAL) }
            .map_err(|error| Error::LibraryUnloadable { path: path.clone(), reason: error.to_string() })?;
        // Never closed, because threads of TensorFlow run its code as long as the process lives.
        let object = ManuallyDrop::new(object);
        let missing = |symbol| Error::LibrarySymbol { path: path.clone(), symbol };
        let version = version_of(&object).map_err(missing)?;
        let version = version
            .parse::<Version>()
            .ok()
            .filter(Version::fits)
            .ok_or_else(|| Error::LibraryVersion { path: path.clone(), found: version })?;
        let api = Api::load(&object).map_err(missing)?;
        Ok(Self { api, path, version })
    }

    /// The path from which it was loaded.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its version.
    pub fn version(&self) -> Version {
        self.version
    }
}

/// The version that the library states, read before anything that a version may lack; else the missing symbol.
fn version_of(object: &SharedObject) -> Result<String, &'static str> {
    // SAFETY: since TensorFlow 1.0 this is `const char* TF_Version(void)`, of static lifetime.
    unsafe {
        let function = object.get::<types::Version>(c"TF_Version").map_err(|_| "TF_Version")?;
        Ok(CStr::from_ptr(function()).to_string_lossy().into_owned())
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library").field("path", &self.path).field("version", &self.version).finish()
    }
}
