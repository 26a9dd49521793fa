//! TensorFlow's tensors held to the oracle: every operation of the tensor trait, every operator of the core.

#[path = "../../core/tests/common/mod.rs"]
mod cases;
mod common;

use cases::suite::{Backend, suite};
use dlbacktrace_core::{DType, Tensor};
use dlbacktrace_tensorflow::{Context, DataType, TfTensor};

fn single() -> TfTensor {
    let context = Context::new(common::library(), Some(1)).unwrap();
    context.tensor(DataType::FLOAT, &[], &[0; 4]).unwrap().into()
}

fn tensorflow_single() -> Backend<TfTensor> {
    Backend { like: single(), of_operations: 1e-5, of_rules: 1e-4 }
}

fn tensorflow_double() -> Backend<TfTensor> {
    Backend { like: single().cast(DType::F64).unwrap(), of_operations: 1e-9, of_rules: 1e-9 }
}

suite!(tensorflow_single, tensorflow_double);
