//! What the tests of single operators share: calls by name, and the rules by way of the operators' matrices.

use dlbacktrace_core::Tensor as _;
use dlbacktrace_core::explain::{Options, OwnStart};
use dlbacktrace_core::start::StartOptions;
use dlbacktrace_core::{Amount, Mode};
use dlbacktrace_torch::{Computation, Error, Input, TorchTensor, explain_computation};
use dlbacktrace_torch_recorder::call_operator;
use std::sync::Arc;
use tch::{Device, Kind, Tensor};

pub const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);

/// Result `index` of an operator called by name.
pub fn result(name: &str, overload: &str, arguments: Vec<Input>, index: usize) -> Tensor {
    call_operator(name, overload, arguments).unwrap().swap_remove(index)
}

/// The first result.
pub fn call(name: &str, arguments: Vec<Input>) -> Tensor {
    result(name, "", arguments, 0)
}

pub fn tensor(tensor: &Tensor) -> Input {
    Input::Tensor(tensor.shallow_clone())
}

pub fn ints(values: &[i64]) -> Input {
    Input::List(values.iter().map(|&value| Input::Int(value)).collect())
}

pub fn text(text: &str) -> Input {
    Input::Text(text.to_owned())
}

pub fn indices(values: &[i64]) -> Tensor {
    Tensor::from_slice(values)
}

/// Numbers in (−1, 1), the same for the same seed.
pub fn numbers(shape: &[i64], seed: i64) -> Tensor {
    let count: i64 = shape.iter().product();
    let places = Tensor::arange(count, DOUBLE) + 7.31 * seed as f64;
    let scattered = (places * 12.9898).sin() * 43758.5453;
    ((&scattered - scattered.floor()) * 2.0 - 1.0).reshape(shape)
}

/// Relevance of an input, channel by channel.
pub fn explain(
    x: &Tensor,
    start: &Tensor,
    mode: Mode,
    compute: impl FnOnce() -> Tensor,
) -> Result<Vec<Tensor>, Error> {
    let array = |start: Tensor| Arc::new(TorchTensor::from(start).to_array().unwrap());
    let negative = (mode == Mode::Contrastive).then(|| array(start.flip([0]) * 0.7));
    let positive = array(start.shallow_clone());
    let options = Options {
        start: StartOptions { mode, ..Default::default() },
        own_start: Some(OwnStart { module: None, positive }),
        negative_start: negative,
        ..Default::default()
    };
    let computation = Computation { inputs: &[("x", x)], ..Default::default() };
    let explanation = explain_computation(computation, &options, compute)?;
    assert!(explanation.ledger.closes(), "{:?}", explanation.ledger);
    assert_eq!(explanation.coverage(), 1.0, "{:?}", explanation.operators);
    let relevance = &explanation.inputs[0].relevance;
    let accounted: Amount =
        explanation.ledger.losses().values().copied().sum::<Amount>() + relevance.amount().unwrap();
    assert!(
        (explanation.start - accounted).magnitude() < 1e-9,
        "{:?} is not {accounted:?}",
        explanation.start
    );
    let channels = std::iter::once(relevance.first()).chain(relevance.second());
    Ok(channels.map(|channel| channel.as_tch().shallow_clone()).collect())
}

#[track_caller]
pub fn assert_equal(found: &Tensor, expected: &Tensor, name: &str) {
    assert_eq!(found.size(), expected.size(), "{name}");
    let gap = (found - expected).abs().max().double_value(&[]);
    let scale = expected.abs().max().double_value(&[]).max(1e-3);
    assert!(gap < 1e-10 * scale, "{name}: {found} is not {expected}");
}

/// Wᵀ·y for a linear operator on a shape, from its results on the unit tensors.
fn transposed(f: &dyn Fn(&Tensor) -> Tensor, shape: &[i64], y: &Tensor) -> Tensor {
    let count: i64 = shape.iter().product();
    let units = Tensor::eye(count, DOUBLE);
    let sums: Vec<Tensor> =
        (0..count).map(|unit| (f(&units.get(unit).reshape(shape)) * y).sum(Kind::Double)).collect();
    Tensor::stack(&sums, 0).reshape(shape)
}

/// Checks r = |x| ⊙ |W|ᵀ(R ⊘ |W||x|) for a linear operator without negative weights.
#[track_caller]
pub fn check_weighted_sum(name: &str, shape: &[i64], f: &dyn Fn(&Tensor) -> Tensor) {
    let x = numbers(shape, 1);
    let gross = f(&x.abs());
    let start = numbers(&gross.size(), 2);
    let per_unit = (&start / &gross).nan_to_num(0.0, 0.0, 0.0);
    let expected = x.abs() * transposed(f, shape, &per_unit);
    let found = explain(&x, &start, Mode::Default, || f(&x)).unwrap();
    assert_equal(&found[0], &expected, name);
}

/// Checks in both modes that relevance goes where `back` sends it.
#[track_caller]
pub fn check_routing(
    name: &str,
    x: &Tensor,
    f: &dyn Fn(&Tensor) -> Tensor,
    back: &dyn Fn(&Tensor) -> Tensor,
) {
    let start = numbers(&f(x).size(), 2);
    for mode in [Mode::Default, Mode::Contrastive] {
        let found = explain(x, &start, mode, || f(x)).unwrap();
        let starts = [start.shallow_clone(), start.flip([0]) * 0.7];
        for (found, start) in found.iter().zip(&starts) {
            assert_equal(found, &back(start), name);
        }
    }
}

/// Checks that relevance moves by the adjoint.
#[track_caller]
pub fn check_movement(name: &str, shape: &[i64], f: &dyn Fn(&Tensor) -> Tensor) {
    check_routing(name, &numbers(shape, 1), f, &|start| transposed(f, shape, start));
}

/// Checks that winners share equally, as in libtorch's gradient of a twin.
#[track_caller]
pub fn check_winners(
    name: &str,
    x: &Tensor,
    f: &dyn Fn(&Tensor) -> Tensor,
    twin: &dyn Fn(&Tensor) -> Tensor,
) {
    assert_equal(&f(x), &twin(x), name);
    check_routing(name, x, f, &|start| {
        let x = x.copy().set_requires_grad(true);
        let sum = (twin(&x) * start).sum(Kind::Double);
        Tensor::run_backward(&[sum], &[&x], false, false).swap_remove(0)
    });
}
