//! Lets the tests find libtorch.

fn main() {
    #[cfg(feature = "torch")]
    dlbacktrace_libtorch::set_run_path();
}
