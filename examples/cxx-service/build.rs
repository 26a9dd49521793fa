//! Compiles the service against the libtorch that dlbacktrace links.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=src");
    let libtorch = dlbacktrace_libtorch::Libtorch::linked()?;
    cxx_build::bridge("src/main.rs").file("src/service.cc").flags(libtorch.flags()).compile("service");
    dlbacktrace_libtorch::set_run_path();
    Ok(())
}
