//! TensorFlow SavedModels, loaded, run and recorded without Python.
//!
//! TensorFlow's own library is found and loaded at run time ([`Library`]); nothing of it is needed to build. A
//! [`Model`] is a signature of a SavedModel. It is run by an interpreter of its functions, node by node on TensorFlow's
//! kernels, so that a run can be written down: a [`Recording`] lists the operators that ran, loops as their rounds and
//! branches as the side taken, with their tensors.
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

// Unsafe code is for the two rooms that touch the library.
#![deny(unsafe_code)]

mod backend;
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
