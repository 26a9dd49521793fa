//! The C and C++ library: installs it, shows it in the examples, tests it.

use crate::cargo::{cargo, checkout, finish, libtorch_is_the_users};
use crate::cmake::Cmake;
use crate::libtorch::LIBTORCH;
use anyhow::{Context, Result};
use dlbacktrace_libtorch::{Libtorch, VERSION};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, os::unix::fs::symlink};

/// The version of the C interface, in the names of the files.
const ABI: u32 = 1;

/// The package that makes a library, the names that cargo gives its files, and their names when installed.
const LIBRARIES: [(&str, &[(&str, &str)]); 2] = [
    (
        "dlbacktrace-capi",
        &[("libdlbacktrace_capi.so", "libdlbacktrace.so.1"), ("libdlbacktrace_capi.a", "libdlbacktrace.a")],
    ),
    ("dlbacktrace-capi-torch", &[("libdlbacktrace_capi_torch.so", "libdlbacktrace_torch.so.1")]),
];

/// Where CMake and pkg-config look, and the files for them.
const DESCRIPTIONS: [(&str, &str); 4] = [
    ("lib/cmake/dlbacktrace", "dlbacktrace-config.cmake"),
    ("lib/cmake/dlbacktrace", "dlbacktrace-config-version.cmake"),
    ("lib/pkgconfig", "dlbacktrace.pc"),
    ("lib/pkgconfig", "dlbacktrace-torch.pc"),
];

/// How the libraries are built.
#[derive(Clone, Copy, PartialEq)]
pub enum Build {
    Development,
    Release,
    /// The recorder's C++ with the address sanitizer, in a target directory of its own.
    Sanitized,
}

/// Builds the libraries and installs them with headers and the files by which CMake and pkg-config find them.
pub fn install(prefix: &Path, build: Build) -> Result<()> {
    install_for(prefix, build, &libtorch()?)
}

/// As [`install`]; pkg-config tells programs with live modules of this libtorch, unless they name another one.
pub fn install_for(prefix: &Path, build: Build, libtorch: &Path) -> Result<()> {
    let (lib, include) = (prefix.join("lib"), prefix.join("include/dlbacktrace"));
    for directory in [&lib, &include] {
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    for (package, files) in LIBRARIES {
        // One package at a time: together they would share their features, and so the frameworks that they are linked to.
        let mut cargo = cargo(&["build", "--package", package]);
        let mut made = target()?;
        match build {
            Build::Development => made.push("debug"),
            Build::Release => {
                made.push("release");
                cargo.arg("--release");
            }
            Build::Sanitized => {
                made.push("sanitized");
                cargo.env("CARGO_TARGET_DIR", &made).env("DLBACKTRACE_SANITIZE", "address");
                // Only the recorder's C++ is checked: Rust without optimisation compiles in half the time, and the bindings of
                // libtorch, minutes of it, as everywhere else, so that a compiler cache has them.
                cargo.args(["--config", "profile.dev.opt-level=0"]);
                cargo.args(["--config", "profile.dev.package.torch-sys.opt-level=2"]);
                made.push("debug");
            }
        }
        finish(&mut cargo)?;
        for (built, installed) in files {
            replace(&made.join(built), &lib.join(installed))?;
        }
    }
    let link = lib.join("libdlbacktrace.so");
    if fs::symlink_metadata(&link).is_err() {
        symlink(format!("libdlbacktrace.so.{ABI}"), &link)?;
    }
    for header in fs::read_dir(checkout().join("cpp/include/dlbacktrace"))? {
        let header = header?;
        replace(&header.path(), &include.join(header.file_name()))?;
    }
    for (place, name) in DESCRIPTIONS {
        let text = fs::read_to_string(checkout().join("cpp/cmake").join(name))?;
        let text = text
            .replace("@VERSION@", env!("CARGO_PKG_VERSION"))
            .replace("@TORCH_VERSION@", VERSION)
            .replace("@LIBTORCH@", &libtorch.to_string_lossy());
        fs::create_dir_all(prefix.join(place))?;
        fs::write(prefix.join(place).join(name), text)?;
    }
    eprintln!("Installed libdlbacktrace in {}.", prefix.display());
    Ok(())
}

/// Installs into `target/cpp`, builds the examples against that with CMake, and runs them.
pub fn demo() -> Result<()> {
    let prefix = target()?.join("cpp/prefix");
    install(&prefix, Build::Development)?;
    let build = target()?.join("cpp/examples");
    compile(&Cmake::find()?, &checkout().join("examples/cpp"), &build, &prefix, &[])?;
    let data = |name: &str| checkout().join("examples/data").join(name);
    let model = |name: &str| checkout().join("examples/models").join(name);
    let out = checkout().join("target/demo/cpp");
    run(Command::new(build.join("service")).args([
        model("digits_cnn.pt"),
        out,
        data("digit_3.pgm"),
        data("digit_7.pgm"),
    ]))?;
    run(Command::new(build.join("saved_model"))
        .args([model("breast_cancer_keras"), data("breast_cancer.csv")])
        .arg("25"))?;
    let table = fs::read_to_string(data("breast_cancer.csv"))?;
    let row = table.lines().nth(26).context("the table is shorter than it was")?;
    run(Command::new(build.join("plain")).arg(model("breast_cancer_mlp.pt")).args(row.split(',')))
}

/// The tests in C++: the same numbers as in Rust, errors, lifetimes, threads, and the cost compared with Rust; with `sanitize`,
/// under the address and leak sanitizers, the recorder's C++ included; with `long`, with as many random calls as show rare faults.
pub fn test(sanitize: bool, long: bool) -> Result<()> {
    let work = target()?.join(if sanitize { "cpp-sanitized" } else { "cpp" });
    let (prefix, reference) = (work.join("prefix"), work.join("reference"));
    install(&prefix, if sanitize { Build::Sanitized } else { Build::Development })?;
    let example = |name: &str| {
        let mut example = cargo(&["run", "--quiet", "--package", "dlbacktrace-capi-core", "--example", name]);
        example.args(["--features", "torch,tensorflow", "--"]);
        example
    };
    finish(example("reference").arg(&reference))?;
    let (cmake, build) = (Cmake::find()?, work.join("tests"));
    let flags = [
        if sanitize { "-DSANITIZE=ON" } else { "-DSANITIZE=OFF" },
        if long { "-DSEQUENCES=10000" } else { "-DSEQUENCES=500" },
    ];
    compile(&cmake, &checkout().join("cpp/tests"), &build, &prefix, &flags)?;
    run(cmake
        .command("ctest")
        .arg("--test-dir")
        .arg(&build)
        .arg("--output-on-failure")
        .env("DLBACKTRACE_CHECKOUT", checkout())
        .env("DLBACKTRACE_REFERENCE", reference))?;
    if sanitize {
        return Ok(());
    }
    eprintln!("What an explanation costs, compared with the run and the walk alone:");
    let explained = ["examples/models/digits_cnn.pt", "32", "1", "8", "8"];
    finish(example("cost").args(explained))?;
    run(Command::new(build.join("cost")).current_dir(checkout()).args(explained))
}

/// Configures and builds a CMake project against the installed library.
fn compile(cmake: &Cmake, source: &Path, build: &Path, prefix: &Path, flags: &[&str]) -> Result<()> {
    let definition = |name: &str, path: &Path| {
        let mut definition = OsString::from(format!("-D{name}="));
        definition.push(path);
        definition
    };
    run(cmake
        .configure(source, build)
        .arg(definition("CMAKE_PREFIX_PATH", prefix))
        .arg(definition("LIBTORCH", &libtorch()?))
        .arg("-DCMAKE_BUILD_TYPE=Release")
        .args(flags))?;
    run(cmake.command("cmake").arg("--build").arg(build))
}

/// The directory of the libtorch in use.
fn libtorch() -> Result<PathBuf> {
    if env::var_os("LIBTORCH_USE_PYTORCH").is_none() && !libtorch_is_the_users() {
        return LIBTORCH.make(false);
    }
    let libtorch = Libtorch::from_env()?.context("the environment names no libtorch")?;
    Ok(libtorch.include.parent().map(Path::to_path_buf).unwrap_or_default())
}

/// The directory in which cargo builds.
pub fn target() -> Result<PathBuf> {
    if let Some(named) = env::var_os("CARGO_TARGET_DIR") {
        return Ok(std::path::absolute(named)?);
    }
    let program = env::current_exe()?;
    Ok(program.ancestors().nth(2).context("cannot find the target directory")?.to_path_buf())
}

/// Writes beside the file and renames, so that a library in use is replaced rather than overwritten.
fn replace(from: &Path, to: &Path) -> Result<()> {
    let mut new = to.as_os_str().to_owned();
    new.push(".new");
    fs::copy(from, &new)
        .and_then(|_| fs::rename(&new, to))
        .with_context(|| format!("cannot write {}", to.display()))
}

/// Runs a command without the libraries' path that cargo adds for its own programs.
fn run(command: &mut Command) -> Result<()> {
    finish(command.env_remove("LD_LIBRARY_PATH"))
}
