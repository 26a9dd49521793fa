//! Searches for libtensorflow.

use super::{REMEDY, VARIABLE, Version};
use crate::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The names of the library in Python's package and in the C distribution; both contain the whole C API.
const FILES: [&str; 3] = ["libtensorflow_cc.so.2", "libtensorflow.so.2", "libtensorflow.so"];

/// Where it lies below a directory that a user might name: the package, the C distribution, the packages of a Python.
const BELOW: [&str; 3] = ["", "lib", "tensorflow"];

/// The directory that `cargo xtask setup --tensorflow` makes in the cache.
const FETCHED: &str = "tensorflow-2.21.0-cpu";

/// Finds the directory of the package without importing it, which would take seconds.
const FIND_PACKAGE: &str = "import importlib.util as u; s = u.find_spec('tensorflow'); print(s.submodule_search_locations[0] if s else '')";

/// The file of the library to load, in the order that [`Library::load`](super::Library::load) describes.
pub(super) fn find(named: Option<&Path>) -> Result<PathBuf> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    mapped(&maps).map_or_else(|| on_disk(named), Ok)
}

/// The file of a library that the process has not loaded.
fn on_disk(named: Option<&Path>) -> Result<PathBuf> {
    let variable = env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(place) = named.map(Path::to_path_buf).or(variable) {
        return in_place(&place).ok_or_else(|| Error::LibraryMissing {
            searched: format!("{} names none", place.display()),
            remedy: REMEDY,
        });
    }
    let mut searched = Vec::new();
    for (what, place) in places() {
        match place.as_deref().map(|place| (in_place(place), unfit(place))) {
            Some((Some(path), None)) => return Ok(path),
            Some((Some(_), Some(version))) => searched.push(format!("{what}: TensorFlow {version}")),
            _ => searched.push(format!("{what}: none")),
        }
    }
    Err(Error::LibraryMissing { searched: searched.join("; "), remedy: REMEDY })
}

/// The places to search, each with its name for messages.
fn places() -> Vec<(String, Option<PathBuf>)> {
    let python = python();
    let mut places = vec![
        (format!("the Python `{}`", python.display()), package(&python)),
        ("the cache of `cargo xtask setup --tensorflow`".into(), cache().map(|cache| cache.join(FETCHED))),
    ];
    let paths = env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let paths = env::split_paths(&paths).filter(|path| !path.as_os_str().is_empty());
    let system = paths.chain([PathBuf::from("/usr/local/lib")]);
    places.extend(system.map(|path| (path.display().to_string(), Some(path))));
    places
}

/// A libtensorflow among the files mapped into this process.
fn mapped(maps: &str) -> Option<PathBuf> {
    maps.lines()
        .filter_map(|line| Some(Path::new(line.get(line.find('/')?..)?)))
        .find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            ["libtensorflow_cc.so", "libtensorflow.so"].iter().any(|library| name.starts_with(library))
        })
        .map(Path::to_path_buf)
}

/// The library at a path: the file itself, or a file in the directory.
fn in_place(place: &Path) -> Option<PathBuf> {
    if place.is_file() {
        return Some(place.to_path_buf());
    }
    let candidates =
        BELOW.iter().flat_map(|below| FILES.iter().map(move |file| place.join(below).join(file)));
    candidates.into_iter().find(|path| path.is_file())
}

/// The version of a Python package that does not fit. Its neighbour `tensorflow….dist-info` states the version, so the library
/// need not be loaded, which could not be undone.
fn unfit(package: &Path) -> Option<String> {
    let neighbours = fs::read_dir(package.parent()?).ok()?;
    let names = neighbours.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let versions = names.filter_map(|name| {
        let (name, version) = name.strip_suffix(".dist-info")?.split_once('-')?;
        ["tensorflow", "tensorflow_cpu"].contains(&name).then(|| version.to_owned())
    });
    versions.into_iter().find(|version| !version.parse::<Version>().is_ok_and(|version| version.fits()))
}

/// The active Python.
fn python() -> PathBuf {
    match env::var_os("VIRTUAL_ENV").filter(|home| !home.is_empty()) {
        Some(home) => Path::new(&home).join("bin/python"),
        None => "python3".into(),
    }
}

/// The directory of a Python's package `tensorflow`.
fn package(python: &Path) -> Option<PathBuf> {
    let output = Command::new(python).args(["-c", FIND_PACKAGE]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim()).filter(|text| !text.is_empty()).map(PathBuf::from)
}

/// The directory that all checkouts share, as set-up chooses it.
fn cache() -> Option<PathBuf> {
    let named = |variable| env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("DLBACKTRACE_CACHE")
        .or_else(|| named("XDG_CACHE_HOME").map(|directory| directory.join("dlbacktrace")))
        .or_else(|| named("HOME").map(|directory| directory.join(".cache/dlbacktrace")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapped_library_is_seen() {
        let maps = "7f00-7f01 r-xp 00000000 08:01 42   /usr/lib/libc.so.6\n\
                    7f02-7f03 rw-p 00000000 00:00 0    [heap]\n\
                    7f04-7f05 r-xp 00000000 08:01 43   /a place/tensorflow/libtensorflow_cc.so.2\n";
        assert_eq!(mapped(maps), Some("/a place/tensorflow/libtensorflow_cc.so.2".into()));
        assert_eq!(mapped("7f04-7f05 r-xp 0 08:01 43 /lib/libtensorflow_framework.so.2\n"), None);
    }

    #[test]
    fn a_file_and_the_directories_above_it_lead_to_it() -> std::io::Result<()> {
        let home = tempfile::tempdir()?;
        let library = home.path().join("tensorflow/libtensorflow_cc.so.2");
        assert_eq!(in_place(home.path()), None);
        fs::create_dir(home.path().join("tensorflow"))?;
        fs::write(&library, "")?;
        for place in [&library, &home.path().join("tensorflow"), &home.path().to_path_buf()] {
            assert_eq!(in_place(place).as_ref(), Some(&library));
        }
        Ok(())
    }

    #[test]
    fn an_unfit_package_is_known_by_its_neighbour() -> std::io::Result<()> {
        let home = tempfile::tempdir()?;
        let package = home.path().join("tensorflow");
        assert_eq!(unfit(&package), None);
        fs::create_dir(home.path().join("tensorflow_estimator-2.15.0.dist-info"))?;
        fs::create_dir(home.path().join("tensorflow_cpu-2.21.0.dist-info"))?;
        assert_eq!(unfit(&package), None);
        fs::create_dir(home.path().join("tensorflow-2.15.0.dist-info"))?;
        assert_eq!(unfit(&package).as_deref(), Some("2.15.0"));
        Ok(())
    }

    #[test]
    fn a_named_place_without_a_library_is_an_error_not_a_reason_to_look_elsewhere() {
        let error = on_disk(Some(Path::new("/nowhere/at/all"))).expect_err("there is nothing");
        let message = error.to_string();
        assert!(message.contains("/nowhere/at/all names none") && message.contains(REMEDY), "{message}");
    }
}
