//! What the tests share. It links no libtorch, so the tests of every crate may use it; what needs libtorch is in
//! `testkit-torch`.

pub mod cases;
pub mod command;
pub mod fixtures;
pub mod forward;
pub mod geometry;
pub mod kinds;
pub mod memory;
pub mod naive;
pub mod net;
pub mod numbers;
pub mod operators;
#[cfg(feature = "tensorflow")]
pub mod saved_models;
pub mod suite;
pub mod tapes;
pub mod tensors;
pub mod vectors;
