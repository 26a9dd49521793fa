//! What holds for every explanation, on whole models: batches, threads, state, starts, gates, causality, precision.

use dlbacktrace::rules::{Bounds, PRESETS};
use dlbacktrace::{Amount, Explanation, Inputs, Mode, Model, Options, Target};
use ndarray::{ArrayD, Axis, Slice};
use std::collections::BTreeMap;
use std::thread;
use tch::{Kind, Tensor};
use testkit_torch::fixtures::{Fixture, Input, channels, explain, fixtures, inputs, load};

const MODES: [Mode; 2] = [Mode::Default, Mode::Contrastive];

/// The fixtures that the default options explain.
fn explained() -> impl Iterator<Item = (Fixture, Model)> {
    let usual =
        |fixture: &Fixture| fixture.expect == "explained" && fixture.common && fixture.name != "image_bytes";
    fixtures().into_iter().filter(usual).map(|fixture| {
        let model = Model::load(fixture.path()).unwrap();
        (fixture, model)
    })
}

/// Models whose first axis counts samples that do not depend on each other.
const BATCHED: &[&str] = &[
    "mlp_traced",
    "mlp_binary",
    "mlp_swish",
    "mlp_saturated",
    "cnn_traced",
    "two_inputs",
    "resnet_basic",
    "resnet_bottleneck",
    "unet_transposed",
    "unet_bilinear",
    "mobilenet_block",
    "densenet_block",
    "inception_block",
    "convnext_block",
    "attention_causal_written",
    "attention_causal_sdpa",
    "attention_grouped_sdpa",
    "multihead",
    "encoder_layer",
    "encoder_two_layers",
    "tabular_wide",
    "embedding",
    "arithmetic_sums",
    "pair_layer_norm_written",
    "pair_batch_norm_written",
    "lstm_deep",
    "gru_deep",
    "rnn_tanh_deep",
    "lstm_encoder_decoder",
];

/// Three samples: a fixture's first and last, and one made from them.
fn three(fixture: &Fixture) -> Vec<Tensor> {
    let tensors = fixture.tensors();
    let rows = |input: &Input| {
        let given = &tensors[input.key().unwrap()];
        let (first, last) = (given.narrow(0, 0, 1), given.narrow(0, -1, 1));
        let third = if given.is_floating_point() { &first * 0.5 - &last } else { last.flip([-1]) };
        Tensor::cat(&[first, last, third], 0)
    };
    fixture.inputs.iter().map(rows).collect()
}

/// Both modes of the default rules, and all other sets, each with the largest gap that rounding makes relative to the largest share. Sets
/// that divide by sums of both signs enlarge it where a sum is small.
fn settings() -> Vec<(String, Options, f64)> {
    let modes = MODES.map(|mode| (format!("{mode:?}"), Options::new().mode(mode), 1e-5));
    let sets = PRESETS.iter().map(|preset| preset.rules().bounded(&Bounds::of_operand(-1e3, 1e3)));
    let sets = sets.filter(|rules| !rules.is_backtrace());
    modes
        .into_iter()
        .chain(sets.map(|rules| (rules.name.clone(), Options::new().rules(rules), 1e-3)))
        .collect()
}

#[test]
fn a_batch_is_its_samples() {
    let (mut problems, settings) = (Vec::new(), settings());
    for name in BATCHED {
        let (fixture, model) = load(name);
        let given = three(&fixture);
        let of = |rows: &dyn Fn(&Tensor) -> Tensor| {
            given.iter().fold(Inputs::new(), |inputs, tensor| inputs.push(rows(tensor)))
        };
        for (setting, options, tolerance) in &settings {
            let together = channels(&model.explain(&of(&Tensor::shallow_clone), options).unwrap());
            for sample in 0..3 {
                let alone = model.explain(&of(&|tensor| tensor.narrow(0, sample, 1)), options).unwrap();
                for (together, alone) in together.iter().zip(channels(&alone)) {
                    let scale = together.abs().max();
                    let gap = (together.narrow(0, sample, 1) - &alone).abs().max() / scale.clamp_min(1e-30);
                    let gap = gap.double_value(&[]);
                    if gap.is_nan() || gap > *tolerance {
                        problems.push(format!("{name}, sample {sample}, {setting}: off by {gap}"));
                    }
                }
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn threads_do_not_disturb_each_other() {
    let names = ["resnet_basic", "encoder_layer", "stateful", "inplace_select", "mlp_saturated", "fork_wait"];
    let models: Vec<(Fixture, Model)> = names.iter().map(|name| load(name)).collect();
    let explain = |(fixture, model): &(Fixture, Model)| {
        let options = Options::new().target(Target::AllOutputs).all_values(true);
        let explanation = model.explain(&inputs(fixture), &options).unwrap();
        let read = |input: &dlbacktrace::InputRelevance| input.relevance().unwrap();
        explanation.inputs().iter().map(read).collect::<Vec<ArrayD<f64>>>()
    };
    let alone: Vec<_> = models.iter().map(explain).collect();
    thread::scope(|scope| {
        for shift in 0..2 {
            let (models, alone) = (&models, &alone);
            scope.spawn(move || {
                for round in 0..18 {
                    let index = (round + 3 * shift) % models.len();
                    assert_eq!(explain(&models[index]), alone[index], "{}", names[index]);
                }
            });
        }
    });
}

#[test]
fn models_are_the_same_afterwards() {
    use dlbacktrace::core::explain::Options;
    use dlbacktrace_torch as torch;
    let mut checked = 0;
    for (fixture, _) in explained() {
        let model = torch::Model::load(fixture.path()).unwrap();
        let tensors = fixture.tensors();
        let Some(keys) = fixture.inputs.iter().map(Input::key).collect::<Option<Vec<_>>>() else {
            continue;
        };
        let given = || {
            torch::Inputs::new(
                keys.iter().map(|&key| torch::Input::Tensor(tensors[key].copy())).collect::<Vec<_>>(),
            )
        };
        let forward = || model.forward(&given()).unwrap();
        let before = forward();
        let shared = torch::Inputs::new(
            keys.iter().map(|&key| torch::Input::Tensor(tensors[key].shallow_clone())).collect::<Vec<_>>(),
        );
        let copies: Vec<Tensor> = keys.iter().map(|&key| tensors[key].copy()).collect();
        // Another test checks whether the model can be explained.
        let _ = model.explain(&shared, &Options { all_values: true, ..Default::default() });
        for ((name, before), (_, after)) in before.iter().zip(forward()) {
            assert!(before.equal(&after), "{}: {name} differs afterwards", fixture.name);
        }
        for (key, copy) in keys.iter().zip(&copies) {
            assert!(tensors[*key].equal(copy), "{}: the input {key} was changed", fixture.name);
        }
        checked += 1;
    }
    assert!(checked > 150);
}

/// The sum of a value's relevance in each channel, and the sum of its magnitudes.
fn totals(values: &dlbacktrace::ValueRelevance) -> (Amount, f64) {
    let (first, second) = (values.relevance().unwrap(), values.negative().unwrap());
    let sum = |channel: &ArrayD<f64>, f: fn(f64) -> f64| channel.iter().map(|&r| f(r)).sum::<f64>();
    let negative = second.as_ref();
    let amount = Amount::new(sum(&first, |r| r), negative.map_or(0.0, |channel| sum(channel, |r| r)));
    (amount, sum(&first, f64::abs) + negative.map_or(0.0, |channel| sum(channel, f64::abs)))
}

#[test]
fn the_ledger_is_the_relevance_of_the_values() {
    let mut checked = 0;
    for (fixture, model) in explained() {
        for mode in MODES {
            let options = Options::new().mode(mode).all_values(true);
            let Ok(explanation) = model.explain(&inputs(&fixture), &options) else { continue };
            let place = format!("{} in {mode:?} mode", fixture.name);
            // Each step received what its values hold.
            let mut held: BTreeMap<usize, (Amount, f64)> = BTreeMap::new();
            for value in explanation.values() {
                let (amount, gross) = totals(value);
                let so_far = held.entry(value.step).or_default();
                *so_far = (so_far.0 + amount, so_far.1 + gross);
            }
            assert_eq!(held.len(), explanation.ledger().entries.len(), "{place}");
            let mut largest = explanation.start_amount().magnitude();
            for entry in &explanation.ledger().entries {
                let (amount, gross) = held[&entry.place.step];
                let gap = (amount - entry.received).magnitude();
                assert!(
                    gap <= 1e-4 * gross.max(1e-12),
                    "{place}: {} received {:?}",
                    entry.operator,
                    entry.received
                );
                largest = largest.max(gross);
            }
            // All that started or was handed on arrived at a step or an input.
            let entries = &explanation.ledger().entries;
            let sent = explanation.start_amount() + entries.iter().map(|entry| entry.delivered).sum();
            let received: Amount = entries.iter().map(|entry| entry.received).sum();
            let arrived = received + explanation.inputs().iter().map(|input| input.amount()).sum();
            let gap = (sent - arrived).magnitude();
            assert!(
                gap <= 1e-4 * largest * entries.len() as f64,
                "{place}: sent {sent:?}, arrived {arrived:?}"
            );
            checked += 1;
        }
    }
    assert!(checked > 350, "{checked}");
}

#[test]
fn the_future_receives_exactly_nothing() {
    for name in [
        "attention_causal_written",
        "attention_causal_sdpa",
        "attention_grouped_written",
        "attention_grouped_sdpa",
    ] {
        let (fixture, model) = load(name);
        let tokens = 5;
        for position in 0..tokens {
            // Starts with what the attention returns at one position.
            let mut start = ArrayD::zeros(vec![2, tokens, 8]);
            start.slice_axis_mut(Axis(1), Slice::from(position..=position)).fill(1.0);
            for mode in MODES {
                let options =
                    Options::new().mode(mode).start_at("out", start.clone()).negative_start(&start * 0.5);
                let explanation = model.explain(&inputs(&fixture), &options).unwrap();
                let input = &explanation.inputs()[0];
                for channel in
                    [Some(input.relevance().unwrap()), input.negative().unwrap()].into_iter().flatten()
                {
                    assert_eq!(channel.shape()[1], tokens);
                    let future = channel.slice_axis(Axis(1), Slice::from(position + 1..));
                    assert!(
                        future.iter().all(|&r| r == 0.0),
                        "{name}, position {position}, {mode:?}: {future}"
                    );
                    let past = channel.slice_axis(Axis(1), Slice::from(..=position));
                    assert!(past.iter().any(|&r| r != 0.0), "{name}, position {position}, {mode:?}");
                }
            }
        }
    }
}

#[test]
fn half_precision_is_explained_in_single() {
    let twins = [
        ("mlp_f16", "mlp_traced", 0.002),
        ("mlp_bf16", "mlp_traced", 0.02),
        ("cnn_f16", "cnn_traced", 0.02),
        ("cnn_bf16", "cnn_traced", 0.1),
    ];
    for (half, single, tolerance) in twins {
        let start = ArrayD::from_shape_fn(vec![2, 3], |at| 1.0 + at[1] as f64);
        let options = Options::new().start(start);
        let (of_half, of_single) = (explain(half, &options), explain(single, &options));
        let (found, expected) = (channels(&of_half).remove(0), channels(&of_single).remove(0));
        assert_eq!(found.kind(), Kind::Float, "{half}");
        // Rounding may give a pooling window another winner, so single cells may differ: only their sum counts.
        let gap = (&found - &expected).abs().sum(Kind::Double) / expected.abs().sum(Kind::Double);
        assert!(gap.double_value(&[]) <= tolerance, "{half} is off by {gap:?}");
        let says = |explanation: &Explanation| {
            explanation.warnings().iter().any(|text| text.contains("half precision"))
        };
        assert!(says(&of_half), "{half}: {:?}", of_half.warnings());
        assert!(!says(&of_single), "{single}: {:?}", of_single.warnings());
    }
    let double = explain("mlp_f64", &Options::new());
    assert_eq!(double.inputs()[0].tensor().unwrap().kind(), Kind::Double);
    assert!(double.warnings().is_empty());
    // Reading the relevance gives every digit that was computed.
    let input = &double.inputs()[0];
    assert_eq!(input.precision(), dlbacktrace::core::DType::F64);
    let read: Vec<f64> = input.relevance().unwrap().into_iter().collect();
    assert_eq!(read, Vec::<f64>::try_from(input.tensor().unwrap().flatten(0, -1)).unwrap());
    assert!(read.iter().any(|&relevance| f64::from(relevance as f32) != relevance));
}
