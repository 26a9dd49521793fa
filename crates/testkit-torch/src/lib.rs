//! What the tests of TorchScript and tch share.

pub mod fixtures;
pub mod operators;
pub mod recordings;
