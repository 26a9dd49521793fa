//! The rules against the authors' vectors, on the ndarray oracle and on libtorch.

use dlbacktrace::core::array::Array;
use dlbacktrace::torch::TorchTensor;
use testkit::vectors::check;

#[test]
fn the_oracle_holds_to_1e_9() {
    check(1e-9, Array::<f64>::new);
}

#[test]
fn libtorch_holds_to_1e_5() {
    check(1e-5, |array| {
        let shape: Vec<i64> = array.shape().iter().map(|&extent| extent as i64).collect();
        let values: Vec<f64> = array.iter().copied().collect();
        TorchTensor::from(tch::Tensor::from_slice(&values).reshape(shape).to_kind(tch::Kind::Float))
    });
}
