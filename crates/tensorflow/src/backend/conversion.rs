//! Element types, and conversions to and from TensorFlow.

use super::run::run;
use super::{TfTensor, failed};
use crate::eager::{Attributes, one_type};
use crate::{Context, DataType, Tensor as Handle};
use dlbacktrace_core::{DType, Error, Result, Tensor as _};
use ndarray::ArrayD;
use std::sync::Arc;

/// The core's element type for one of TensorFlow.
pub(crate) fn dtype(data_type: DataType) -> DType {
    match data_type {
        DataType::HALF => DType::F16,
        DataType::BFLOAT16 => DType::BF16,
        DataType::FLOAT => DType::F32,
        DataType::DOUBLE => DType::F64,
        DataType::UINT8 | DataType::UINT16 | DataType::UINT32 | DataType::UINT64 => DType::Int,
        DataType::INT8 | DataType::INT16 | DataType::INT32 | DataType::INT64 => DType::Int,
        DataType::BOOL => DType::Bool,
        _ => DType::Other,
    }
}

pub(super) fn data_type(dtype: DType) -> Option<DataType> {
    match dtype {
        DType::F16 => Some(DataType::HALF),
        DType::BF16 => Some(DataType::BFLOAT16),
        DType::F32 => Some(DataType::FLOAT),
        DType::F64 => Some(DataType::DOUBLE),
        DType::Int => Some(DataType::INT64),
        DType::Bool => Some(DataType::BOOL),
        _ => None,
    }
}

/// The real part (0) or the imaginary part (1) of complex numbers.
pub(crate) fn part(tensor: &Handle, index: usize) -> Result<Handle> {
    let name = "parts of complex numbers";
    let to = tensor.data_type().part();
    let to = to.ok_or_else(|| Error::tensor(name, format!("{} has none", tensor.data_type())))?;
    let operator = if index == 0 { c"Real" } else { c"Imag" };
    run(name, operator, &one_type(c"Tout", to), tensor.clone(), &[])
}

/// Complex numbers as their parts, along one more axis.
pub(crate) fn parts(tensor: &Handle) -> Result<TfTensor> {
    let parts = [part(tensor, 0)?, part(tensor, 1)?].map(|part| {
        let part = TfTensor::from(part);
        part.reshape(&[part.extents(), &[1]].concat())
    });
    let [real, imaginary] = parts;
    let (real, imaginary) = (real?, imaginary?);
    let axis = real.extents().len() - 1;
    TfTensor::concat(&[real, imaginary], axis)
}

/// Extents, axes or indices for an operator, in the context of another tensor that it takes.
pub(super) fn numbers(operation: &'static str, beside: &Handle, numbers: &[usize]) -> Result<Handle> {
    let bytes: Vec<u8> = numbers.iter().flat_map(|&number| (number as i64).to_ne_bytes()).collect();
    let made = beside.context().tensor(DataType::INT64, &[numbers.len()], &bytes);
    made.map_err(failed(operation))
}

/// Doubles, converted to another element type.
pub(super) fn doubles(
    operation: &'static str,
    context: &Arc<Context>,
    data_type: DataType,
    shape: &[usize],
    values: impl Iterator<Item = f64>,
) -> Result<Handle> {
    let made = if data_type == DataType::FLOAT {
        let bytes: Vec<u8> = values.flat_map(|value| (value as f32).to_ne_bytes()).collect();
        context.tensor(data_type, shape, &bytes)
    } else {
        let bytes: Vec<u8> = values.flat_map(f64::to_ne_bytes).collect();
        context.tensor(DataType::DOUBLE, shape, &bytes).and_then(|tensor| tensor.cast(data_type))
    };
    made.map_err(failed(operation))
}

/// A single number, to be combined with the elements of `beside`.
pub(super) fn scalar(operation: &'static str, beside: &Handle, value: f64) -> Result<Handle> {
    doubles(operation, beside.context(), beside.data_type(), &[], std::iter::once(value))
}

/// The same elements under another shape.
pub(super) fn reshaped(operation: &'static str, tensor: Handle, shape: &[usize]) -> Result<Handle> {
    let shape = numbers(operation, &tensor, shape)?;
    run(operation, c"Reshape", &Attributes::default(), tensor, &[&shape])
}

/// Copies the elements of a tensor in row-major order.
pub(super) fn read<T, const BYTES: usize>(
    tensor: &TfTensor,
    data_type: DataType,
    element: fn([u8; BYTES]) -> T,
) -> Result<ArrayD<T>> {
    let name = "to_array";
    let bytes =
        tensor.to_tensor()?.cast(data_type).and_then(|tensor| tensor.bytes()).map_err(failed(name))?;
    let (cells, _) = bytes.as_chunks::<BYTES>();
    let values = cells.iter().map(|&cell| element(cell)).collect();
    ArrayD::from_shape_vec(tensor.extents(), values).map_err(|error| Error::tensor(name, error))
}
