//! Loads, runs and records TensorFlow SavedModels without Python.
//!
//! This crate finds and loads TensorFlow's own library at run time ([`Library`]) and does not need it to build. A [`Model`] is a
//! signature of a SavedModel. To record a run, the crate interprets the model's functions itself, node by node on TensorFlow's
//! kernels. A [`Recording`] lists the operators that ran with their tensors: loops as their rounds, branches as the side that
//! was taken.
//!
//! ```no_run
//! use dlbacktrace_tensorflow::{DataType, Keep, Library, Model, ModelOptions};
//!
//! let model = Model::load(Library::load(None)?, "exported", &ModelOptions::default())?;
//! let features = model.context().tensor(DataType::FLOAT, &[1, 8], &[0; 32])?;
//! let recording = model.record(&[("features".to_owned(), features)], &|_| Keep::Inputs)?;
//! println!("{} operators", recording.records.len());
//! # Ok::<(), dlbacktrace_tensorflow::Error>(())
//! ```

// Only the two modules that call the library contain unsafe code.
#![deny(unsafe_code)]

mod backend;
mod derivatives;
#[allow(unsafe_code)]
mod eager;
mod error;
mod examples;
mod explain;
mod inspection;
mod interpreter;
#[allow(unsafe_code)]
mod library;
mod loading;
mod lowering;
mod model;
mod positions;
mod proto;
mod rearrange;
mod saved_model;
#[cfg(feature = "tensorflow-crate")]
mod serving;
mod table;
mod tensor_spec;
mod variables;

pub use backend::TfTensor;
pub use eager::{Context, DataType, Tensor};
pub use error::{Error, Result};
pub use examples::{ExampleSpec, Feature, FeatureSpec, example};
pub use explain::Replay;
pub use inspection::Inspection;
pub use interpreter::{Keep, Operation, Origin, Port, Record, Recording, Scope, Slot, ValueId, ValueInfo};
pub use library::{Library, REMEDY, VARIABLE, Version};
pub use model::{Model, ModelOptions};
#[cfg(feature = "tensorflow-crate")]
pub use serving::Element;
pub use table::{OperatorRule, operators};
pub use tensor_spec::TensorSpec;

/// Why a model decided as it did, on TensorFlow's tensors.
pub type Explanation = dlbacktrace_core::explain::Explanation<TfTensor>;
