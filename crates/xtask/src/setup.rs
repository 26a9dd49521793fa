//! Set-up: puts libtorch and TensorFlow into a cache that all checkouts share, and points this checkout's `.cargo/` to libtorch.

use crate::cargo::{checkout, libtorch_is_the_users};
use crate::libtorch::LIBTORCH;
use crate::stubs;
use crate::tensorflow::TENSORFLOW;
use anyhow::{Context, Result, bail};
use dlbacktrace_libtorch::{Libtorch, VERSION};
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The variable that names the user's own TensorFlow, for the library as for set-up.
const TENSORFLOW_VARIABLE: &str = "DLBACKTRACE_LIBTENSORFLOW";

/// Makes sure that the right libtorch is there and that cargo finds it; returns its directory. This takes milliseconds if it is.
/// With `verify`, every byte is read again.
pub fn set_up(verify: bool) -> Result<PathBuf> {
    if env::var_os("LIBTORCH_USE_PYTORCH").is_some() || libtorch_is_the_users() {
        let libtorch = Libtorch::from_env()?.context("the environment names no libtorch")?;
        eprintln!("Using libtorch {VERSION} of the environment, in {}.", libtorch.lib.display());
        return Ok(libtorch.lib.parent().map(Path::to_path_buf).unwrap_or_default());
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!(
            "set-up fetches libtorch for Linux on x86-64 only; here, install PyTorch {VERSION} and set \
             LIBTORCH_USE_PYTORCH=1, or let LIBTORCH name a libtorch {VERSION}"
        );
    }
    let home = LIBTORCH.make(verify)?;
    stubs::make_stand_ins(&home.join("lib"))?;
    describe_to_cmake(&home)?;
    point_cargo_to(&home)?;
    Ok(home)
}

/// Lets CMake's find_package(Torch) find the libtorch in `home`: the wheel's own file names libraries that are not there.
fn describe_to_cmake(home: &Path) -> Result<()> {
    let directory = home.join("share/cmake/Torch");
    fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    for name in ["TorchConfig.cmake", "TorchConfigVersion.cmake"] {
        let text = fs::read_to_string(checkout().join("cpp/cmake").join(name))?;
        write_anew(&directory.join(name), &text.replace("@TORCH_VERSION@", VERSION))?;
    }
    Ok(())
}

/// Makes sure that a TensorFlow is in the cache, where the library finds it by itself, unless the environment names one.
pub fn set_up_tensorflow(verify: bool) -> Result<()> {
    if let Some(named) = env::var_os(TENSORFLOW_VARIABLE).filter(|named| !named.is_empty()) {
        eprintln!("Using the TensorFlow of the environment, {}.", named.display());
        return Ok(());
    }
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        bail!(
            "set-up fetches TensorFlow for Linux on x86-64 only; here, install TensorFlow {} and let \
             {TENSORFLOW_VARIABLE} name its directory",
            TENSORFLOW.version
        );
    }
    TENSORFLOW.make(verify).map(drop)
}

/// Lets every cargo in this checkout use `home`, by a file beside the committed configuration, which includes it.
fn point_cargo_to(home: &Path) -> Result<()> {
    let path = checkout().join(".cargo/libtorch.toml");
    write_anew(&path, &configuration(home)?)
}

/// Writes a file unless it has this content, and in one step, because others may read it now.
fn write_anew(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|present| present == text) {
        return Ok(());
    }
    let new = path.with_extension(format!("{}.new", std::process::id()));
    fs::write(&new, text)
        .and_then(|()| fs::rename(&new, path))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn configuration(home: &Path) -> Result<String> {
    let home =
        home.to_str().context("the path of the cache is not UTF-8; set DLBACKTRACE_CACHE to one that is")?;
    let home = home.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!(
        "# Written by `cargo xtask setup`; not committed.\n\
         [env]\n\
         LIBTORCH = {{ value = \"{home}\", relative = false }}\n\
         DLBACKTRACE_LIBTORCH = {{ value = \"{home}\", relative = false }}\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strange_path_stays_one_string() -> Result<()> {
        let text = configuration(Path::new("/a \"b\"\\c"))?;
        assert!(text.contains(r#"LIBTORCH = { value = "/a \"b\"\\c", relative = false }"#), "{text}");
        Ok(())
    }
}
