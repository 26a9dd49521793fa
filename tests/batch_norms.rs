//! Folded batch norms: a network gives what its frozen form gives, in which torch.jit.freeze folded them.

use dlbacktrace::rules::{BatchNorm, Bounds, PRESETS, RuleSet};
use dlbacktrace::torch::{self, Computation};
use dlbacktrace::{Loss, Mode, Options};
use tch::{Device, Kind, Tensor};
use testkit_torch::fixtures::{channels, explain, fixtures, inputs, load, same_bits};

/// The fixtures that have a frozen form.
fn with_frozen_form() -> Vec<String> {
    let names =
        fixtures().into_iter().filter_map(|fixture| fixture.name.strip_suffix("_frozen").map(str::to_owned));
    names.collect()
}

/// The sets with names. Operands of first layers lie within wide bounds.
fn named() -> impl Iterator<Item = RuleSet> {
    PRESETS.iter().map(|preset| preset.rules().bounded(&Bounds::of_operand(-1e3, 1e3)))
}

#[test]
fn folded_is_frozen() {
    let names = with_frozen_form();
    assert!(names.len() > 10);
    let mut wrong = String::new();
    for name in names {
        for rules in named().filter(RuleSet::conserves) {
            let options = Options::new().rules(rules.clone()).batch_norm(BatchNorm::Fold);
            let modes =
                if rules.is_backtrace() { &[Mode::Default, Mode::Contrastive][..] } else { &[Mode::Default] };
            for &mode in modes {
                let options = options.clone().mode(mode);
                let (folded, frozen) =
                    (explain(&name, &options), explain(&format!("{name}_frozen"), &options));
                assert!(folded.ledger().closes(), "{name} by {}", rules.name);
                for (folded, frozen) in channels(&folded).iter().zip(channels(&frozen)) {
                    // Where nothing arrived, nothing differs.
                    let size = f64::try_from(frozen.abs().max()).unwrap().max(f64::MIN_POSITIVE);
                    let far = f64::try_from((folded - &frozen).abs().max()).unwrap() / size;
                    if far.is_nan() || far > 1e-3 {
                        wrong += &format!("\n{name} by {} in {mode:?} mode: {far:.1e}", rules.name);
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "folded and frozen differ, relative to the largest:{wrong}");
}

#[test]
fn folding_is_asked_for() {
    let plain = explain("resnet_basic", &Options::new());
    let passed = explain("resnet_basic", &Options::new().batch_norm(BatchNorm::Pass));
    let folded = explain("resnet_basic", &Options::new().batch_norm(BatchNorm::Fold));
    assert!(same_bits(&plain, &passed));
    assert!(!same_bits(&plain, &folded));
    // A set that folds may be told to let them pass.
    let plus = || Options::new().rules(RuleSet::named("epsilon-plus").unwrap());
    let (folded, passed) =
        (explain("resnet_basic", &plus()), explain("resnet_basic", &plus().batch_norm(BatchNorm::Pass)));
    assert!(!same_bits(&folded, &passed));
    // To derivatives it makes no difference, which is said.
    let gradient = || Options::new().rules(RuleSet::named("gradient").unwrap());
    let folded = explain("resnet_basic", &gradient().batch_norm(BatchNorm::Fold));
    assert!(same_bits(&folded, &explain("resnet_basic", &gradient())));
    assert!(
        folded.warnings().iter().any(|warning| warning.contains("not folded")),
        "{:?}",
        folded.warnings()
    );
}

#[test]
fn folded_weights_are_kept() {
    let options = Options::new().batch_norm(BatchNorm::Fold);
    let (fixture, model) = load("resnet_basic");
    let inputs = inputs(&fixture);
    let explained = || model.explain(&inputs, &options).unwrap();
    assert!(same_bits(&explained(), &explained()));
}

#[test]
fn norms_without_a_layer_are_named() {
    let folded = explain("densenet_block", &Options::new().batch_norm(BatchNorm::Fold));
    assert!(
        folded.assumed().iter().any(|note| note.starts_with("3 batch norms have no layer")),
        "{:?}",
        folded.assumed()
    );
    let passed = explain("densenet_block", &Options::new());
    assert!(!passed.assumed().iter().any(|note| note.contains("batch norm")), "{:?}", passed.assumed());
}

/// A convolution of zeros, whose result only the batch norm behind it makes more than 0.
#[test]
fn what_empty_units_take_is_worth_a_hint() {
    let (float, x) = ((Kind::Double, Device::Cpu), -Tensor::ones([1, 2, 4, 4], (Kind::Double, Device::Cpu)));
    let weight = Tensor::ones([3, 2, 3, 3], float);
    let [one, zero] = [Tensor::ones([3], float), Tensor::zeros([3], float)];
    let explained = |options: &Options| {
        let computation = Computation { inputs: &[("x", &x)], ..Default::default() };
        let forward = || {
            let none = None::<&Tensor>;
            let y = x.relu().conv2d(&weight, none, [1, 1], [0, 0], [1, 1], 1);
            let y = y.batch_norm(Some(&one), Some(&one), Some(&zero), Some(&one), false, 0.1, 1e-5, false);
            y.mean_dim([2i64, 3].as_slice(), false, Kind::Double)
        };
        torch::explain(computation, options, forward).unwrap()
    };
    let passed = explained(&Options::new());
    let hint = passed.warnings().iter().find(|warning| warning.contains("zero_denominator")).unwrap();
    assert!(hint.starts_with("100.0 %") && hint.contains("--batch-norm fold"), "{hint}");
    let folded = explained(&Options::new().batch_norm(BatchNorm::Fold));
    assert!(folded.warnings().is_empty(), "{:?}", folded.warnings());
    assert!((folded.ledger().losses()[&Loss::Bias].positive - 1.0).abs() < 1e-12);
}
