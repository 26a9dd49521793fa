//! Runs operators of TensorFlow.

use super::failed;
use crate::Tensor as Handle;
use crate::eager::Attributes;
use dlbacktrace_core::{Error, Result};
use std::ffi::CStr;
use std::sync::Arc;

/// Runs an operator that returns one tensor, for an operation of the trait. If nobody else holds `first`, the result may reuse its
/// memory.
pub(super) fn run(
    operation: &'static str,
    operator: &CStr,
    attributes: &Attributes,
    first: Handle,
    others: &[&Handle],
) -> Result<Handle> {
    let context = Arc::clone(first.context());
    let inputs = std::iter::once(first).chain(others.iter().map(|&other| other.clone()));
    let made = context.consume(operator, attributes, inputs, 1).map_err(failed(operation))?;
    made.into_iter().next().ok_or_else(|| Error::tensor(operation, "TensorFlow returned nothing"))
}
