//! Finds the libtorch that a build uses, checks that it fits, and lets the binaries built against it find it.
//!
//! The environment decides, through the variables that the crate `torch-sys` reads: `LIBTORCH_USE_PYTORCH` (any value) takes
//! the PyTorch of the active Python. Otherwise `LIBTORCH` is the directory of libtorch; `LIBTORCH_INCLUDE` and
//! `LIBTORCH_LIB` may move its halves elsewhere.
//!
//! For build scripts and for `cargo xtask`. It has no dependencies, so that its check comes before anything slow.

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

/// A libtorch that does not fit: a paragraph that says what was found, what is needed and how to get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    named_by: &'static str,
    found: String,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { named_by, found } = self;
        let own = match *named_by {
            USE_PYTORCH => format!("install torch=={VERSION} in the active Python"),
            _ => format!("let LIBTORCH name a libtorch {VERSION} of your own"),
        };
        write!(
            f,
            "libtorch {VERSION} is needed, but {found}. Run `cargo xtask setup` in the checkout of dlbacktrace, which \
             fetches the right one (unset {named_by} first, if you have set it), or {own}."
        )
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

    /// For the build script of a package that depends on `torch-sys` directly: the libtorch that `torch-sys` links.
    ///
    /// # Errors
    /// [`Unfit`] if there is none, or one without headers beside it or of another version.
    pub fn linked() -> Result<Self, Unfit> {
        let lib = env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from).unwrap_or_default();
        let home = env::var_os("LIBTORCH_INCLUDE").map(PathBuf::from).or(lib.parent().map(Path::to_path_buf));
        let found =
            format!("torch-sys links {:?}, but there are no headers of libtorch beside it", lib.display());
        Self { include: home.unwrap_or_default().join("include"), lib }.checked("LIBTORCH", found)
    }

    fn of_python() -> Result<Self, Unfit> {
        let python = python();
        let home = pytorch_of(Path::new(python)).map_err(|e| Unfit {
            named_by: USE_PYTORCH,
            found: format!("{USE_PYTORCH} is set and `{python}` does not start ({e})"),
        })?;
        let found = format!("{USE_PYTORCH} is set and the active `{python}` has no PyTorch");
        Self { include: home.join("include"), lib: home.join("lib") }.checked(USE_PYTORCH, found)
    }

    /// `absent` says what was found if there is no libtorch at all.
    fn checked(self, named_by: &'static str, absent: String) -> Result<Self, Unfit> {
        let unfit = |found| Err(Unfit { named_by, found });
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
    if let Ok(Some(libtorch)) = Libtorch::from_env() {
        println!("cargo::rerun-if-changed={}", libtorch.lib.display());
    }
}

/// For the build script of a package that depends on `torch-sys` directly: lets its programs, tests and examples find libtorch
/// where it was at build time, so that they run without any environment variable.
pub fn set_run_path() {
    if let Ok(lib) = env::var("DEP_TCH_LIBTORCH_LIB") {
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
    fn nothing_at_all_is_told_as_found() {
        let nowhere = Libtorch { include: "/nowhere/include".into(), lib: "/nowhere/lib".into() };
        let unfit = nowhere.checked("LIBTORCH", "LIBTORCH is /nowhere, where there is none".into());
        let message = unfit.expect_err("there is nothing").to_string();
        assert!(message.contains("LIBTORCH is /nowhere, where there is none"), "{message}");
    }
}
