//! One network with the same weights in both frameworks: relevance is the same.
#![cfg(all(feature = "torch", feature = "tensorflow"))]

use dlbacktrace::rules::{Bounds, PRESETS, RuleSet};
use dlbacktrace::{Explanation, Inputs, Mode, Model, Options, Target, Value, Versus};
use ndarray::{ArrayD, Axis};
use serde::Deserialize;
use std::fs;
use tch::{Kind, Tensor};

const FOLDER: &str = "tests/twins";

#[derive(Deserialize)]
struct Index {
    twins: Vec<Twin>,
}

#[derive(Deserialize)]
struct Twin {
    name: String,
    /// The input's name in the signature.
    input: String,
    /// The order that makes TensorFlow's axes libtorch's; absent if they are the same.
    axes: Option<Vec<usize>>,
}

impl Twin {
    fn stored(&self, key: &str) -> Tensor {
        let file = format!("{FOLDER}/{}/inputs.safetensors", self.name);
        let tensors = Tensor::read_safetensors(file).unwrap();
        tensors.into_iter().find(|(name, _)| name == key).unwrap_or_else(|| panic!("no {key}")).1
    }

    fn explained(&self, torch: bool, options: &Options) -> Explanation {
        self.tried(torch, options).unwrap()
    }

    fn tried(&self, torch: bool, options: &Options) -> dlbacktrace::Result<Explanation> {
        let (model, inputs) = self.loaded(torch);
        model.explain(&inputs, options)
    }

    fn loaded(&self, torch: bool) -> (Model, Inputs) {
        let (file, key) =
            if torch { ("model.pt", "torch:input") } else { ("saved_model", "tensorflow:input") };
        let model = Model::load(format!("{FOLDER}/{}/{file}", self.name)).unwrap();
        let input = value(&self.stored(key));
        let inputs = if torch { Inputs::new().push(input) } else { Inputs::new().set(&self.input, input) };
        (model, inputs)
    }

    fn relevance(&self, torch: bool, options: &Options) -> ArrayD<f64> {
        self.explained(torch, options).inputs()[0].relevance().unwrap()
    }

    /// An array of TensorFlow in libtorch's order of axes.
    fn turned(&self, array: ArrayD<f64>) -> ArrayD<f64> {
        match &self.axes {
            Some(axes) if axes.len() == array.ndim() => array.permuted_axes(axes.clone()),
            _ => array,
        }
    }
}

fn value(tensor: &Tensor) -> Value {
    let shape: Vec<usize> = tensor.size().into_iter().map(|extent| extent as usize).collect();
    let flat = tensor.flatten(0, -1);
    if tensor.kind() == Kind::Float {
        let numbers: Vec<f32> = flat.try_into().unwrap();
        ArrayD::from_shape_vec(shape, numbers).unwrap().into()
    } else {
        let tokens: Vec<i64> = flat.to_kind(Kind::Int64).try_into().unwrap();
        ArrayD::from_shape_vec(shape, tokens).unwrap().into()
    }
}

fn gap(a: &ArrayD<f64>, b: &ArrayD<f64>) -> f64 {
    assert_eq!(a.shape(), b.shape());
    let scale = a.iter().fold(1e-6_f64, |scale, value| scale.max(value.abs()));
    (a - b).iter().fold(0.0_f64, |gap, value| gap.max(value.abs())) / scale
}

fn twins() -> Vec<Twin> {
    let index = fs::read_to_string(format!("{FOLDER}/index.json")).unwrap();
    serde_json::from_str::<Index>(&index).unwrap().twins
}

/// Recurrent layers, attention and dropout too, since nothing in the twins draws random numbers.
#[test]
fn every_operator_of_the_twins_is_run_again() {
    for twin in &twins() {
        let (model, inputs) = twin.loaded(true);
        let replay = model.verify(&inputs, &Options::new()).unwrap().replay;
        assert!(replay.checked > 0 && replay.skipped == 0, "{}: {replay:?}", twin.name);
    }
}

#[test]
fn twins_agree() {
    let twins = twins();
    assert!(twins.len() >= 5);
    for twin in &twins {
        for mode in [Mode::Default, Mode::Contrastive] {
            let options = Options::new().mode(mode);
            let (torch, tensorflow) = (twin.explained(true, &options), twin.explained(false, &options));
            for explanation in [&torch, &tensorflow] {
                assert_eq!(explanation.coverage(), 1.0, "{}", twin.name);
                assert!(explanation.ledger().closes(), "{}", twin.name);
            }
            let (a, b) = (&torch.inputs()[0], &tensorflow.inputs()[0]);
            let found = gap(&a.relevance().unwrap(), &twin.turned(b.relevance().unwrap()));
            assert!(found <= 1e-4, "{} differs by {found:e} in {mode:?} mode", twin.name);
            if let (Some(a), Some(b)) = (a.negative().unwrap(), b.negative().unwrap()) {
                let found = gap(&a, &twin.turned(b));
                assert!(found <= 1e-4, "{} differs by {found:e} in the negative channel", twin.name);
            }
        }
    }
}

/// The relevance of each sample, weighted by a number of its own.
fn weighted(relevance: ArrayD<f64>, weights: &[f64]) -> ArrayD<f64> {
    let mut relevance = relevance;
    for (mut sample, weight) in relevance.axis_iter_mut(Axis(0)).zip(weights) {
        sample.mapv_inplace(|value| value * weight);
    }
    relevance
}

/// The weights of the units other than `k`, sample by sample: their probabilities, or the softmax of their scores.
fn weights_without(output: &ArrayD<f64>, k: usize, probabilities: bool) -> Vec<Vec<f64>> {
    let part = |score: f64| if probabilities { score } else { score.exp() };
    let of = |sample: ndarray::ArrayViewD<'_, f64>| -> Vec<f64> {
        let parts: Vec<f64> = sample
            .iter()
            .enumerate()
            .map(|(unit, score)| if unit == k { 0.0 } else { part(*score) })
            .collect();
        let sum: f64 = parts.iter().sum();
        parts.iter().map(|part| part / sum).collect()
    };
    output.axis_iter(Axis(0)).map(of).collect()
}

/// The walk is linear in its start: the derivative of a difference is the difference of the derivatives, and by DLBacktrace's own
/// rules the walk from a difference is the difference of walks that start with 1.
#[test]
fn a_difference_is_explained_by_the_difference_of_explanations() {
    let twins = twins();
    for (name, rules) in [
        ("mlp", "gradient"),
        ("cnn", "gradient"),
        ("lstm", "gradient"),
        ("mlp", "backtrace"),
        ("causal", "backtrace"),
    ] {
        let twin = twins.iter().find(|twin| twin.name == name).unwrap();
        for torch in [true, false] {
            let what = format!("{name} by {rules}, libtorch: {torch}");
            let options = |unit: usize| {
                Options::new().rules(RuleSet::named(rules).unwrap()).target(Target::Class(unit)).scaler(1.0)
            };
            let first = twin.explained(torch, &options(1));
            let output = first.output();
            let units = output.len() / output.shape()[0];
            let alone: Vec<ArrayD<f64>> =
                (0..units).map(|unit| twin.relevance(torch, &options(unit))).collect();
            let plain = Options::new().rules(RuleSet::named(rules).unwrap()).target(Target::Class(1));

            let found = twin.explained(torch, &plain.clone().versus(Versus::Unit(0)));
            let apart = gap(&found.inputs()[0].relevance().unwrap(), &(&alone[1] - &alone[0]));
            assert!(apart <= 1e-4, "{what}: {apart:e}");
            assert_eq!(found.versus(), Some(Versus::Unit(0)));
            assert!(found.ledger().closes() && found.start_amount().is_zero(), "{what}");
            assert!(
                !found.warnings().iter().any(|line| line.contains("is 0")),
                "{what}: {:?}",
                found.warnings()
            );

            let probabilities = name == "mlp";
            let weights = weights_without(&output, 1, probabilities);
            let others = (0..units).filter(|unit| *unit != 1).map(|unit| {
                let weights: Vec<f64> = weights.iter().map(|weights| weights[unit]).collect();
                weighted(alone[unit].clone(), &weights)
            });
            let expected = others.fold(alone[1].clone(), |difference, other| difference - other);
            let found = twin.explained(torch, &plain.clone().versus(Versus::Others));
            let apart = gap(&found.inputs()[0].relevance().unwrap(), &expected);
            assert!(apart <= 1e-4 && found.ledger().closes(), "{what}: {apart:e}");
            let taken = if probabilities { "taken for probabilities" } else { "taken for logits" };
            let said = found.assumed().iter().any(|line| line.contains(taken));
            assert_eq!(said, units > 2, "{what}: {:?}", found.assumed());
        }
    }
}

/// Twins that differ by sets, and why.
const APART: [(&str, &str); 2] = [
    // TensorFlow puts the zeros around a dilated convolution's operand by a step of its own, so that they are cells of the operand, which
    // these rules count whatever their numbers. In libtorch they are a part of the convolution.
    ("dilated", "epsilon-plus-flat"),
    ("dilated", "epsilon-gamma-box"),
];

/// By every rule set, or by neither, with an error that names the operator.
#[test]
fn twins_agree_in_every_rule_set() {
    let mut wrong = String::new();
    for twin in &twins() {
        for preset in PRESETS.iter().filter(|preset| !APART.contains(&(&twin.name, preset.name))) {
            let options = Options::new().rules(preset.rules().bounded(&Bounds::of_operand(-1e5, 1e5)));
            let name = format!("{} by {}", twin.name, preset.name);
            match [true, false].map(|torch| twin.tried(torch, &options)) {
                [Ok(torch), Ok(tensorflow)] => {
                    let [a, b] = [&torch, &tensorflow].map(|of| of.inputs()[0].relevance().unwrap());
                    let found = gap(&a, &twin.turned(b));
                    if found.is_nan() || found > 1e-4 {
                        wrong += &format!("\n{name}: {found:.1e}");
                    }
                }
                [Err(a), Err(b)] => {
                    let refused = |error: &dlbacktrace::Error| error.to_string().contains("has no rule");
                    assert!(refused(&a) && refused(&b), "{name}: {a}; {b}");
                }
                [a, b] => wrong += &format!("\n{name}: {:?}, {:?}", a.err(), b.err()),
            }
        }
    }
    assert!(wrong.is_empty(), "twins differ, relative to the largest:{wrong}");
}
