//! Operators called by name.

use dlbacktrace_torch_recorder::{Error, Input, call_operator};
use tch::Tensor;
use testkit_torch::recordings::{FLOAT, rows};

#[test]
fn an_operator_takes_lists_and_defaults() {
    let x = Tensor::arange(4, FLOAT);
    let rolled =
        call_operator("aten::roll", "", vec![Input::Tensor(x), Input::List(vec![Input::Int(1)])]).unwrap();
    assert_eq!(rows(&rolled[0]), [3.0, 0.0, 1.0, 2.0]);
}

#[test]
fn a_list_of_results_is_flattened() {
    let x = Tensor::arange(4, FLOAT);
    let parts = call_operator("aten::chunk", "", vec![Input::Tensor(x), Input::Int(2)]).unwrap();
    assert_eq!(parts.iter().map(rows).collect::<Vec<_>>(), [[0.0, 1.0], [2.0, 3.0]]);
}

#[test]
fn tensors_are_shared_with_the_operator() {
    let x = Tensor::zeros([2], FLOAT);
    call_operator("aten::fill_", "Scalar", vec![Input::Tensor(x.shallow_clone()), Input::Float(2.0)])
        .unwrap();
    assert_eq!(rows(&x), [2.0, 2.0]);
}

#[test]
fn what_does_not_fit_is_an_error_that_names_the_operator() {
    for (name, inputs) in
        [("aten::no_such_operator", vec![]), ("aten::roll", vec![]), ("aten::roll", vec![Input::Int(1)])]
    {
        let error = call_operator(name, "", inputs).unwrap_err();
        assert!(matches!(error, Error::Call { .. }) && error.to_string().contains(name), "{error}");
    }
}
