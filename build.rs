//! Lets the tests and examples find libtorch where it was at build time.

fn main() {
    #[cfg(feature = "torch")]
    dlbacktrace_libtorch::set_run_path();
}
