//! `cargo xtask install`: the command `dlbacktrace` outside the checkout.

use crate::cargo::{cargo, finish};
use crate::cpp::{Build, target};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// The launcher and the library that it loads. If libtorch is missing, the launcher says so; a program linked to libtorch
/// would not start at all.
const FILES: [(&str, &str); 2] = [("dlbacktrace", "bin"), ("libdlbacktrace_cli.so", "lib")];

/// Builds `dlbacktrace` and copies it into `prefix`.
pub fn install(prefix: &Path, build: Build) -> Result<()> {
    // The development build is of all default members, because another choice would compile libtorch's bindings again, and with
    // a program alone cargo leaves its library elsewhere.
    let (arguments, profile): (&[&str], _) = match build {
        Build::Release => (&["build", "--release", "--package", "dlbacktrace-cli"], "release"),
        _ => (&["build"], "debug"),
    };
    finish(&mut cargo(arguments))?;
    let made = target()?.join(profile);
    for (file, place) in FILES {
        let place = prefix.join(place);
        fs::create_dir_all(&place).with_context(|| format!("cannot make {}", place.display()))?;
        // Written beside the file and renamed, so that a running dlbacktrace is replaced rather than overwritten.
        let (new, old) = (place.join(format!(".{file}.new")), place.join(file));
        fs::copy(made.join(file), &new)
            .and_then(|_| fs::rename(&new, &old))
            .with_context(|| format!("cannot write {}", old.display()))?;
    }
    eprintln!("Installed {}.", prefix.join("bin/dlbacktrace").display());
    Ok(())
}
