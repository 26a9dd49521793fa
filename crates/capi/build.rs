//! Gives the library its name for the dynamic linker, which contains the version of its interface.

fn main() {
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libdlbacktrace.so.1");
}
