//! Lets the tests find libtorch at run time.

fn main() {
    #[cfg(feature = "torch")]
    dlbacktrace_libtorch::set_run_path();
}
