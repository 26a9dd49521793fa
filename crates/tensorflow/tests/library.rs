//! A library that is missing or is not TensorFlow gives an error that says what to do; one that fits is loaded once.

use dlbacktrace_tensorflow::{Error, Library, REMEDY, Version};
use std::fs;
use std::path::Path;
use testkit::saved_models::library;

/// One test, because a process that has loaded TensorFlow looks no further.
#[test]
fn unfit_libraries_are_told_and_a_fitting_one_is_loaded_once() {
    let directory = tempfile::tempdir().unwrap();
    let text = directory.path().join("libtensorflow.so.2");
    fs::write(&text, "no library").unwrap();
    let libc = Path::new("libc.so.6");
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let libc = maps
        .lines()
        .filter_map(|line| line.get(line.find('/')?..))
        .find(|path| path.contains(libc.to_str().unwrap()));

    let refused = |place: &Path| Library::load(Some(place)).unwrap_err();
    let missing = refused(Path::new("/nowhere"));
    assert!(matches!(missing, Error::LibraryMissing { .. }), "{missing}");
    let damaged = refused(directory.path());
    assert!(matches!(damaged, Error::LibraryUnloadable { .. }), "{damaged}");
    let other = refused(Path::new(libc.unwrap()));
    assert!(matches!(other, Error::LibrarySymbol { symbol: "TF_Version", .. }), "{other}");
    for error in [missing, damaged, other] {
        assert!(error.to_string().contains(REMEDY), "{error}");
    }

    let library = library();
    assert!((Version { major: 2, minor: 16 }..=Version { major: 2, minor: 21 }).contains(&library.version()));
    assert!(library.path().is_file());
    // Another place makes no difference now, because two copies in a process do not work.
    assert!(std::ptr::eq(library, Library::load(Some(Path::new("/nowhere"))).unwrap()));
}
