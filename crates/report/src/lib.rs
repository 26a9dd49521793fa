//! The results of an explanation: arrays, pictures, a document and a summary.
//!
//! This crate knows no framework. It takes relevance as `ndarray` arrays, and the ledger in the types of
//! `dlbacktrace-core`. It writes files into a [`Staging`] directory and moves them into place when all of them are
//! complete.
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
