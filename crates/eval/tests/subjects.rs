//! Methods and metrics on the bundled models of both frameworks.

use dlbacktrace::rules::RuleSet;
use dlbacktrace::{Mode, Model};
use dlbacktrace_eval::methods::{IntegratedGradients, KernelShap, Method, Noise, Occlusion};
use dlbacktrace_eval::metrics::{Perturbation, abpc, class_similarity};
use dlbacktrace_eval::{Features, Replacement, Scores, Subject};
use ndarray::{ArrayD, IxDyn};
use std::error::Error;
use std::path::Path;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// A handwritten 3, in grey of 0 to 16.
const DIGIT: [u8; 64] = [
    0, 0, 7, 15, 13, 1, 0, 0, 0, 8, 13, 6, 15, 4, 0, 0, 0, 2, 1, 13, 13, 0, 0, 0, 0, 0, 2, 15, 11, 1, 0, 0,
    0, 0, 0, 1, 12, 12, 1, 0, 0, 0, 0, 0, 1, 10, 8, 0, 0, 0, 8, 4, 5, 14, 9, 0, 0, 0, 7, 13, 13, 9, 0, 0,
];

/// A model, a picture in its layout, and the axes of the picture.
type Digit = (Model, ArrayD<f64>, [usize; 2]);

/// The models of the digits.
fn digits() -> Outcome<[Digit; 2]> {
    let load = |name: &str| {
        Model::load(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/models").join(name))
    };
    let cells: Vec<f64> = DIGIT.iter().map(|grey| f64::from(*grey) / 16.0).collect();
    let shaped = |shape: [usize; 4]| ArrayD::from_shape_vec(IxDyn(&shape), cells.clone());
    Ok([
        (load("digits_cnn.pt")?, shaped([1, 1, 8, 8])?, [2, 3]),
        (load("digits_keras")?, shaped([1, 8, 8, 1])?, [1, 2]),
    ])
}

#[test]
fn a_batch_is_its_samples_and_each_is_counted() -> Outcome {
    for (model, picture, _) in digits()? {
        let subject = Subject::new(&model, picture.clone(), None)?.batches_of(3);
        let samples: Vec<ArrayD<f64>> = (0..7).map(|step| &picture * (f64::from(step) / 6.0)).collect();
        let together = subject.scores(&samples)?;
        assert_eq!(subject.passes(), 7);
        for (sample, score) in samples.iter().zip(&together) {
            let alone = subject.scores(std::slice::from_ref(sample))?[0];
            assert!((alone - score).abs() < 1e-4 * score.abs().max(1.0), "{alone} against {score}");
        }
        for (gradient, sample) in subject.gradients(&samples)?.iter().zip(&samples) {
            assert_eq!(gradient.shape(), sample.shape());
        }
    }
    Ok(())
}

#[test]
fn integrated_gradients_are_complete() -> Outcome {
    for (model, picture, _) in digits()? {
        let subject = Subject::new(&model, picture.clone(), None)?;
        let method = IntegratedGradients { steps: 512, baseline: Replacement::Zero };
        let found = method.attribute(&subject, &picture, &Features::cells(picture.shape()))?;
        let scores = subject.scores(&[picture.clone(), ArrayD::zeros(picture.raw_dim())])?;
        let whole = scores[0] - scores[1];
        // Rectifiers bend the way, where no rule for smooth functions is exact.
        assert!((found.sum() - whole).abs() < 1e-2 * whole.abs(), "{} of {whole}", found.sum());
    }
    Ok(())
}

#[test]
fn good_methods_find_what_the_model_reads_and_random_numbers_do_not() -> Outcome {
    for (model, picture, spatial) in digits()? {
        let subject = Subject::new(&model, picture.clone(), None)?;
        let features = Features::patches(picture.shape(), spatial, 2)?;
        let perturbation = Perturbation { replacement: Replacement::Zero, steps: 16 };
        let judged =
            |attributions: &ArrayD<f64>| abpc(&perturbation, &subject, &picture, attributions, &features);
        let methods: [&dyn Method; 3] = [
            &IntegratedGradients { steps: 20, baseline: Replacement::Zero },
            &KernelShap { samples: 400, replacement: Replacement::Zero, seed: 1 },
            &Occlusion { replacement: Replacement::Zero },
        ];
        let mut chance = Vec::new();
        for seed in 0..40 {
            chance.push(judged(&Noise { seed }.attribute(&subject, &picture, &features)?)?);
        }
        let mean = chance.iter().sum::<f64>() / 40.0;
        let deviation = (chance.iter().map(|area| (area - mean).powi(2)).sum::<f64>() / 39.0).sqrt();
        assert!(mean.abs() < 4.0 * deviation / 40.0_f64.sqrt(), "{mean}, {deviation}");
        for method in methods {
            let area = judged(&method.attribute(&subject, &picture, &features)?)?;
            assert!(area > mean + deviation, "{}: {area}, by chance {mean} ± {deviation}", method.name());
        }
        let walked = judged(&subject.walk(&RuleSet::named("gamma")?, Mode::Default)?)?;
        assert!(walked > mean + deviation, "gamma: {walked}");
    }
    Ok(())
}

#[test]
fn the_default_rules_are_blind_to_the_class_and_gradients_are_not() -> Outcome {
    for (model, picture, spatial) in digits()? {
        let one = Subject::new(&model, picture.clone(), Some(3))?;
        let other = one.of_unit(5)?;
        let features = Features::patches(picture.shape(), spatial, 1)?;
        let alike = |rules: &RuleSet| -> Outcome<f64> {
            let [a, b] = [&one, &other].map(|subject| subject.walk(rules, Mode::Default));
            class_similarity(&a?.mapv(f64::abs), &b?.mapv(f64::abs), &features)
                .ok_or_else(|| "constant".into())
        };
        let (own, gradient) = (alike(&RuleSet::default())?, alike(&RuleSet::named("gradient")?)?);
        assert!(own > 0.9 && gradient < own, "{own}, {gradient}");
    }
    Ok(())
}

#[test]
fn what_does_not_fit_says_why() -> Outcome {
    let [(model, picture, _), _] = digits()?;
    let several = ArrayD::zeros(IxDyn(&[2, 1, 8, 8]));
    let refused = |found: dlbacktrace_eval::Result<Subject<'_>>| {
        found.err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(refused(Subject::new(&model, several, None)).contains("a first axis of extent 1"));
    assert!(refused(Subject::new(&model, picture.clone(), Some(10))).contains("has 10 units"));
    assert!(!refused(Subject::new(&model, ArrayD::zeros(IxDyn(&[1, 3, 8, 8])), None)).is_empty());
    Ok(())
}
