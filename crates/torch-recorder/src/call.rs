//! One operator, called by name.

use crate::bridge::ffi;
use crate::error::{Error, Result};
use crate::input::{Input, Inputs};
use crate::tensor;
use tch::Tensor;

/// Calls the operator `name` (`"aten::roll"`) in its `overload` with arguments in the order of its schema. Arguments left out
/// take their defaults. Returns the operator's tensors, with lists flattened.
///
/// # Errors
/// [`Error::Call`] if there is no such operator, if the arguments do not fit it, or if it fails.
pub fn call_operator(name: &str, overload: &str, arguments: Vec<Input>) -> Result<Vec<Tensor>> {
    let error = |reason: String| Error::Call { operator: name.to_owned(), reason };
    let arguments = Inputs::new(arguments).to_ffi()?;
    let results = ffi::call_operator(name, overload, &arguments)
        .map_err(|exception| error(exception.what().to_owned()))?;
    (0..results.size())
        .map(|index| {
            let result = results.at(index).map_err(|exception| error(exception.what().to_owned()))?;
            tensor::adopt(result).ok_or_else(|| error("it returned an undefined tensor".into()))
        })
        .collect()
}
