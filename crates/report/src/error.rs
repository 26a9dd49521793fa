//! The errors of writing results.

use std::path::PathBuf;

/// An explanation that could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused.
    #[error("cannot write {path}: {source}. Choose another directory, or free space there", path = path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The path for the results exists, but is not a directory.
    #[error("{path} is not a directory, so no results can go there. Choose another one", path = path.display())]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// An array did not go into its file.
    #[error("cannot write array `{key}` to {path}: {message}", path = path.display())]
    Array {
        /// The file.
        path: PathBuf,
        /// The array's name in the file.
        key: String,
        /// The writer's error.
        message: String,
    },
    /// A picture could not be drawn.
    #[error("cannot draw the picture: {0}")]
    Picture(String),
    /// The document could not be put into JSON.
    #[error("cannot write the document as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl Error {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
