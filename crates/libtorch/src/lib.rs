//! Finds the libtorch that a build uses, checks that it fits, and lets the binaries built against it find it.
//!
//! The environment decides, through the variables that the crate `torch-sys` reads: `LIBTORCH_USE_PYTORCH` (any value) takes
//! the PyTorch of the active Python. Otherwise `LIBTORCH` is the directory of libtorch; `LIBTORCH_INCLUDE` and
//! `LIBTORCH_LIB` may move its halves elsewhere. If no variable is set, it is the system's, in `/usr`.
//!
//! For build scripts and for `cargo xtask`. It has no dependencies, so that its check comes before anything slow. The build script
//! of a package whose C++ meets dlbacktrace through `cxx`:
//!
//! ```ignore
//! let libtorch = dlbacktrace_libtorch::Libtorch::linked().unwrap();
//! cxx_build::bridge("src/main.rs").flags(libtorch.flags()).compile("service");
//! dlbacktrace_libtorch::set_run_path();
//! ```

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fmt, fs, io};

/// The exact release that is needed, because the recorder uses interfaces that other releases change.
pub const VERSION: &str = "2.13.0";

const VARIABLES: [&str; 4] = ["LIBTORCH", "LIBTORCH_INCLUDE", "LIBTORCH_LIB", USE_PYTORCH];

const USE_PYTORCH: &str = "LIBTORCH_USE_PYTORCH";

/// The headers that state the version: the one of today, and the one of older releases.
const VERSION_HEADERS: [&str; 2] = ["torch/headeronly/version.h", "torch/csrc/api/include/torch/version.h"];

/// Finds the directory of PyTorch without importing PyTorch, which would take seconds.
const FIND_PYTORCH: &str = "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')";

/// A libtorch of the needed [`VERSION`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Libtorch {
    /// The directory of headers that contains `torch/` and `ATen/`.
    pub include: PathBuf,
    /// The directory of shared libraries that contains `libtorch_cpu`.
    pub lib: PathBuf,
}

/// Why there is no libtorch to build with: what was found, what is needed and how to get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// The one that is named does not fit.
    Other {
        /// The variable that names it, or `/usr`.
        named_by: &'static str,
        /// What was found there.
        found: String,
    },
    /// None is named.
    Unnamed {
        /// The one that set-up has put into the cache.
        cached: Option<PathBuf>,
    },
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other { named_by, found } => {
                let own = match *named_by {
                    USE_PYTORCH => format!("install torch=={VERSION} in the active Python"),
                    _ => format!("let LIBTORCH name a libtorch {VERSION} of your own"),
                };
                write!(
                    f,
                    "libtorch {VERSION} is needed, but {found}. Run `cargo xtask setup` in the checkout of dlbacktrace, \
                     which fetches the right one (unset {named_by} first, if you have set it), or {own}."
                )
            }
            Self::Unnamed { cached: Some(home) } => write!(
                f,
                "libtorch {VERSION} is needed, and nothing names it for this workspace. There is one in the cache. Write into \
                 .cargo/config.toml of the workspace:\n\
                 [env]\n\
                 LIBTORCH = {home:?}\n\
                 `cargo xtask setup --for DIR` in the checkout of dlbacktrace writes it into the workspace DIR."
            ),
            Self::Unnamed { cached: None } => write!(
                f,
                "libtorch {VERSION} is needed, and nothing names one for this workspace. Run `cargo xtask setup --for DIR` in the \
                 checkout of dlbacktrace:\n\
                 it fetches libtorch and names it in .cargo/config.toml of the workspace DIR. Or let LIBTORCH name a libtorch \
                 {VERSION} of your own."
            ),
        }
    }
}

impl std::error::Error for Unfit {}

impl Libtorch {
    /// The libtorch that the environment names; `None` if it names none and `torch-sys` searches by itself.
    ///
    /// # Errors
    /// [`Unfit`] if what the environment names is absent or of another version.
    pub fn from_env() -> Result<Option<Self>, Unfit> {
        if env::var_os(USE_PYTORCH).is_some() {
            return Self::of_python().map(Some);
        }
        let Some(home) = env::var_os("LIBTORCH").map(PathBuf::from) else { return Ok(None) };
        let part = |variable, part| env::var_os(variable).map_or(home.clone(), PathBuf::from).join(part);
        let libtorch =
            Self { include: part("LIBTORCH_INCLUDE", "include"), lib: part("LIBTORCH_LIB", "lib") };
        let found = match fs::read_to_string(home.join("build-version")) {
            Ok(text) => format!("LIBTORCH is {home:?}, which says: {}", text.trim()),
            Err(_) => format!("LIBTORCH is {home:?}, where there is none"),
        };
        libtorch.checked("LIBTORCH", found).map(Some)
    }

    /// The libtorch that a build takes: the one that the environment names, or else the system's.
    ///
    /// # Errors
    /// [`Unfit`] if there is none, or one of another version.
    pub fn found() -> Result<Self, Unfit> {
        if let Some(libtorch) = Self::from_env()? {
            return Ok(libtorch);
        }
        let system = Self { include: "/usr/include".into(), lib: "/usr/lib".into() };
        if system.lib.join("libtorch.so").exists() {
            return system.checked("/usr", "there are no headers of libtorch in /usr/include".into());
        }
        let cached = cached("libtorch", VERSION)
            .map(|home| Self { include: home.join("include"), lib: home.join("lib") });
        let cached = cached.and_then(|libtorch| libtorch.checked("the cache", String::new()).ok());
        Err(Unfit::Unnamed {
            cached: cached.and_then(|libtorch| libtorch.lib.parent().map(Path::to_path_buf)),
        })
    }

    /// What a C++ compiler must be told to read its headers. `NDEBUG` is part of it: libtorch is built with it, and the layout of
    /// some structs in its headers depends on it. The headers need C++17.
    pub fn flags(&self) -> Vec<String> {
        let abi = env::var("LIBTORCH_CXX11_ABI").unwrap_or_else(|_| "1".to_owned());
        let headers = [self.include.clone(), self.include.join("torch/csrc/api/include")];
        let headers = headers.iter().flat_map(|path| ["-isystem".to_owned(), path.display().to_string()]);
        let defined = [format!("-D_GLIBCXX_USE_CXX11_ABI={abi}"), "-DNDEBUG".to_owned()];
        headers.chain(defined).collect()
    }

    /// For the build script of a package that depends on `dlbacktrace` or `torch-sys` directly: the libtorch that they link.
    ///
    /// # Errors
    /// [`Unfit`] if there is none, or one without headers beside it or of another version.
    pub fn linked() -> Result<Self, Unfit> {
        let lib = linked_lib().map(PathBuf::from).unwrap_or_default();
        let home = env::var_os("LIBTORCH_INCLUDE").map(PathBuf::from).or(lib.parent().map(Path::to_path_buf));
        let found =
            format!("torch-sys links {:?}, but there are no headers of libtorch beside it", lib.display());
        Self { include: home.unwrap_or_default().join("include"), lib }.checked("LIBTORCH", found)
    }

    fn of_python() -> Result<Self, Unfit> {
        let python = python();
        let unfit = |found| Unfit::Other { named_by: USE_PYTORCH, found };
        let home = pytorch_of(Path::new(python))
            .map_err(|e| unfit(format!("{USE_PYTORCH} is set and `{python}` does not start ({e})")))?;
        let found = format!("{USE_PYTORCH} is set and the active `{python}` has no PyTorch");
        Self { include: home.join("include"), lib: home.join("lib") }.checked(USE_PYTORCH, found)
    }

    /// `absent` says what was found if there is no libtorch at all.
    fn checked(self, named_by: &'static str, absent: String) -> Result<Self, Unfit> {
        let unfit = |found| Err(Unfit::Other { named_by, found });
        let library =
            self.lib.join(format!("{}torch_cpu{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX));
        match version(&self.include) {
            None => unfit(absent),
            Some(version) if version != VERSION => {
                unfit(format!("{named_by} leads to libtorch {version} in {}", self.include.display()))
            }
            Some(_) if !library.exists() => {
                unfit(format!("{named_by} leads to a libtorch without {}", library.display()))
            }
            Some(_) => Ok(self),
        }
    }
}

/// The active Python, by the same choice as that of `torch-sys`.
pub fn python() -> &'static str {
    if env::var_os("VIRTUAL_ENV").is_some() { "python" } else { "python3" }
}

/// The directory of a Python's PyTorch, empty if it has none. PyTorch itself is not imported.
///
/// # Errors
/// If the Python does not start.
pub fn pytorch_of(python: &Path) -> io::Result<PathBuf> {
    let output = Command::new(python).args(["-c", FIND_PYTORCH]).output()?;
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// The version of the PyTorch in a directory, such as `2.13.0+cpu`.
pub fn pytorch_version(home: &Path) -> Option<String> {
    let text = fs::read_to_string(home.join("version.py")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("__version__ = "))?;
    Some(line.trim_matches(['\'', '"']).to_owned())
}

/// For a build script: run it again when another libtorch is named, or when the named one changes.
pub fn watch() {
    for variable in VARIABLES {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    if let Ok(libtorch) = Libtorch::found() {
        println!("cargo::rerun-if-changed={}", libtorch.lib.display());
    }
}

/// For the build script of a package that depends on `dlbacktrace` or `torch-sys` directly: lets its programs, tests and examples
/// find libtorch where it was at build time, so that they run without any environment variable.
pub fn set_run_path() {
    if let Some(lib) = linked_lib() {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{lib}");
    }
}

/// Where an installed library looks for libtorch first: in this directory beside itself.
pub const BESIDE: &str = "$ORIGIN/dlbacktrace";

/// As [`set_run_path`], for libraries that are installed: a libtorch beside them goes before the one of the build.
pub fn set_run_path_of_installed() {
    println!("cargo::rustc-link-arg=-Wl,-rpath,{BESIDE}");
    set_run_path();
}

/// For the build script of `dlbacktrace`: tells the build scripts of its dependents where libtorch is, as
/// `DEP_DLBACKTRACE_LIBTORCH_LIB`, and lets what they run with cargo find it.
///
/// Link arguments reach only the package itself. But cargo looks for libraries in the search paths of all dependencies that lie in
/// its target directory, when it runs a program or test; so there is a link to the directory.
///
/// # Errors
/// If the link cannot be made.
pub fn hand_on() -> std::io::Result<()> {
    let (Some(lib), Some(out)) = (linked_lib(), env::var_os("OUT_DIR")) else { return Ok(()) };
    println!("cargo::metadata=libtorch_lib={lib}");
    let link = Path::new(&out).join("libtorch");
    if fs::read_link(&link).ok().as_deref() != Some(Path::new(&lib)) {
        if link.is_symlink() {
            fs::remove_file(&link)?;
        }
        std::os::unix::fs::symlink(&lib, &link)?;
    }
    println!("cargo::rustc-link-search=native={}", link.display());
    Ok(())
}

/// The directory of libraries that `dlbacktrace` or `torch-sys` hands to the build scripts of its direct dependents.
fn linked_lib() -> Option<String> {
    env::var("DEP_TCH_LIBTORCH_LIB").or_else(|_| env::var("DEP_DLBACKTRACE_LIBTORCH_LIB")).ok()
}

/// The directory that all checkouts share: `$DLBACKTRACE_CACHE`, or `dlbacktrace` in the user's cache directory.
pub fn cache() -> Option<PathBuf> {
    let named = |variable| env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = named("DLBACKTRACE_CACHE")
        .or_else(|| named("XDG_CACHE_HOME").map(|directory| directory.join("dlbacktrace")))
        .or_else(|| named("HOME").map(|directory| directory.join(".cache/dlbacktrace")))?;
    std::path::absolute(cache).ok()
}

/// Where set-up puts a library. A layout made in another way needs another name, because older checkouts share the cache.
pub fn cached(what: &str, version: &str) -> Option<PathBuf> {
    Some(cache()?.join(format!("{what}-{version}-cpu")))
}

/// The version that the headers in `include` state, such as `2.13.0`.
fn version(include: &Path) -> Option<String> {
    let header = VERSION_HEADERS
        .iter()
        .filter_map(|path| fs::read_to_string(include.join(path)).ok())
        .find(|text| text.contains("TORCH_VERSION_MAJOR "))?;
    let part = |name: &str| header.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    Some(format!(
        "{}.{}.{}",
        part("#define TORCH_VERSION_MAJOR ")?,
        part("#define TORCH_VERSION_MINOR ")?,
        part("#define TORCH_VERSION_PATCH ")?
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory that looks like libtorch of `version`, its header in one of the two places.
    fn libtorch(version: [&str; 3], header: &str) -> std::io::Result<(tempfile::TempDir, Libtorch)> {
        let home = tempfile::tempdir()?;
        let parts = Libtorch { include: home.path().join("include"), lib: home.path().join("lib") };
        let [major, minor, patch] = version;
        let text = format!(
            "#pragma once\n#define TORCH_VERSION_MAJOR {major}\n\n#define TORCH_VERSION_MINOR {minor}\n\n\
             #define TORCH_VERSION_PATCH {patch}\n#define TORCH_VERSION \\\n"
        );
        let header = parts.include.join(header);
        fs::create_dir_all(header.parent().unwrap_or(home.path()))?;
        fs::write(header, text)?;
        fs::create_dir_all(&parts.lib)?;
        fs::write(parts.lib.join("libtorch_cpu.so"), "")?;
        Ok((home, parts))
    }

    #[test]
    fn the_needed_version_fits() -> std::io::Result<()> {
        let (_home, parts) = libtorch(["2", "13", "0"], VERSION_HEADERS[0])?;
        assert_eq!(parts.clone().checked("LIBTORCH", String::new()), Ok(parts));
        Ok(())
    }

    #[test]
    fn another_version_is_named_wherever_its_header_lies() -> std::io::Result<()> {
        for header in VERSION_HEADERS {
            let (_home, parts) = libtorch(["2", "7", "1"], header)?;
            let message = parts.checked("LIBTORCH", String::new()).map_err(|unfit| unfit.to_string());
            let message = message.expect_err("2.7.1 is not 2.13.0");
            for part in ["2.13.0 is needed", "LIBTORCH leads to libtorch 2.7.1", "cargo xtask setup"] {
                assert!(message.contains(part), "{message}");
            }
        }
        Ok(())
    }

    #[test]
    fn headers_without_the_library_do_not_fit() -> std::io::Result<()> {
        let (_home, parts) = libtorch(["2", "13", "0"], VERSION_HEADERS[0])?;
        fs::remove_file(parts.lib.join("libtorch_cpu.so"))?;
        let unfit = parts.checked("LIBTORCH", String::new()).expect_err("there is no library");
        assert!(unfit.to_string().contains("without"), "{unfit}");
        Ok(())
    }

    #[test]
    fn without_a_name_the_message_says_what_to_write_where() {
        let cached = Unfit::Unnamed { cached: Some("/home/me/.cache/dlbacktrace/libtorch".into()) };
        let text = cached.to_string();
        assert!(text.contains("\n[env]\nLIBTORCH = \"/home/me/.cache/dlbacktrace/libtorch\"\n"), "{text}");
        for text in [text, Unfit::Unnamed { cached: None }.to_string()] {
            assert!(text.contains("cargo xtask setup --for DIR") && text.lines().count() < 6, "{text}");
        }
    }

    #[test]
    fn nothing_at_all_is_told_as_found() {
        let nowhere = Libtorch { include: "/nowhere/include".into(), lib: "/nowhere/lib".into() };
        let unfit = nowhere.checked("LIBTORCH", "LIBTORCH is /nowhere, where there is none".into());
        let message = unfit.expect_err("there is nothing").to_string();
        assert!(message.contains("LIBTORCH is /nowhere, where there is none"), "{message}");
    }
}
