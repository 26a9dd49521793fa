//! Gives the library its name for the dynamic linker, with the version of its interface.

fn main() {
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libdlbacktrace.so.1");
}
