//! Compiles the C++ of the recorder against the libtorch that torch-sys links.

use dlbacktrace_libtorch::Libtorch;
use std::path::PathBuf;
use std::{env, fs, process};

/// A link to `cpp/torch` of the checkout, a directory in a package.
const SOURCES: &str = "cpp";

fn main() {
    if env::var_os("CARGO_FEATURE_DOC_ONLY").is_some() {
        return;
    }
    dlbacktrace_libtorch::watch();
    let libtorch = Libtorch::linked().unwrap_or_else(|unfit| fail(&unfit.to_string()));
    compile(&libtorch);
    dlbacktrace_libtorch::set_run_path();
}

fn compile(libtorch: &Libtorch) {
    println!("cargo:rerun-if-env-changed=LIBTORCH_CXX11_ABI");
    let mut build = cxx_build::bridge("src/bridge.rs");
    println!("cargo:rerun-if-changed=src/bridge.rs");
    println!("cargo:rerun-if-changed={SOURCES}");
    let entries =
        fs::read_dir(SOURCES).unwrap_or_else(|error| fail(&format!("{SOURCES} cannot be read ({error})")));
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok()?.path().canonicalize().ok())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cc"))
        .collect();
    files.sort();
    // One unit that includes all files, because most of a compilation is reading libtorch's headers (cpp/torch/README.md).
    let unit = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("recorder.cc");
    let includes = files.iter().map(|file| format!("#include \"{}\"\n", file.display())).collect::<String>();
    fs::write(&unit, includes)
        .unwrap_or_else(|error| fail(&format!("{} cannot be written ({error})", unit.display())));
    // Set by `cargo xtask cpp-test --sanitize`, whose programs bring the sanitizers' library.
    println!("cargo:rerun-if-env-changed=DLBACKTRACE_SANITIZE");
    if let Ok(sanitizer) = env::var("DLBACKTRACE_SANITIZE") {
        build.flag(format!("-fsanitize={sanitizer}")).flag("-fno-omit-frame-pointer");
    }
    build
        .file(unit)
        .flag("-iquote")
        .flag(SOURCES)
        .flags(libtorch.flags())
        .std("c++20")
        .opt_level(2)
        .compile("dlbacktrace_torch");
}

fn fail(message: &str) -> ! {
    eprintln!("{message}");
    process::exit(1)
}
