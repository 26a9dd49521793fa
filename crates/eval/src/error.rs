//! What can go wrong.

/// The result of a comparison's part.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a method or metric gave nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model could not be run or explained.
    #[error(transparent)]
    Model(#[from] dlbacktrace::Error),
    /// The method or metric does not fit the model or its input.
    #[error("{0}")]
    Unfit(String),
}
