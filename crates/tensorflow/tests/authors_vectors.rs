//! The rules against the authors' vectors, on TensorFlow.

use dlbacktrace_core::{DType, Tensor};
use dlbacktrace_tensorflow::{Context, DataType, TfTensor};
use testkit::saved_models::library;
use testkit::vectors::check;

fn holds(tolerance: f64, dtype: DType) {
    let context = Context::new(library(), Some(1)).unwrap();
    let single = TfTensor::from(context.tensor(DataType::FLOAT, &[], &[0; 4]).unwrap());
    let like = single.cast(dtype).unwrap();
    check(tolerance, |array| like.floats(array.view()).unwrap());
}

#[test]
fn single_precision_holds_to_1e_5() {
    holds(1e-5, DType::F32);
}

#[test]
fn double_precision_holds_to_1e_9() {
    holds(1e-9, DType::F64);
}
