//! What can go wrong on the TensorFlow side.

use crate::library::REMEDY;
use std::path::PathBuf;

/// The result of a TensorFlow operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of finding TensorFlow, or of loading, running or recording a SavedModel.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no libtensorflow in any of the places it may be.
    #[error("TensorFlow 2.16 to 2.21 is needed, but none was found ({searched}). Run `{remedy}`")]
    LibraryMissing {
        /// Where was looked, and what was there.
        searched: String,
        /// The command that mends it.
        remedy: &'static str,
    },
    /// The library is there and cannot be loaded.
    #[error("TensorFlow cannot be loaded from {}: {reason}. Run `{REMEDY}`", path.display())]
    LibraryUnloadable {
        /// The library.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The library is of a version that does not fit.
    #[error("TensorFlow 2.16 to 2.21 is needed, but {} is {found}. Run `{REMEDY}`", path.display())]
    LibraryVersion {
        /// The library.
        path: PathBuf,
        /// What it says of itself.
        found: String,
    },
    /// The library lacks a function.
    #[error("{} is no whole TensorFlow: it lacks {symbol}. Run `{REMEDY}`", path.display())]
    LibrarySymbol {
        /// The library.
        path: PathBuf,
        /// The function.
        symbol: &'static str,
    },
    /// The directory is no SavedModel, or a damaged one, or of a kind that cannot be read.
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
        /// What was asked for.
        asked: String,
        /// The sets of tags there are.
        found: String,
    },
    /// The graph has no such signature.
    #[error("the SavedModel has no signature {asked}; {}", signatures(found))]
    NoSignature {
        /// What was asked for.
        asked: String,
        /// The signatures there are.
        found: String,
    },
    /// The inputs do not fit the signature.
    #[error("the inputs do not fit the signature {signature}: {reason}")]
    Inputs {
        /// The signature.
        signature: String,
        /// Which input, and what was wanted.
        reason: String,
    },
    /// An operator of the model failed, or cannot be run.
    #[error("operator {operator} failed at {place}: {reason}")]
    Operator {
        /// Its type, such as `Conv2D`.
        operator: String,
        /// Its name, after those of the calls and loops it ran in.
        place: String,
        /// Why.
        reason: String,
    },
    /// A tensor cannot be made or read.
    #[error("cannot {action} a tensor: {reason}")]
    Tensor {
        /// What was to be done with it.
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
        "none" => "it was saved without any. Export it, or name the function to serve: tf.saved_model.save(module, PATH, \
                   signatures=module.function)"
            .to_owned(),
        found => format!("it has {found}. Choose one of these (--signature)"),
    }
}
