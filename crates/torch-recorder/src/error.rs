//! What can go wrong, in one enum.

use std::path::PathBuf;

/// What can go wrong while loading, running or recording.
///
/// `reason` is always libtorch's or the recorder's own short text, without C++ frames.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is not a TorchScript archive that this libtorch reads.
    #[error("cannot load the TorchScript archive {path}: {reason}")]
    Load {
        /// The archive.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A live module cannot be explained as it is.
    #[error("cannot take the live module: {reason}")]
    Live {
        /// Why.
        reason: String,
    },
    /// A library of extra operators could not be opened.
    #[error("cannot load the operator library {path}: {reason}")]
    Library {
        /// The shared library.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The inputs do not fit the schema of `forward`; the reason tells the argument and the whole schema.
    #[error("the inputs do not fit the module: {reason}")]
    Inputs {
        /// Which argument, and what was wanted.
        reason: String,
    },
    /// The computation itself failed; the reason names the operator and the module path that were active.
    #[error("the forward pass failed: {reason}")]
    Forward {
        /// The failing operator, its shapes and module path where known, and libtorch's text.
        reason: String,
    },
    /// An operator that was called by name failed.
    #[error("{operator} failed: {reason}")]
    Call {
        /// The operator.
        operator: String,
        /// Why.
        reason: String,
    },
    /// Recording could not start, finish or be read back.
    #[error("cannot record: {reason}")]
    Record {
        /// Why.
        reason: String,
    },
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;
