//! Gives the library its name for the dynamic linker, with the version of its interface, and lets it find libtorch.

fn main() {
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libdlbacktrace_torch.so.1");
    // Its own functions, even where the program has others of these names: it may use the crate tch as well.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-Bsymbolic");
    dlbacktrace_libtorch::set_run_path_of_installed();
}
