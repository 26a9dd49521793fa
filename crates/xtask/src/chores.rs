//! The chores after set-up; each is a few calls of cargo.

use crate::cargo::{cargo, checkout, finish};
use anyhow::Result;
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Model, input and name of the explanations that the demo shows.
const DEMO: [(&str, &str, &str); 4] = [
    ("examples/models/digits_cnn.pt", "examples/data/digit_3.png", "digit"),
    ("examples/models/breast_cancer_mlp.pt", "examples/data/breast_cancer.csv", "breast_cancer"),
    ("examples/models/digits_keras", "examples/data/digit_3.png", "digit_keras"),
    ("examples/models/breast_cancer_keras", "examples/data/breast_cancer.csv", "breast_cancer_keras"),
];

/// Builds the command and explains the bundled models; the results are in `target/demo`.
pub fn demo() -> Result<()> {
    println!(
        "Building the command. The first time this compiles some 300 crates and the C++ of libtorch's bindings: about ten \
         minutes on two cores. Later it takes seconds."
    );
    // Of the default members, as the tests are: another choice of packages would compile libtorch's bindings again.
    finish(&mut cargo(&["build", "--bin", "dlbacktrace"]))?;
    for (model, input, name) in DEMO {
        let out = format!("target/demo/{name}");
        println!("{model}");
        // In SavedModels the channels of pictures come last.
        let layout = if name.ends_with("keras") { "nhwc" } else { "nchw" };
        let explain = ["explain", model, "--input", input, "--layout", layout, "--out", &out];
        finish(cargo(&["run", "--quiet", "--bin", "dlbacktrace", "--"]).args(explain))?;
    }
    Ok(())
}

/// `cargo test` of the whole workspace.
pub fn test(arguments: &[String]) -> Result<()> {
    finish(cargo(&["test", "--workspace"]).args(arguments))
}

/// The benchmark, optimised.
pub fn bench(arguments: &[String]) -> Result<()> {
    finish(cargo(&["run", "--release", "--example", "bench", "--"]).args(arguments))
}

/// The public interface with all that it can have.
const CXX: &str = "--features=dlbacktrace/cxx";

/// Formatting of Rust and C++, clippy, documentation, and what licences the crates have, each without a warning.
pub fn lint() -> Result<()> {
    finish(&mut cargo(&["fmt", "--all", "--check"]))?;
    let checked = ["--dry-run", "--Werror"];
    finish(tool("clang-format")?.args(checked).args(cpp_files()?).current_dir(checkout()))?;
    finish(tool("cargo-deny")?.args(["check", "licenses", "bans", "sources"]).current_dir(checkout()))?;
    finish(&mut cargo(&["clippy", "--workspace", "--all-targets", CXX, "--", "--deny", "warnings"]))?;
    finish(cargo(&["doc", "--workspace", "--no-deps", CXX]).env("RUSTDOCFLAGS", "--deny warnings"))?;
    eprintln!("{} is formatted, free of lints and documented.", checkout().display());
    Ok(())
}

/// A tool that does not come with a Rust toolchain.
///
/// # Errors
/// How to install it, if it does not run.
fn tool(name: &str) -> Result<Command> {
    let runs = Command::new(name).arg("--version").stdout(Stdio::null()).status();
    let advice = "is not installed; `pip install -r python_shims/requirements/lint.txt` installs the version that we use";
    match runs {
        Ok(status) if status.success() => Ok(Command::new(name)),
        _ => anyhow::bail!("{name} {advice}"),
    }
}

/// All C and C++ of the checkout.
fn cpp_files() -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut directories = vec![checkout().join("cpp"), checkout().join("examples")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
            if path.is_dir() && !path.ends_with("target") {
                directories.push(path);
            } else if ["c", "cc", "h", "hpp"].contains(&extension) {
                files.push(path);
            }
        }
    }
    Ok(files)
}
