//! Lets the tests and examples of this package find libtorch.

fn main() {
    dlbacktrace_libtorch::set_run_path();
}
