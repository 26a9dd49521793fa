//! Lets the command's library and tests find libtorch.

fn main() {
    #[cfg(feature = "torch")]
    dlbacktrace_libtorch::set_run_path_of_installed();
}
