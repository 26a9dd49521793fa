//! `cargo xtask install`: the command `dlbacktrace` outside the checkout.

use crate::cargo::{cargo, finish};
use anyhow::{Context, Result};
use std::path::Path;
use std::{env, fs};

/// The launcher and the library that it loads. If libtorch is missing, the launcher says so; a program linked to libtorch
/// would not start at all.
const FILES: [(&str, &str); 2] = [("dlbacktrace", "bin"), ("libdlbacktrace_cli.so", "lib")];

/// Builds `dlbacktrace` optimised and copies it into `prefix`.
pub fn install(prefix: &Path) -> Result<()> {
    finish(&mut cargo(&["build", "--release", "--package", "dlbacktrace-cli"]))?;
    let program = env::current_exe().context("cannot find the target directory")?;
    let target = program.ancestors().nth(2).context("cannot find the target directory")?;
    for (file, place) in FILES {
        let place = prefix.join(place);
        fs::create_dir_all(&place).with_context(|| format!("cannot make {}", place.display()))?;
        // Written beside the file and renamed, so that a running dlbacktrace is replaced rather than overwritten.
        let (new, old) = (place.join(format!(".{file}.new")), place.join(file));
        fs::copy(target.join("release").join(file), &new)
            .and_then(|_| fs::rename(&new, &old))
            .with_context(|| format!("cannot write {}", old.display()))?;
    }
    eprintln!("Installed {}.", prefix.join("bin/dlbacktrace").display());
    Ok(())
}
