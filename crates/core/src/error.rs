//! What can go wrong in the core.

use crate::tape::{Place, Step};

/// The result of a core operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the core. Each names the operator and where it stands, and says what to do next.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor operation of the backend failed.
    #[error("tensor operation {operation} failed: {message}")]
    Tensor {
        /// The operation of the [`Tensor`](crate::Tensor) trait.
        operation: &'static str,
        /// What the backend said.
        message: String,
    },
    /// The relevance walk met an operator that has no rule.
    #[error(
        "operator {operator} has no relevance rule ({place}); the explanation stops here rather than be wrong. \
         Run `dlbacktrace ops` for the operators that have one, or allow unruled operators to have what \
         reaches this one booked as lost"
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
        /// What is not covered and what would be.
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
    /// An operator's rule needs something of a step that the recording did not keep.
    #[error("the recording did not keep {what}, which the rule needs")]
    NotKept {
        /// The missing operand or output.
        what: String,
    },
    /// A rule does not cover the call: its shapes or its arguments.
    #[error("{0}")]
    Uncovered(String),
    /// The starting relevance does not fit the output.
    #[error("{0}")]
    Start(String),
    /// The model has no such output.
    #[error("the model has no output {asked}; it has {found}")]
    NoOutput {
        /// What was asked for.
        asked: String,
        /// The outputs there are.
        found: String,
    },
    /// The input to explain as numbers is not there.
    #[error("the model has no input named {asked}; it has {found}")]
    NoInput {
        /// What was asked for.
        asked: String,
        /// The inputs there are.
        found: String,
    },
}

impl Error {
    /// Wraps a backend's message.
    pub fn tensor(operation: &'static str, message: impl ToString) -> Self {
        Self::Tensor { operation, message: message.to_string() }
    }

    /// What went wrong at a step.
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
