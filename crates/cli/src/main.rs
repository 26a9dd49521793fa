//! The program `dlbacktrace`: finds the library of the same name, which holds the whole command, and calls it.
//!
//! A program linked to libtorch does not start where that is missing: the system names the missing file, but not the
//! remedy. This program links to nothing, so it can say what to do.

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use std::ffi::{CString, c_char, c_int};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, io};

/// The exit code for a framework library that is missing or wrong.
const NO_FRAMEWORK: u8 = 6;
/// `dlbacktrace_main` of the library, with the arguments of C's `main`.
type Main = unsafe extern "C" fn(c_int, *const *const c_char) -> c_int;

fn main() -> ExitCode {
    if env::var_os("OMP_WAIT_POLICY").is_none() {
        // Otherwise libtorch's waiting threads spin, which slows a busy machine down many times.
        // SAFETY: no other thread exists yet.
        unsafe { env::set_var("OMP_WAIT_POLICY", "PASSIVE") };
    }
    if env::args_os().any(|argument| argument == "--verbose") {
        // The command's library and the framework crates read this where they shorten messages.
        // SAFETY: as above.
        unsafe { env::set_var("RUST_BACKTRACE", "full") };
    }
    let library = match load() {
        Ok(library) => library,
        Err(problem) => {
            eprintln!("error: {problem}");
            return ExitCode::from(NO_FRAMEWORK);
        }
    };
    // SAFETY: the library is the other half of this package, where the function has this type.
    let main = match unsafe { library.get::<Main>(c"dlbacktrace_main") } {
        Ok(main) => main,
        Err(e) => {
            eprintln!(
                "error: the library beside this program is not that of dlbacktrace ({e}). Install both anew."
            );
            return ExitCode::from(NO_FRAMEWORK);
        }
    };
    let arguments: Vec<CString> = arguments();
    let pointers: Vec<*const c_char> = arguments.iter().map(|argument| argument.as_ptr()).collect();
    let count = c_int::try_from(pointers.len()).unwrap_or(c_int::MAX);
    // SAFETY: as many valid C strings as counted, alive until after the call.
    let code = unsafe { main(count, pointers.as_ptr()) };
    // The destructors of libtorch run at exit, while it is still loaded.
    std::mem::forget(library);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// Loads the command's library from where cargo or an installation puts it.
fn load() -> Result<Library, String> {
    let places = places().map_err(|e| format!("cannot find out where this program is ({e})."))?;
    let Some(path) = places.iter().find(|path| path.is_file()) else {
        let places: Vec<_> = places.iter().map(|path| path.display().to_string()).collect();
        return Err(format!(
            "the library of dlbacktrace is missing; it should be at {}. Run `cargo xtask install` in its checkout to \
             install program and library.",
            places.join(", ")
        ));
    };
    // All symbols at once: if libtorch is the wrong one, some are missing, and it is better to learn that now.
    // SAFETY: the library's initialisers are those of Rust and libtorch, which only set up themselves.
    unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(|e| {
        format!(
            "libtorch 2.13.0 is needed, but the system's loader found it missing or wrong: {}. To fix this, run `cargo \
             xtask setup` in the checkout of dlbacktrace and build again, or install the package again if it came as one, or let \
             LD_LIBRARY_PATH name the lib directory of a PyTorch 2.13.0.",
            text(&e)
        )
    })
}

/// The places of the library, `deps` first: cargo leaves a newer one there when it builds only this program.
fn places() -> io::Result<Vec<PathBuf>> {
    let program = env::current_exe()?;
    let name = libloading::library_filename("dlbacktrace_cli");
    let directory = program.parent().map(PathBuf::from).unwrap_or_default();
    Ok(["deps", ".", "../lib"].iter().map(|place| directory.join(place).join(&name)).collect())
}

/// The loader's message.
fn text(error: &libloading::Error) -> String {
    match error {
        libloading::Error::DlOpen { source } => source.to_string(),
        other => other.to_string(),
    }
}

/// The command line as C strings. No argument holds a NUL, because they were C strings before.
fn arguments() -> Vec<CString> {
    env::args_os().filter_map(|argument| CString::new(argument.into_vec()).ok()).collect()
}
