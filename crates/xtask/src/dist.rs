//! `cargo xtask dist`: the command and the C and C++ library, for machines that have neither Rust nor libtorch.

use crate::cargo::{checkout, finish};
use crate::cpp::{self, Build};
use crate::install;
use crate::libtorch::{LIBTORCH, NOTICES};
use anyhow::{Context, Result};
use dlbacktrace_libtorch::BESIDE;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What of the checkout belongs to every copy.
const DOCUMENTS: [&str; 4] = ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"];

/// Makes a tarball and a Debian package in `target/dist`, with the libraries of libtorch that they need.
pub fn dist(build: Build) -> Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    let name = format!("dlbacktrace-{version}-linux-x86_64");
    let place = cpp::target()?.join("dist");
    let tree = place.join(&name);
    if place.exists() {
        fs::remove_dir_all(&place)?;
    }
    install::install(&tree, build)?;
    cpp::install_for(&tree, build, Path::new("/opt/libtorch"))?;
    add_libtorch(&tree)?;
    add_documents(&tree.join("share/doc/dlbacktrace"))?;
    let glibc = prepare(&tree.join("lib"))?;
    // With nothing of this machine's in its environment or its run path, as on the machine that it is for.
    let model = checkout().join("examples/models/digits_cnn.pt");
    finish(Command::new(tree.join("bin/dlbacktrace")).env_clear().arg("inspect").arg(model))?;

    let tarball = place.join(format!("{name}.tar.gz"));
    let begun = place.join("begun");
    let mut tar = Command::new("tar");
    tar.args(["--owner=0", "--group=0", "--numeric-owner", "-czf"])
        .arg(&begun)
        .arg("-C")
        .arg(&place)
        .arg(&name);
    finish(&mut tar)?;
    fs::rename(begun, &tarball)?;
    eprintln!("Made {}.", tarball.display());
    debian(&place, &tree, version, &glibc)
}

/// Puts the libraries of libtorch where ours look for them first.
fn add_libtorch(tree: &Path) -> Result<()> {
    let (from, to) = (LIBTORCH.make(false)?.join("lib"), tree.join("lib/dlbacktrace"));
    copy(&from, &to, |path| {
        path.file_name() != Some(OsStr::new("libtorch.so")) || path.parent() != Some(&from)
    })
}

fn add_documents(to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for name in DOCUMENTS {
        fs::copy(checkout().join(name), to.join(name))?;
    }
    // Debian looks for the licence under this name.
    fs::copy(checkout().join("LICENSE-MIT"), to.join("copyright"))?;
    let read = |path: &Path| ["md", "png"].map(OsStr::new).map(Some).contains(&path.extension());
    copy(&checkout().join("docs"), &to.join("docs"), read)?;
    copy(&NOTICES.make(false)?, &to.join("licenses-libtorch"), |path| {
        path.file_name() != Some(OsStr::new(crate::manifest::NAME))
    })
}

/// Copies the files below `from` that are `wanted`.
fn copy(from: &Path, to: &Path, wanted: impl Copy + Fn(&Path) -> bool) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let path = entry?.path();
        let copied = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &copied, wanted)?;
        } else if wanted(&path) {
            fs::create_dir_all(to)?;
            fs::copy(&path, &copied).with_context(|| format!("cannot write {}", copied.display()))?;
        }
    }
    Ok(())
}

/// Takes the place of libtorch on this machine out of our libraries, and returns the glibc that they need.
fn prepare(lib: &Path) -> Result<String> {
    let mut newest = 0;
    for entry in fs::read_dir(lib)? {
        let path = entry?.path();
        let is_library = path.is_file() && !path.is_symlink() && path.to_string_lossy().contains(".so");
        if !is_library {
            continue;
        }
        let mut bytes = fs::read(&path)?;
        newest = newest.max(newest_glibc(&bytes));
        if forget_this_machine(&mut bytes) {
            fs::write(&path, bytes)?;
        }
    }
    Ok(format!("2.{newest}"))
}

/// Ends the run path behind the directory beside the library; whether there was more.
fn forget_this_machine(library: &mut [u8]) -> bool {
    let beside = format!("{BESIDE}:");
    let Some(start) = find(library, beside.as_bytes()) else { return false };
    let rest = &mut library[start + BESIDE.len()..];
    let end = rest.iter().position(|&byte| byte == 0).unwrap_or(rest.len());
    rest[..end].fill(0);
    true
}

/// The `N` of the highest `GLIBC_2.N` among the versions of symbols.
fn newest_glibc(library: &[u8]) -> u32 {
    const MARK: &[u8] = b"GLIBC_2.";
    let mut newest = 0;
    let mut rest = library;
    while let Some(start) = find(rest, MARK) {
        rest = &rest[start + MARK.len()..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
        newest = digits
            .fold(0, |number: u32, digit| number.saturating_mul(10) + u32::from(digit - b'0'))
            .max(newest);
    }
    newest
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Packs the same tree for Debian and its kin, below `/usr`.
fn debian(place: &Path, tree: &Path, version: &str, glibc: &str) -> Result<()> {
    let root = place.join("debian");
    fs::create_dir_all(root.join("DEBIAN"))?;
    let control = format!(
        "Package: dlbacktrace\nVersion: {version}\nArchitecture: amd64\nSection: science\nPriority: optional\n\
         Maintainer: {}\n\
         Depends: libc6 (>= {glibc}), libgcc-s1, libstdc++6\n\
         Description: explains why a deep model decided as it did\n \
         The command dlbacktrace and its library for C and C++, for TorchScript models and SavedModels.\n \
         libtorch for the CPU is included; TensorFlow is found at run time.\n",
        maintainer()
    );
    fs::write(root.join("DEBIAN/control"), control)?;
    fs::write(root.join("DEBIAN/triggers"), "activate-noawait ldconfig\n")?;
    fs::rename(tree, root.join("usr"))?;
    let (begun, package) = (place.join("begun"), place.join(format!("dlbacktrace_{version}_amd64.deb")));
    let mut pack = Command::new("dpkg-deb");
    pack.args(["--build", "--root-owner-group", "-Zgzip"]).arg(&root).arg(&begun);
    finish(&mut pack).context("a Debian package needs dpkg-deb, of the package dpkg")?;
    fs::rename(begun, &package)?;
    fs::rename(root.join("usr"), tree)?;
    fs::remove_dir_all(root)?;
    eprintln!("Made {}.", package.display());
    Ok(())
}

/// Who answers for the package, by the variables that Debian's own tools read.
fn maintainer() -> String {
    let of = |variable, otherwise: &str| {
        env::var(variable).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| otherwise.to_owned())
    };
    let name = of("DEBFULLNAME", "The developers of dlbacktrace");
    format!("{name} <{}>", of("DEBEMAIL", "dlbacktrace@localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_on_this_machine_is_forgotten() {
        let mut library = b"\0GLIBC_2.2.5\0$ORIGIN/dlbacktrace:/home/me/lib\0GLIBC_2.34\0".to_vec();
        assert_eq!(newest_glibc(&library), 34);
        assert!(forget_this_machine(&mut library));
        let mut expected = b"\0GLIBC_2.2.5\0$ORIGIN/dlbacktrace".to_vec();
        expected.extend([0; 13]);
        expected.extend(b"\0GLIBC_2.34\0");
        assert_eq!(library, expected);
        assert!(!forget_this_machine(&mut library));
    }
}
