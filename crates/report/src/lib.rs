//! What an explanation leaves behind: arrays, pictures, a document and a summary.
//!
//! Nothing here knows a framework: relevance comes in as `ndarray` arrays, and the account of it in the types
//! of `dlbacktrace-core`. Files are written into a [`Staging`] directory and moved into place when all of
//! them are complete.
#![forbid(unsafe_code)]

mod arrays;
mod document;
mod error;
pub mod generation;
mod modules;
mod number;
pub mod pictures;
mod staging;
mod summary;
pub mod tokens;

pub use arrays::ArrayFile;
pub use document::{
    ArrayKeys, Document, Given, InputEntry, Leader, Model, OperatorEntry, OutputEntry, SCHEMA_VERSION,
    Settings, Timings, Totals, ValueEntry, Versions,
};
pub use error::{Error, Result};
pub use modules::tree;
pub use staging::Staging;
pub use summary::summary;
