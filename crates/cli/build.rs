//! Lets the command's library and tests find libtorch.

fn main() {
    dlbacktrace_libtorch::set_run_path();
}
