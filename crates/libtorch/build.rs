//! Checks the libtorch of the environment. Without dependencies this runs first, before minutes of compiling
//! against something unfit.

#[allow(dead_code)]
#[path = "src/lib.rs"]
mod libtorch;

fn main() {
    if cfg!(feature = "unchecked") {
        return;
    }
    libtorch::watch();
    if let Err(unfit) = libtorch::Libtorch::from_env() {
        println!("cargo::error={unfit}");
    }
}
