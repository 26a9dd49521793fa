//! Models that draw random numbers, or run in training mode: they are named, and a seed makes them repeat.

use dlbacktrace::{Chance, Error, Model, Options};
use std::sync::{Mutex, MutexGuard, PoisonError};
use testkit_torch::fixtures::{Fixture, fixture, fixtures, inputs, load, same_bits};

/// The process has one generator, so tests take turns.
static GENERATOR: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    GENERATOR.lock().unwrap_or_else(PoisonError::into_inner)
}

fn random() -> Vec<(Fixture, Model)> {
    let random: Vec<Fixture> = fixtures().into_iter().filter(|fixture| fixture.expect == "random").collect();
    assert!(random.len() >= 4);
    random.iter().map(|fixture| load(&fixture.name)).collect()
}

#[test]
fn what_draws_is_named_wherever_it_matters() {
    let _turn = turn();
    for (fixture, model) in random() {
        let (name, inputs) = (&fixture.name, fixture.inputs(&fixture.tensors()));
        let explanation = model.explain(&inputs, &Options::new()).unwrap();
        let drawn = explanation.random().iter().find(|found| found.chance == Chance::Drawn).unwrap();
        let warning = explanation.warnings().iter().find(|text| text.contains("random numbers")).unwrap();
        assert!(warning.contains(&drawn.operator) && warning.contains("--random-seed"), "{name}: {warning}");
        assert!(explanation.ledger().closes(), "{name}");
        assert_eq!(explanation.target().map(<[usize]>::len), Some(2), "{name}: one unit for each sample");

        let found = model.inspect().unwrap().random;
        assert!(found.iter().any(|found| found.chance == Chance::Drawn), "{name}: {found:?}");
        let verification = model.verify(&inputs, &Options::new()).unwrap();
        assert!(!verification.holds() && verification.replay.failed.is_empty(), "{name}");
        assert_eq!(verification.random, explanation.random(), "{name}");
    }
}

#[test]
fn a_model_saved_in_training_mode_is_told_to_run_in_evaluation_mode() {
    let told = |name: &str| {
        let (fixture, model) = load(name);
        let explanation = model.explain(&inputs(&fixture), &Options::new()).unwrap();
        explanation.assumed().iter().any(|text| text.contains("saved in training mode"))
    };
    assert!(told("left_training"));
    assert!(!told("mlp_scripted"));
}

#[test]
fn a_seed_makes_runs_repeat_and_leaves_the_generator_alone() {
    let _turn = turn();
    for (fixture, model) in random() {
        let (name, inputs) = (&fixture.name, fixture.inputs(&fixture.tensors()));
        let explain = |seed| model.explain(&inputs, &Options::new().random_seed(seed)).unwrap();
        tch::manual_seed(5);
        let expected = tch::Tensor::rand([4], (tch::Kind::Float, tch::Device::Cpu));
        tch::manual_seed(5);
        let first = explain(7);
        assert!(expected.equal(&tch::Tensor::rand([4], (tch::Kind::Float, tch::Device::Cpu))), "{name}");
        assert!(same_bits(&first, &explain(7)), "{name}");
        assert!((1..5).any(|other| !same_bits(&first, &explain(other))), "{name}: another seed gives others");
        assert!(first.warnings().iter().any(|text| text.contains("random seed 7")), "{name}");
        let verification = model.verify(&inputs, &Options::new().random_seed(7)).unwrap();
        assert!(verification.holds() && !verification.random.is_empty(), "{name}: {verification:?}");
    }
}

#[test]
fn modules_are_named_by_their_path() {
    let (_, model) = load("random_dropout");
    let found: Vec<_> = model.inspect().unwrap().random.iter().map(ToString::to_string).collect();
    assert_eq!(found, ["aten::batch_norm in 1 (BatchNorm1d)", "aten::dropout in 3 (Dropout)"]);
    let (_, model) = load("random_noise");
    let found: Vec<_> = model.inspect().unwrap().random.iter().map(|found| found.operator.clone()).collect();
    assert_eq!(found, ["aten::randn_like", "aten::dropout", "aten::bernoulli", "aten::rand"]);
}

/// Dropout in evaluation mode and norms that use what they learned draw nothing.
#[test]
fn a_model_in_evaluation_mode_gives_nothing_by_chance() {
    let _turn = turn();
    for name in ["dropout", "cnn_traced", "encoder_layer"] {
        let (fixture, model) = load(name);
        let inputs = fixture.inputs(&fixture.tensors());
        assert!(model.inspect().unwrap().random.is_empty(), "{name}");
        let verification = model.verify(&inputs, &Options::new()).unwrap();
        assert!(verification.holds() && verification.random.is_empty(), "{name}");
    }
}

#[test]
fn an_operator_of_another_library_is_named_with_what_to_do() {
    let Err(error) = Model::load(fixture("foreign_operator").path()) else { panic!("it loads") };
    let text = error.to_string();
    assert!(
        matches!(error, Error::Load(_)) && text.contains("torchvision::nms") && text.contains("--library"),
        "{text}"
    );
    assert!(text.lines().count() < 6, "{text}");
}
