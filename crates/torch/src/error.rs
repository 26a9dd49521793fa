//! What can go wrong on the libtorch side.

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
    /// The model has no such output.
    #[error("the model has no output {asked}; it has {found}. Choose one of these")]
    NoOutput {
        /// What was asked for.
        asked: String,
        /// The outputs there are.
        found: String,
    },
    /// The input to explain as numbers is not there.
    #[error("the model has no input named {asked}; it has {found}. Choose one of these")]
    NoInput {
        /// What was asked for.
        asked: String,
        /// The inputs there are.
        found: String,
    },
}
