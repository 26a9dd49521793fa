//! Backends against the oracle, `ndarray` in double precision: every operation of the tensor trait, every operator in
//! both modes and under every gate. One tensor stands for its backend.

use dlbacktrace::core::array::Array;
use dlbacktrace::torch::TorchTensor;
use ndarray::arr0;
use tch::Kind;
use testkit::suite::Backend;

fn torch_double() -> Backend<TorchTensor> {
    let like = tch::Tensor::from(0.0_f64).to_kind(Kind::Double).into();
    Backend { like, of_operations: 1e-9, of_rules: 1e-9 }
}

fn torch_single() -> Backend<TorchTensor> {
    let like = tch::Tensor::from(0.0_f64).to_kind(Kind::Float).into();
    Backend { like, of_operations: 1e-5, of_rules: 1e-4 }
}

fn ndarray_single() -> Backend<Array<f32>> {
    Backend { like: Array::new(arr0(0.0).into_dyn()), of_operations: 1e-5, of_rules: 1e-4 }
}

testkit::suite!(torch_double, torch_single, ndarray_single);
