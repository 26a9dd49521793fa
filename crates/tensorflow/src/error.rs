//! The errors of this crate.

use crate::library::REMEDY;
use std::path::PathBuf;

/// The result of a TensorFlow operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of finding TensorFlow, or of loading, running or recording a SavedModel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no libtensorflow in any of the places where it may be.
    #[error("TensorFlow 2.16 to 2.21 is needed, but none was found ({searched}). Run `{remedy}`")]
    LibraryMissing {
        /// The places that were searched, and what was there.
        searched: String,
        /// The command that installs it.
        remedy: &'static str,
    },
    /// The library exists but cannot be loaded.
    #[error("TensorFlow cannot be loaded from {}: {reason}. Run `{REMEDY}`", path.display())]
    LibraryUnloadable {
        /// The library.
        path: PathBuf,
        /// The system's message.
        reason: String,
    },
    /// The library is of a version that does not fit.
    #[error("TensorFlow 2.16 to 2.21 is needed, but {} is {found}. Run `{REMEDY}`", path.display())]
    LibraryVersion {
        /// The library.
        path: PathBuf,
        /// The version that it states.
        found: String,
    },
    /// The library lacks a function.
    #[error("{} is not a complete TensorFlow: it lacks {symbol}. Run `{REMEDY}`", path.display())]
    LibrarySymbol {
        /// The library.
        path: PathBuf,
        /// The function.
        symbol: &'static str,
    },
    /// The directory is not a SavedModel, or is damaged, or is of a kind that cannot be read.
    #[error("cannot load the SavedModel {}: {reason}", path.display())]
    Load {
        /// The directory.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The model has no graph with these tags.
    #[error("the SavedModel has no graph {asked}; it has {found}. Choose one of these")]
    NoTags {
        /// The requested tags.
        asked: String,
        /// The existing sets of tags.
        found: String,
    },
    /// The graph has no such signature.
    #[error("the SavedModel has no signature {asked}; {}", signatures(found))]
    NoSignature {
        /// The requested signature.
        asked: String,
        /// The existing signatures.
        found: String,
    },
    /// The inputs do not fit the signature.
    #[error("the inputs do not fit the signature {signature}: {reason}")]
    Inputs {
        /// The signature.
        signature: String,
        /// The input, and what it takes.
        reason: String,
    },
    /// An operator of the model failed, or cannot be run.
    #[error("operator {operator} failed at {place}: {reason}")]
    Operator {
        /// Its type, such as `Conv2D`.
        operator: String,
        /// Its name, after the names of the calls and loops in which it ran.
        place: String,
        /// Why.
        reason: String,
    },
    /// A tensor could not be made or read.
    #[error("cannot {action} a tensor: {reason}")]
    Tensor {
        /// What could not be done with it.
        action: &'static str,
        /// Why.
        reason: String,
    },
    /// The options do not fit, or the walk failed.
    #[error(transparent)]
    Core(#[from] dlbacktrace_core::Error),
}

fn signatures(found: &str) -> String {
    match found {
        "none" => "it was saved without any. Export the model, or name the function to serve: tf.saved_model.save(module, PATH, \
                   signatures=module.function)"
            .to_owned(),
        found => format!("it has {found}. Choose one of these (--signature)"),
    }
}
