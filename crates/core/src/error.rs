//! The errors of the core.

use crate::explain::Progress;
use crate::tape::{Place, Step};

/// The result of a core operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the core. Its message names the operator and its place, and says what to do next.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor operation of the backend failed.
    #[error("tensor operation {operation} failed: {message}")]
    Tensor {
        /// The operation of the [`Tensor`](crate::Tensor) trait.
        operation: &'static str,
        /// The backend's message.
        message: String,
    },
    /// The relevance walk met an operator that has no rule.
    #[error(
        "operator {operator} has no relevance rule ({place}); the explanation stops here, because it would be wrong. \
         Run `dlbacktrace ops` for the operators that have one, or allow operators without a rule: the relevance that \
         reaches them is then booked as lost"
    )]
    NoRule {
        /// The framework's name of the operator.
        operator: String,
        /// Where it ran.
        place: Box<Place>,
    },
    /// A rule does not cover the arguments an operator was called with.
    #[error("operator {operator}: {message} ({place})")]
    Unsupported {
        /// The framework's name of the operator.
        operator: String,
        /// What the rule does not cover, and what it would.
        message: String,
        /// Where it ran.
        place: Box<Place>,
    },
    /// A rule failed while it was applied.
    #[error("operator {operator} ({place}): {source}")]
    Step {
        /// The framework's name of the operator.
        operator: String,
        /// Where it ran.
        place: Box<Place>,
        /// The cause.
        source: Box<Error>,
    },
    /// A rule set is wrong, or does not fit the model.
    #[error("{0}")]
    Rules(String),
    /// A rule needs a tensor of the step that the recording did not keep.
    #[error("the rule needs {what}, but the recording did not keep it")]
    NotKept {
        /// The missing operand or output.
        what: String,
    },
    /// A rule does not cover the call: its shapes or its arguments.
    #[error("{0}")]
    Uncovered(String),
    /// Whoever watched the explanation stopped it.
    #[error("the explanation was cancelled after {0}")]
    Cancelled(Progress),
    /// The starting relevance does not fit the output.
    #[error("{0}")]
    Start(String),
    /// The model has no such output.
    #[error("the model has no output {asked}; it has {found}")]
    NoOutput {
        /// The requested output.
        asked: String,
        /// The existing outputs.
        found: String,
    },
    /// The model has no input of a name that an option gives.
    #[error("the model has no input named {asked}; it has {found}")]
    NoInput {
        /// The requested input.
        asked: String,
        /// The existing inputs.
        found: String,
    },
}

impl Error {
    /// Wraps a backend's message.
    pub fn tensor(operation: &'static str, message: impl ToString) -> Self {
        Self::Tensor { operation, message: message.to_string() }
    }

    /// Adds the step at which the error occurred.
    pub(crate) fn at<T>(self, step: &Step<T>) -> Self {
        match self {
            Self::NoRule { .. } | Self::Unsupported { .. } | Self::Step { .. } => self,
            source => Self::Step {
                operator: step.operator.clone(),
                place: Box::new(step.place.clone()),
                source: Box::new(source),
            },
        }
    }
}
