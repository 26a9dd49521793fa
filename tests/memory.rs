//! Explanations in a loop leave no memory behind. The test has a file of its own, so its process runs nothing else.
#![cfg(target_os = "linux")]

use dlbacktrace::{Inputs, Mode, Model, Options, Progress};
use std::cell::Cell;
use std::ops::ControlFlow;
use tch::{Device, Kind, Tensor};
use testkit::memory::resident;
use testkit_torch::fixtures::{inputs, load};

#[test]
fn two_hundred_explanations_leave_memory_flat() {
    let (fixture, model) = load("cnn_traced");
    stays_flat(&model, &|| inputs(&fixture));
    // Texts of many lengths.
    let model = Model::load("tests/models/mixtral.pt").unwrap();
    let length = Cell::new(0);
    stays_flat(&model, &|| {
        length.set(length.get() % 30 + 1);
        let ids = Tensor::full([1, length.get()], 5, (Kind::Int64, Device::Cpu));
        Inputs::new().push(ids.shallow_clone()).push(ids.ones_like())
    });
}

fn stays_flat(model: &Model, inputs: &dyn Fn() -> Inputs) {
    let explain = |round: usize| {
        let mode = if round.is_multiple_of(2) { Mode::Default } else { Mode::Contrastive };
        let options = Options::new().mode(mode).all_values(round.is_multiple_of(3));
        model.explain(&inputs(), &options).unwrap()
    };
    (0..40).for_each(|round| drop(explain(round)));
    // Some are cancelled, at each of the first operators.
    let cancel = |round: usize| {
        let options = Options::new().progress(move |at| match at {
            Progress::Running { operators } if operators == round % 8 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        });
        model.explain(&inputs(), &options).unwrap_err();
    };
    (0..40).for_each(cancel);
    let before = resident();
    (0..200).for_each(cancel);
    (0..200).for_each(|round| drop(explain(round)));
    let growth = resident().saturating_sub(before);
    assert!(growth < 5 << 20, "200 explanations of a small network left {growth} bytes behind");
}
