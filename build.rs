//! Lets the tests and examples, and the packages that depend on this one, find libtorch where it was at build time.

fn main() -> std::io::Result<()> {
    #[cfg(feature = "torch")]
    {
        dlbacktrace_libtorch::set_run_path();
        dlbacktrace_libtorch::hand_on()?;
    }
    Ok(())
}
