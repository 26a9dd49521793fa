//! What the options of an explanation change, and what they leave alone.

use dlbacktrace::core::Gate;
use dlbacktrace::{Error, Explanation, Loss, Mode, Options, Target, ValueRelevance};
use ndarray::ArrayD;
use std::collections::BTreeMap;
use testkit_torch::fixtures::{agree, channels, explain, inputs, load, same_bits};

/// The relevance of values, by the step that made them.
fn by_step(explanation: &Explanation) -> BTreeMap<usize, ArrayD<f64>> {
    explanation.values().iter().map(|value| (value.step, value.relevance().unwrap())).collect()
}

#[test]
fn twice_the_start_is_twice_the_relevance() {
    for name in ["mlp_saturated", "cnn_traced", "unet_bilinear", "encoder_layer", "embedding"] {
        let plain = explain(name, &Options::new());
        let doubled = explain(name, &Options::new().multiplier(2.0));
        for (once, twice) in channels(&plain).iter().zip(channels(&doubled)) {
            assert!((once * 2.0).equal(&twice), "{name}");
        }
        // Each sample starts with the scaler instead of its own output.
        let scaled = explain(name, &Options::new().scaler(3.0));
        let (output, targets) = (plain.output(), plain.target().unwrap().to_vec());
        let own = output.outer_iter().zip(&targets).map(|(sample, &unit)| *sample.iter().nth(unit).unwrap());
        for (sample, own) in own.enumerate() {
            for (plain, scaled) in channels(&plain).iter().zip(channels(&scaled)) {
                let [plain, scaled] = [plain, &scaled].map(|channel| channel.narrow(0, sample as i64, 1));
                assert!(agree(&scaled, &(plain * (3.0 / own)), 1e-4), "{name}, sample {sample}");
            }
        }
    }
}

#[test]
fn gates_touch_only_what_is_before_them() {
    // Tanh, sigmoid and softmax each follow a linear layer. The walk meets the last layer first.
    let options = Options::new().all_values(true).target(Target::AllOutputs);
    let (on, off) =
        (explain("mlp_saturated", &options), explain("mlp_saturated", &options.clone().gates(false)));
    let last_linear =
        on.values().iter().filter(|value| value.operator == "aten::linear").map(|value| value.step).max();
    let (gated, open) = (by_step(&on), by_step(&off));
    let mut differ = 0;
    for (step, relevance) in &gated {
        let same = *relevance == open[step];
        assert!(same || Some(*step) < last_linear, "step {step} comes after every gated layer");
        differ += usize::from(!same);
    }
    assert!(differ > 0, "saturated activations block something");
    // Linear layers leave what a gate blocks out of their denominator, so no relevance is lost.
    assert!(on.ledger().closes() && off.ledger().closes());

    for name in ["resnet_basic", "cnn_traced", "densenet_block", "dropout", "pair_layer_norm_fused"] {
        let (on, off) = (explain(name, &Options::new()), explain(name, &Options::new().gates(false)));
        assert!(same_bits(&on, &off), "{name} has no gate");
        assert!(!on.ledger().losses().contains_key(&Loss::Gate), "{name}");
    }
    for name in ["mlp_saturated", "mlp_swish"] {
        let contrastive = Options::new().mode(Mode::Contrastive);
        let (on, off) = (explain(name, &contrastive), explain(name, &contrastive.clone().gates(false)));
        assert!(same_bits(&on, &off), "{name}: contrastive mode has no gates");
    }
}

#[test]
fn a_gate_may_be_chosen_by_module() {
    let off = explain("mlp_traced", &Options::new().gates(false));
    let none = ["first", "second", "head"]
        .iter()
        .fold(Options::new(), |options, module| options.gate_of(module, None));
    assert!(same_bits(&explain("mlp_traced", &none), &off));
    let shut = Gate { lower: Some(f64::MAX), upper: None, swish: None };
    let shut = explain("mlp_traced", &Options::new().gates(false).gate_of("first", Some(shut)));
    assert!(same_bits(&shut, &off), "gates are off, whatever they are");
}

#[test]
fn a_start_within_is_the_rest_of_the_walk() {
    for (name, module) in [("mlp_traced", "second"), ("cnn_traced", "features.4"), ("resnet_basic", "0")] {
        let whole = explain(name, &Options::new().all_values(true));
        let inside = |value: &&ValueRelevance| {
            value.module == module || value.module.starts_with(&format!("{module}."))
        };
        let returned = whole.values().iter().filter(inside).max_by_key(|value| value.step).unwrap();
        let start = returned.relevance().unwrap();
        let rest = explain(name, &Options::new().start_at(module, start));
        assert!(same_bits(&rest, &whole), "{name}");
        assert_eq!(rest.ledger().entries[0].place.step, returned.step);
        assert_eq!(rest.target(), None);
    }
}

#[test]
fn inputs_that_are_no_evidence_are_constants() {
    let (fixture, model) = load("tabular_wide");
    let of = |options: Options| model.explain(&inputs(&fixture), &options).unwrap();
    let names = |explanation: &Explanation| -> Vec<String> {
        explanation.inputs().iter().map(|input| input.name.clone()).collect()
    };
    let (whole, rest) = (of(Options::new()), of(Options::new().constant_input("categories")));
    assert_eq!(names(&whole), ["categories", "numbers"]);
    assert_eq!(names(&rest), ["numbers"]);
    assert!(rest.ledger().closes() && rest.inputs()[0].amount().magnitude() > 0.0);
    // No other input gains from that: a weighted sum shares by size.
    assert_eq!(rest.inputs()[0].relevance().unwrap(), whole.inputs()[1].relevance().unwrap());
}

#[test]
fn integers_are_explained_as_numbers_on_request() {
    let (fixture, model) = load("image_bytes");
    let error = model.explain(&inputs(&fixture), &Options::new()).unwrap_err();
    assert!(matches!(error, Error::Usage(_)), "{error}");
    let named = model.explain(&inputs(&fixture), &Options::new().numeric_input("image")).unwrap();
    assert!(named.ledger().closes());
    let relevance = named.inputs()[0].relevance().unwrap();
    assert_eq!(relevance.shape(), named.inputs()[0].shape());
    assert!(relevance.iter().any(|&r| r != 0.0));
}

#[test]
fn operators_without_a_rule_may_be_let_through() {
    for name in ["unsupported", "unsupported_norm"] {
        let (fixture, model) = load(name);
        let error = model.explain(&inputs(&fixture), &Options::new()).unwrap_err();
        assert_eq!(error.exit_code(), 4, "{name}: {error}");
        let allowed = model.explain(&inputs(&fixture), &Options::new().allow_unruled(true)).unwrap();
        let losses = allowed.ledger().losses();
        assert!(losses[&Loss::Unruled].magnitude() > 0.0, "{name}: {losses:?}");
        let Error::NoRule(text) = error else { panic!("{error}") };
        let operator = text.split_whitespace().find(|word| word.starts_with("aten::")).unwrap();
        let operator = operator.trim_end_matches(':');
        let warned = |warning: &String| warning.contains("--allow-unruled") && warning.contains(operator);
        assert!(allowed.warnings().iter().any(warned), "{operator}: {:?}", allowed.warnings());
        assert!(allowed.ledger().closes());
    }
    let fully_ruled = explain("cnn_traced", &Options::new().allow_unruled(true));
    assert!(!fully_ruled.ledger().losses().contains_key(&Loss::Unruled));
    assert!(!fully_ruled.warnings().iter().any(|warning| warning.contains("unruled")));
}

#[test]
fn an_option_that_does_nothing_is_named() {
    let warned = |options: Options, words: &str| {
        let explanation = explain("mlp_traced", &options);
        assert!(
            explanation.warnings().iter().any(|warning| warning.contains(words)),
            "{words}: {:?}",
            explanation.warnings()
        );
    };
    let ones = || ArrayD::ones(vec![2, 3]);
    warned(Options::new().negative_start(ones()).start(ones()), "negative_start");
    warned(Options::new().gates(false).gate_of("first", None), "gates are off");
    warned(Options::new().mode(Mode::Contrastive).gate_of("first", None), "knows no gates");
    // The order of a start's two parts is free.
    let contrastive = || Options::new().mode(Mode::Contrastive);
    let one = explain("mlp_traced", &contrastive().negative_start(ones() * 0.5).start(ones()));
    let other = explain("mlp_traced", &contrastive().start(ones()).negative_start(ones() * 0.5));
    assert!(same_bits(&one, &other));
    assert!(one.warnings().iter().all(|warning| !warning.contains("negative_start")));
}
