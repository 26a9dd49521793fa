//! The errors of this crate, sorted by what their user has to correct.

use dlbacktrace_core::explain::Progress;
use std::fmt;
use std::path::PathBuf;

/// The result of an explanation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error. The variant says what the user has to correct. Printed for debugging it is its message too, because that is what a `main` prints
/// that returns it.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The model cannot be loaded.
    #[error("{0}")]
    Load(String),
    /// The file is not a model that this build of dlbacktrace reads.
    #[error("{} is {found}. dlbacktrace reads {readable}.\n{advice}", path.display())]
    Kind {
        /// The file or directory.
        path: PathBuf,
        /// What its content shows it to be.
        found: String,
        /// The formats that this build reads.
        readable: &'static str,
        /// How to make one of these from it.
        advice: String,
    },
    /// Relevance reached an operator that has no rule, or arguments that its rule does not cover.
    #[error("{0}")]
    NoRule(String),
    /// The inputs do not fit the model.
    #[error("{0}")]
    Inputs(String),
    /// The options do not fit the model: no such output, unit, module or input.
    #[error("{0}")]
    Usage(String),
    /// The framework's library is missing or does not fit.
    #[error("{0}")]
    Library(String),
    /// The progress of the options stopped the explanation.
    #[error("the explanation was cancelled after {0}")]
    Cancelled(Progress),
    /// A defect of dlbacktrace, or a failure of the framework.
    #[error("{0}")]
    Internal(String),
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// The exit code of the command: 1 internal, 2 usage, 3 model, 4 rule, 5 inputs, 6 library, 130 cancelled.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Internal(_) => 1,
            Self::Usage(_) => 2,
            Self::Load(_) | Self::Kind { .. } => 3,
            Self::NoRule(_) => 4,
            Self::Inputs(_) => 5,
            Self::Library(_) => 6,
            Self::Cancelled(_) => 130,
        }
    }
}

impl From<dlbacktrace_core::Error> for Error {
    fn from(error: dlbacktrace_core::Error) -> Self {
        use dlbacktrace_core::Error as Core;
        let text = error.to_string();
        match error {
            Core::NoRule { .. } | Core::Unsupported { .. } => Self::NoRule(text),
            Core::Cancelled(progress) => Self::Cancelled(progress),
            Core::Start(_) | Core::Rules(_) | Core::NoOutput { .. } | Core::NoInput { .. } => {
                Self::Usage(text)
            }
            Core::Step { source, .. } if matches!(*source, Core::Rules(_)) => Self::Usage(text),
            // A rule that refuses the shapes or arguments of a call does not cover that call.
            Core::Step { source, .. } if matches!(*source, Core::Uncovered(_)) => Self::NoRule(text),
            _ => Self::Internal(text),
        }
    }
}

#[cfg(feature = "torch")]
impl From<dlbacktrace_torch::Error> for Error {
    fn from(error: dlbacktrace_torch::Error) -> Self {
        use dlbacktrace_torch::{Error as Torch, ModuleError};
        let text = error.to_string();
        match error {
            Torch::Core(error) | Torch::Module(ModuleError::Cancelled(error)) => error.into(),
            Torch::Module(
                ModuleError::Load { .. } | ModuleError::Operator { .. } | ModuleError::Live { .. },
            ) => Self::Load(text),
            Torch::Module(ModuleError::Library { .. }) => Self::Library(text),
            Torch::Module(ModuleError::Inputs { .. } | ModuleError::Forward { .. }) => Self::Inputs(text),
            Torch::Module(ModuleError::Record { .. }) => Self::Load(text),
            _ => Self::Internal(text),
        }
    }
}

#[cfg(feature = "tensorflow")]
impl From<dlbacktrace_tensorflow::Error> for Error {
    fn from(error: dlbacktrace_tensorflow::Error) -> Self {
        use dlbacktrace_tensorflow::Error as Tf;
        let text = error.to_string();
        match error {
            Tf::Core(error) => error.into(),
            Tf::LibraryMissing { .. }
            | Tf::LibraryUnloadable { .. }
            | Tf::LibraryVersion { .. }
            | Tf::LibrarySymbol { .. } => Self::Library(text),
            Tf::Load { .. } => Self::Load(text),
            Tf::NoTags { .. } | Tf::NoSignature { .. } => Self::Usage(text),
            Tf::Inputs { .. } | Tf::Operator { .. } => Self::Inputs(text),
            _ => Self::Internal(text),
        }
    }
}
