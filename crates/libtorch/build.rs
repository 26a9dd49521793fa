//! Checks the libtorch that this build would take. Without dependencies this runs first, before minutes of compiling against
//! something unfit.

#[allow(dead_code)]
#[path = "src/lib.rs"]
mod libtorch;

fn main() {
    if cfg!(feature = "unchecked") {
        return;
    }
    libtorch::watch();
    if let Err(unfit) = libtorch::Libtorch::found() {
        unfit.to_string().lines().for_each(|line| println!("cargo::error={line}"));
    }
}
