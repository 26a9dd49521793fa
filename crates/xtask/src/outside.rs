//! Builds and runs crates outside this checkout, as those who use the library have them.

use crate::cargo::{checkout, finish};
use crate::cpp::target;
use crate::workspace;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

/// The crates of this workspace that an outside crate compiles. They are tested elsewhere, so here they compile as fast as can be.
const OURS: [&str; 5] = ["", "-core", "-libtorch", "-torch", "-torch-recorder"];

/// A program with a test, and a build script that lets the program run without cargo.
const MAIN: &str = r#"
use dlbacktrace::{Inputs, Model, Options};
use ndarray::ArrayD;

fn relevance() -> dlbacktrace::Result<f64> {
    let model = Model::load(concat!(env!("CHECKOUT"), "/examples/models/digits_cnn.pt"))?;
    let picture = ArrayD::<f32>::ones(vec![1, 1, 8, 8]);
    let explanation = model.explain(&Inputs::new().push(picture), &Options::new())?;
    Ok(explanation.inputs()[0].relevance()?.sum())
}

fn main() -> dlbacktrace::Result<()> {
    println!("{} of the score came through the pixels", relevance()?);
    Ok(())
}

#[test]
fn it_explains() {
    assert!(relevance().unwrap() > 0.0);
}
"#;
const BUILD: &str = r#"
fn main() {
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", std::env::var("DEP_DLBACKTRACE_LIBTORCH_LIB").unwrap());
}
"#;

/// Tests what a crate outside needs: that it builds, runs and tests after set-up, and fails fast without.
pub fn test(libtorch: &Path) -> Result<()> {
    let room = tempfile::tempdir()?;
    let small = room.path().join("small");
    write(&small, MAIN)?;
    workspace::point(&small, libtorch)?;
    // Cargo lets what it runs find libtorch.
    finish(&mut cargo(&small, &["run", "--quiet"])?)?;
    finish(&mut cargo(&small, &["test", "--quiet"])?)?;
    // With a run path, the program needs no cargo.
    fs::write(small.join("build.rs"), BUILD)?;
    finish(&mut cargo(&small, &["build", "--quiet"])?)?;
    finish(Command::new(target()?.join("debug/small")).env_remove("LD_LIBRARY_PATH"))?;

    let service = checkout().join("examples/cxx-service");
    let output = cargo(&service, &["run", "--quiet"])?.stderr(Stdio::inherit()).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(said.starts_with("digit 3, score 8.40"), "the service says: {said}");
    print!("{said}");

    let lost = room.path().join("lost");
    write(&lost, MAIN)?;
    fails_at_once(&lost)
}

/// A crate that no libtorch is named for says so before anything is compiled that takes long.
fn fails_at_once(directory: &Path) -> Result<()> {
    let begun = Instant::now();
    let mut build = cargo(directory, &["build"])?;
    build.env("DLBACKTRACE_CACHE", directory).env("CARGO_TARGET_DIR", directory.join("target"));
    let output = build.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success() && said.contains("cargo xtask setup --for DIR"), "{said}");
    let limit = Duration::from_secs(60);
    ensure!(begun.elapsed() < limit && !said.contains("Cannot find a libtorch"), "too late: {said}");
    Ok(())
}

/// A package of one program.
fn write(directory: &Path, main: &str) -> Result<()> {
    let name = directory.file_name().and_then(|name| name.to_str()).context("it has a name")?;
    // Dependencies compile as in this workspace, so that those that are there already are not compiled anew.
    let manifest = format!(
        "[package]\nname = {name:?}\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
         [dependencies]\ndlbacktrace = {{ path = {:?}, default-features = false, features = [\"torch\"] }}\nndarray = \"0.17\"\n\n\
         [profile.dev]\nopt-level = 2\ndebug = \"line-tables-only\"\n",
        checkout()
    );
    fs::create_dir_all(directory.join("src"))?;
    fs::write(directory.join("Cargo.toml"), manifest)?;
    fs::write(directory.join("src/main.rs"), main)?;
    Ok(())
}

/// `cargo ARGUMENTS` in a workspace outside, without what this checkout's own configuration adds, but with its versions of
/// dependencies and its target directory.
fn cargo(workspace: &Path, arguments: &[&str]) -> Result<Command> {
    fs::copy(checkout().join("Cargo.lock"), workspace.join("Cargo.lock"))?;
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(workspace);
    for name in OURS {
        command.args(["--config", &format!("profile.dev.package.dlbacktrace{name}.opt-level=0")]);
    }
    command.env("CARGO_TARGET_DIR", target()?).env("CHECKOUT", checkout());
    for own in ["LIBTORCH", "DLBACKTRACE_LIBTORCH", "LIBTORCH_USE_PYTORCH", "LD_LIBRARY_PATH"] {
        command.env_remove(own);
    }
    Ok(command)
}
