//! Why a command failed, and the exit code for that.

use std::io;

/// The result of a command.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Each message says in a few lines what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line asks for something that does not exist.
    #[error("{0}")]
    Usage(String),
    /// An input cannot be read, or does not fit the model.
    #[error("{0}")]
    Inputs(String),
    /// The explanation failed.
    #[error("{0}{hint}", hint = hint(.0))]
    Explanation(#[from] dlbacktrace::Error),
    /// The results could not be written.
    #[error(transparent)]
    Results(#[from] dlbacktrace_report::Error),
    /// Standard output could not be written to.
    #[error("cannot write to standard output: {0}")]
    Output(io::Error),
    /// Ctrl-C ended the command; finished work is kept.
    #[error("{0}")]
    Interrupted(String),
    /// A check of `verify` failed; the report has named it.
    #[error(
        "the explanation does not verify; the report above names what is wrong. Please report it with the model"
    )]
    Unverified,
    /// A second run of the model gave something else.
    #[error(
        "the model draws random numbers, so no two runs agree. Save the model in inference mode (PyTorch: after eval(); Keras: without training=True), or fix the numbers by \
         --random-seed 0"
    )]
    Unrepeatable,
}

impl Failure {
    /// What prevents writing the results, found before the work begins.
    pub fn of_place(error: dlbacktrace_report::Error) -> Self {
        match error {
            dlbacktrace_report::Error::NotADirectory { .. } => Self::Usage(error.to_string()),
            error => Self::Results(error),
        }
    }

    /// The exit code: 0 done, 1 results, 2 usage, 3 model, 4 rule, 5 inputs, 6 library, 130 interrupted.
    pub fn exit_code(&self) -> i32 {
        match self {
            // Whoever reads the output has closed it and seen enough: that is not a failure.
            Self::Output(e) if e.kind() == io::ErrorKind::BrokenPipe => 0,
            Self::Results(_) | Self::Output(_) | Self::Unverified | Self::Unrepeatable => 1,
            Self::Usage(_) => 2,
            Self::Inputs(_) => 5,
            Self::Explanation(e) => e.exit_code(),
            Self::Interrupted(_) => INTERRUPTED,
        }
    }
}

/// The exit code of a command that Ctrl-C ended.
pub const INTERRUPTED: i32 = 130;

/// Words by which libtorch reports inputs that do not fit, and the option that helps.
const HINTS: [(&str, &str); 5] = [
    ("dtype", DTYPE),
    ("scalar type", DTYPE),
    (
        "channels",
        ". For another number or order of an image's channels, use --channels 1, 3 or 4, or --layout nhwc",
    ),
    ("dimension", ". For an image without an axis of samples, use --layout chw or hwc"),
    (
        "mat1 and mat2 shapes",
        ". For another size of an image, use --resize; for other columns of a table, --columns",
    ),
];
const DTYPE: &str = ". Use --dtype f16, bf16, f32, f64 or keep for another element type";

fn hint(error: &dlbacktrace::Error) -> &'static str {
    let text = match error {
        dlbacktrace::Error::Inputs(text) => text,
        dlbacktrace::Error::NoRule(text) if text.contains("allow unruled") => return " (--allow-unruled)",
        _ => return "",
    };
    HINTS.iter().find(|(words, _)| text.contains(words)).map_or("", |(_, hint)| hint)
}
