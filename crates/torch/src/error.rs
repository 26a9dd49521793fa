//! The errors of this crate.

/// The result of a libtorch operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of loading, running or explaining with libtorch.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The module could not be loaded or run.
    #[error(transparent)]
    Module(#[from] dlbacktrace_torch_recorder::Error),
    /// The walk failed.
    #[error(transparent)]
    Core(#[from] dlbacktrace_core::Error),
}
