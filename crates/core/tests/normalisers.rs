//! What is recognised on a tape as a norm, a softmax or an activation written out, and what only looks like one
//! (rules, "Written out and in one operator").

use dlbacktrace_core::ops::Measure;
use dlbacktrace_core::{Family, Function, Tensor, ValueId};
use testkit::cases::distance;
use testkit::net::Net;

/// Builds y from x.
type Form = fn(&mut Net, ValueId) -> ValueId;

const EPSILON: f64 = 1e-5;

/// Relevance passes unchanged to x, in both modes, and nothing is lost on the way.
#[track_caller]
fn passes(forms: &[(&str, Form)]) {
    for (name, form) in forms {
        for contrastive in [false, true] {
            let mut net = Net::new();
            let x = net.input(&[3, 4]);
            let y = form(&mut net, x);
            net.returns(y);
            let relevance = net.relevance(y, contrastive);
            let outcome = net.explain(y, relevance.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
            let found = outcome.inputs[0].as_ref().unwrap_or_else(|| panic!("{name}: nothing arrives"));
            let channels = [(found.first(), relevance.first())];
            let second = found.second().zip(relevance.second());
            for (found, expected) in channels.into_iter().chain(second) {
                let gap = distance(&found.to_array().unwrap(), &expected.to_array().unwrap());
                assert!(gap < 1e-12, "{name} does not pass: off by {gap}, contrastive {contrastive}");
            }
            assert!(outcome.ledger.losses().is_empty(), "{name} loses {:?}", outcome.ledger.losses());
        }
    }
}

/// After the analyses the step that made y still has its own rule.
#[track_caller]
fn keeps(forms: &[(&str, Family, Form)]) {
    for (name, family, form) in forms {
        let mut net = Net::new();
        let x = net.input(&[3, 4]);
        let y = form(&mut net, x);
        net.returns(y);
        let prepared = net.prepared(&Default::default());
        let maker = prepared.steps().iter().find(|step| step.outputs.contains(&y)).unwrap();
        assert_eq!(maker.op.family(), *family, "{name} is taken for something else");
    }
}

fn centred(net: &mut Net, x: ValueId) -> ValueId {
    let mean = net.mean(x);
    net.sub(x, mean)
}

/// 1 / √(mean c² + ε)
fn inverse_deviation(net: &mut Net, centred: ValueId) -> ValueId {
    let square = net.mul(centred, centred);
    let variance = net.mean(square);
    let variance = net.shift(variance, EPSILON);
    net.power(variance, -0.5)
}

/// y·γ + β
fn scaled_and_shifted(net: &mut Net, y: ValueId) -> ValueId {
    let (gamma, beta) = (net.constant(&[4]), net.constant(&[4]));
    let scaled = net.mul(y, gamma);
    net.add(scaled, beta)
}

fn variance(net: &mut Net, x: ValueId) -> ValueId {
    net.statistic(Measure::Spread, x, |row| {
        let mean = row.iter().sum::<f64>() / row.len() as f64;
        row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / row.len() as f64
    })
}

fn norm(net: &mut Net, x: ValueId) -> ValueId {
    net.statistic(Measure::Norm(2.0), x, |row| row.iter().map(|x| x * x).sum::<f64>().sqrt())
}

fn logsumexp(net: &mut Net, x: ValueId) -> ValueId {
    net.statistic(Measure::LogSumExp, x, |row| row.iter().map(|x| x.exp()).sum::<f64>().ln())
}

fn largest(net: &mut Net, x: ValueId) -> ValueId {
    net.statistic(Measure::Other, x, |row| row.iter().copied().fold(f64::NEG_INFINITY, f64::max))
}

#[test]
fn layer_norms() {
    passes(&[
        ("(x − mean)·rsqrt(var + ε)", |net, x| {
            let centred = centred(net, x);
            let inverse = inverse_deviation(net, centred);
            net.mul(centred, inverse)
        }),
        ("(x − mean)·rsqrt(var + ε)·γ + β", |net, x| {
            let centred = centred(net, x);
            let inverse = inverse_deviation(net, centred);
            let normal = net.mul(inverse, centred);
            scaled_and_shifted(net, normal)
        }),
        ("γ·(x − mean)/√(var + ε) + β, the variance by powers", |net, x| {
            let centred = centred(net, x);
            let square = net.power(centred, 2.0);
            let variance = net.mean(square);
            let variance = net.shift(variance, EPSILON);
            let deviation = net.power(variance, 0.5);
            let gamma = net.constant(&[4]);
            let scaled = net.mul(gamma, centred);
            let normal = net.div(scaled, deviation);
            let beta = net.constant(&[4]);
            net.add(normal, beta)
        }),
        ("the variance by its own operator, of x itself", |net, x| {
            let variance = variance(net, x);
            let variance = net.shift(variance, EPSILON);
            let inverse = net.power(variance, -0.5);
            let centred = centred(net, x);
            let normal = net.mul(centred, inverse);
            scaled_and_shifted(net, normal)
        }),
        ("the variance as mean x² − (mean x)²", |net, x| {
            let square = net.mul(x, x);
            let (of_square, mean) = (net.mean(square), net.mean(x));
            let square_of_mean = net.mul(mean, mean);
            let variance = net.sub(of_square, square_of_mean);
            let variance = net.shift(variance, EPSILON);
            let deviation = net.power(variance, 0.5);
            let centred = net.sub(x, mean);
            net.div(centred, deviation)
        }),
        ("x·s + (β − mean·s) with s = γ·rsqrt(var + ε)", |net, x| {
            let (mean, variance) = (net.mean(x), variance(net, x));
            let variance = net.shift(variance, EPSILON);
            let inverse = net.power(variance, -0.5);
            let (gamma, beta) = (net.constant(&[4]), net.constant(&[4]));
            let scale = net.mul(inverse, gamma);
            let scaled = net.mul(x, scale);
            let moved = net.mul(mean, scale);
            let shift = net.sub(beta, moved);
            net.add(scaled, shift)
        }),
    ]);
}

#[test]
fn norms_without_a_mean() {
    passes(&[
        ("rms norm by rsqrt", |net, x| {
            let inverse = inverse_deviation(net, x);
            let normal = net.mul(x, inverse);
            let gamma = net.constant(&[4]);
            net.mul(gamma, normal)
        }),
        ("rms norm by division", |net, x| {
            let square = net.power(x, 2.0);
            let mean = net.mean(square);
            let mean = net.shift(mean, EPSILON);
            let root = net.power(mean, 0.5);
            net.div(x, root)
        }),
        ("x / ‖x‖", |net, x| {
            let norm = norm(net, x);
            net.div(x, norm)
        }),
        ("x / max(‖x‖, ε)", |net, x| {
            let norm = norm(net, x);
            let bounded = net.function(Function::Magnitude, norm, |x| x.max(EPSILON));
            net.div(x, bounded)
        }),
        ("x·rsqrt(Σx²)", |net, x| {
            let square = net.mul(x, x);
            let sum = net.sum(square);
            let inverse = net.power(sum, -0.5);
            net.mul(x, inverse)
        }),
        ("x / Σ|x|", |net, x| {
            let magnitude = net.function(Function::Magnitude, x, f64::abs);
            let sum = net.sum(magnitude);
            net.div(x, sum)
        }),
    ]);
}

#[test]
fn batch_norms_by_constants() {
    passes(&[
        ("(x − μ)/σ·γ + β", |net, x| {
            let (mean, deviation) = (net.constant(&[4]), net.constant(&[4]));
            let centred = net.sub(x, mean);
            let normal = net.div(centred, deviation);
            scaled_and_shifted(net, normal)
        }),
        ("(x − μ)·s + β, one row each", |net, x| {
            let (mean, scale, shift) = (net.constant(&[1, 4]), net.constant(&[1, 4]), net.constant(&[1, 4]));
            let centred = net.sub(x, mean);
            let normal = net.mul(centred, scale);
            net.add(normal, shift)
        }),
        ("x·s + t", scaled_and_shifted),
    ]);
}

#[test]
fn softmaxes() {
    passes(&[
        ("exp(x) / Σexp(x)", |net, x| {
            let exponential = net.exp(x);
            let sum = net.sum(exponential);
            net.div(exponential, sum)
        }),
        ("exp(x − max) / Σexp(x − max)", |net, x| {
            let largest = largest(net, x);
            let centred = net.sub(x, largest);
            let exponential = net.exp(centred);
            let sum = net.sum(exponential);
            net.div(exponential, sum)
        }),
        ("x − logsumexp(x)", |net, x| {
            let level = logsumexp(net, x);
            net.sub(x, level)
        }),
        ("x − log Σexp(x)", |net, x| {
            let exponential = net.exp(x);
            let sum = net.sum(exponential);
            let level = net.log(sum);
            net.sub(x, level)
        }),
        ("(x − max) − log Σexp(x − max)", |net, x| {
            let largest = largest(net, x);
            let centred = net.sub(x, largest);
            let exponential = net.exp(centred);
            let sum = net.sum(exponential);
            let level = net.log(sum);
            net.sub(centred, level)
        }),
    ]);
}

/// x³ as products, so that only the factors tell what it is.
fn cube(net: &mut Net, x: ValueId) -> ValueId {
    let square = net.mul(x, x);
    net.mul(square, x)
}

#[test]
fn activations() {
    passes(&[
        ("x·σ(x)", |net, x| {
            let gate = net.sigmoid(x);
            net.mul(x, gate)
        }),
        ("σ(1.702x)·x", |net, x| {
            let scaled = net.scale(x, 1.702);
            let gate = net.sigmoid(scaled);
            net.mul(gate, x)
        }),
        ("x / (1 + exp(−x))", |net, x| {
            let negative = net.scale(x, -1.0);
            let exponential = net.exp(negative);
            let divisor = net.shift(exponential, 1.0);
            net.div(x, divisor)
        }),
        ("½x·(1 + erf(x/√2))", |net, x| {
            let scaled = net.scale(x, 0.5_f64.sqrt());
            let error = net.function(Function::Bounded, scaled, f64::tanh);
            let gate = net.shift(error, 1.0);
            let half = net.scale(x, 0.5);
            net.mul(half, gate)
        }),
        ("½·(x·(1 + tanh(√(2/π)·(x + 0.044715x³))))", |net, x| {
            let cube = cube(net, x);
            let bent = net.scale(cube, 0.044715);
            let inner = net.add(x, bent);
            let inner = net.scale(inner, 0.797_884_560_8);
            let bounded = net.tanh(inner);
            let gate = net.shift(bounded, 1.0);
            let product = net.mul(x, gate);
            net.scale(product, 0.5)
        }),
        ("x·relu6(x + 3)/6", |net, x| {
            let shifted = net.shift(x, 3.0);
            let bounded = net.function(Function::Bounded, shifted, |x| x.clamp(0.0, 6.0));
            let product = net.mul(x, bounded);
            net.scale(product, 1.0 / 6.0)
        }),
        ("x·(relu6(x + 3)/6)", |net, x| {
            let shifted = net.shift(x, 3.0);
            let bounded = net.function(Function::Bounded, shifted, |x| x.clamp(0.0, 6.0));
            let gate = net.scale(bounded, 1.0 / 6.0);
            net.mul(x, gate)
        }),
        ("x·tanh(log(1 + exp(x)))", |net, x| {
            let exponential = net.exp(x);
            let divisor = net.shift(exponential, 1.0);
            let softplus = net.log(divisor);
            let bounded = net.tanh(softplus);
            net.mul(x, bounded)
        }),
    ]);
}

/// c + |x|
fn magnitude(net: &mut Net, x: ValueId, c: f64) -> ValueId {
    let size = net.function(Function::Magnitude, x, f64::abs);
    net.shift(size, c)
}

/// √(1 + x²)
fn root(net: &mut Net, x: ValueId) -> ValueId {
    let square = net.power(x, 2.0);
    let sum = net.shift(square, 1.0);
    net.power(sum, 0.5)
}

#[test]
fn activations_by_what_grows_as_they_do() {
    passes(&[
        ("x / (1 + |x|)", |net, x| {
            let divisor = magnitude(net, x, 1.0);
            net.div(x, divisor)
        }),
        ("3x · (2 + |x|/5)⁻¹", |net, x| {
            let size = net.function(Function::Magnitude, x, f64::abs);
            let size = net.scale(size, 0.2);
            let divisor = net.shift(size, 2.0);
            let inverse = net.power(divisor, -1.0);
            let scaled = net.scale(x, 3.0);
            net.mul(inverse, scaled)
        }),
        ("x / √(1 + x²)", |net, x| {
            let divisor = root(net, x);
            net.div(x, divisor)
        }),
        ("x · (1 + x·x)^−½", |net, x| {
            let square = net.mul(x, x);
            let sum = net.shift(square, 1.0);
            let inverse = net.power(sum, -0.5);
            net.mul(x, inverse)
        }),
        ("x · (x / (1 + |x|))", |net, x| {
            let divisor = magnitude(net, x, 1.0);
            let bounded = net.div(x, divisor);
            net.mul(x, bounded)
        }),
    ]);
}

/// One feature, on the last axis or on the one after the samples: [3, 1] by [1], [3, 1, 2] by [1, 1].
#[test]
fn a_norm_over_one_feature() {
    for (shape, entries) in
        [(vec![3, 1], vec![1]), (vec![3, 1, 2], vec![1, 1]), (vec![3, 2, 1], vec![1, 1, 1])]
    {
        for contrastive in [false, true] {
            let mut net = Net::new();
            let x = net.input(&shape);
            let [mean, scale, shift] = [(); 3].map(|()| net.constant(&entries));
            let centred = net.sub(x, mean);
            let scaled = net.mul(centred, scale);
            let y = net.add(scaled, shift);
            let relevance = net.relevance(y, contrastive);
            let outcome = net.explain(y, relevance.clone()).unwrap();
            let found = outcome.inputs[0].as_ref().unwrap();
            assert!(
                distance(&found.first().to_array().unwrap(), &relevance.first().to_array().unwrap()) < 1e-12
            );
            assert!(outcome.ledger.losses().is_empty(), "{shape:?}: {:?}", outcome.ledger.losses());
        }
    }
}

/// An added shift belongs to a norm if it is repeated within each sample; if not, it may be one row for each sample.
#[test]
fn a_mean_that_is_added() {
    for (shape, entries, is_norm) in [
        (vec![1, 4, 3], vec![1, 1, 3], true),
        (vec![2, 4, 3], vec![1, 1, 3], true),
        (vec![1, 3], vec![1, 3], false),
    ] {
        let mut net = Net::new();
        let x = net.input(&shape);
        let (mean, scale) = (net.constant(&entries), net.constant(&[3]));
        let centred = net.add(x, mean);
        let y = net.mul(centred, scale);
        let relevance = net.relevance(y, false);
        let outcome = net.explain(y, relevance).unwrap();
        assert_eq!(outcome.ledger.losses().is_empty(), is_norm, "{shape:?}: {:?}", outcome.ledger.losses());
    }
}

/// One entry for several features is no norm, and neither is one for the samples.
#[test]
fn a_single_entry_for_several_is_no_norm() {
    for (shape, entries) in [(vec![3, 4], vec![1]), (vec![1], vec![1]), (vec![1, 4], vec![1, 1])] {
        let mut net = Net::new();
        let x = net.input(&shape);
        let (scale, shift) = (net.constant(&entries), net.constant(&entries));
        let scaled = net.mul(x, scale);
        let y = net.add(scaled, shift);
        let relevance = net.relevance(y, false);
        let outcome = net.explain(y, relevance).unwrap();
        assert!(!outcome.ledger.losses().is_empty(), "{shape:?} by {entries:?}");
    }
}

#[test]
fn products_that_are_no_activations() {
    keeps(&[
        ("y / (1 + |x|)", Family::Product, |net, x| {
            let y = net.input(&[3, 4]);
            let divisor = magnitude(net, x, 1.0);
            net.div(y, divisor)
        }),
        ("x / |x|", Family::Product, |net, x| {
            let size = net.function(Function::Magnitude, x, f64::abs);
            net.div(x, size)
        }),
        ("x / (1 + x²)", Family::Product, |net, x| {
            let square = net.power(x, 2.0);
            let divisor = net.shift(square, 1.0);
            net.div(x, divisor)
        }),
        ("x·σ(mean x), a squeeze-and-excite gate", Family::Product, |net, x| {
            let mean = net.mean(x);
            let gate = net.sigmoid(mean);
            net.mul(x, gate)
        }),
        ("x·mean(x)", Family::Product, |net, x| {
            let mean = net.mean(x);
            net.mul(x, mean)
        }),
        ("x·σ(Wx), a gated linear unit", Family::Product, |net, x| {
            let weight = net.constant(&[4, 4]);
            let linear = net.matmul(x, weight);
            let gate = net.sigmoid(linear);
            net.mul(x, gate)
        }),
        ("x·y", Family::Product, |net, x| {
            let y = net.input(&[3, 4]);
            net.mul(x, y)
        }),
        ("x·σ(y)", Family::Product, |net, x| {
            let y = net.input(&[3, 4]);
            let gate = net.sigmoid(y);
            net.mul(x, gate)
        }),
        ("σ(x)·tanh(x)", Family::Product, |net, x| {
            let (gate, bounded) = (net.sigmoid(x), net.tanh(x));
            net.mul(gate, bounded)
        }),
        ("x·softmax(w·x), the weights of attention pooling", Family::Product, |net, x| {
            let weight = net.constant(&[4, 1]);
            let score = net.matmul(x, weight);
            let attention = net.function(Function::Softmax, score, f64::exp);
            net.mul(x, attention)
        }),
        ("x·rsqrt(mean y²)", Family::Product, |net, x| {
            let y = net.input(&[3, 4]);
            let inverse = inverse_deviation(net, y);
            net.mul(x, inverse)
        }),
        ("x / y", Family::Product, |net, x| {
            let y = net.input(&[3, 4]);
            net.div(x, y)
        }),
        ("exp(x) / Σexp(y)", Family::Product, |net, x| {
            let y = net.input(&[3, 4]);
            let (above, below) = (net.exp(x), net.exp(y));
            let sum = net.sum(below);
            net.div(above, sum)
        }),
        ("x / σ(mean x)", Family::Product, |net, x| {
            let mean = net.mean(x);
            let gate = net.sigmoid(mean);
            net.div(x, gate)
        }),
        ("mean(x) / x", Family::Product, |net, x| {
            let mean = net.mean(x);
            net.div(mean, x)
        }),
    ]);
}

#[test]
fn sums_that_are_no_norms() {
    keeps(&[
        ("x + 1", Family::WeightedSum, |net, x| net.shift(x, 1.0)),
        ("x + β", Family::WeightedSum, |net, x| {
            let beta = net.constant(&[4]);
            net.add(x, beta)
        }),
        ("x − mean", Family::WeightedSum, centred),
        ("x − mean(y)", Family::WeightedSum, |net, x| {
            let y = net.input(&[3, 4]);
            let mean = net.mean(y);
            net.sub(x, mean)
        }),
        ("x − μ", Family::WeightedSum, |net, x| {
            let mean = net.constant(&[4]);
            net.sub(x, mean)
        }),
        ("x + norm(x)", Family::WeightedSum, |net, x| {
            let centred = centred(net, x);
            let inverse = inverse_deviation(net, centred);
            let normal = net.mul(centred, inverse);
            net.add(x, normal)
        }),
        ("relu(x·γ) + β", Family::WeightedSum, |net, x| {
            let (gamma, beta) = (net.constant(&[4]), net.constant(&[4]));
            let scaled = net.mul(x, gamma);
            let positive = net.relu(scaled);
            net.add(positive, beta)
        }),
    ]);
}

/// Outside a norm, a statistic has the rule of its written-out form; one without a rule is an error.
#[test]
fn statistics_outside_a_norm() {
    let relevance = |contrastive: bool, build: fn(&mut Net, ValueId) -> ValueId| {
        let mut net = Net::new();
        let x = net.input(&[3, 4]);
        let y = build(&mut net, x);
        net.returns(y);
        let start = net.relevance(y, contrastive);
        net.explain(y, start)
    };
    let squares: fn(&mut Net, ValueId) -> ValueId = |net, x| {
        let square = net.mul(x, x);
        let sum = net.sum(square);
        net.power(sum, 0.5)
    };
    for contrastive in [false, true] {
        let found = relevance(contrastive, norm).unwrap();
        let expected = relevance(contrastive, squares).unwrap();
        let (found, expected) = (found.inputs[0].as_ref().unwrap(), expected.inputs[0].as_ref().unwrap());
        let gap = found.clone().zip(expected, |a, b| a.sub(b)).unwrap();
        assert!(
            gap.measure(|gap| gap.abs()?.total()).unwrap().magnitude() < 1e-12,
            "{found:?} is not {expected:?}"
        );
    }
    let error = relevance(false, largest).unwrap_err();
    assert!(matches!(error, dlbacktrace_core::Error::Unsupported { .. }), "{error}");
}

/// A mean that is also added elsewhere takes its share there, and nothing in the norm.
#[test]
fn a_shared_statistic_is_a_constant_of_the_norm_only() {
    let mut net = Net::new();
    let x = net.input(&[3, 4]);
    let centred = centred(&mut net, x);
    let inverse = inverse_deviation(&mut net, centred);
    let normal = net.mul(centred, inverse);
    let other = net.mean(x);
    let y = net.add(normal, other);
    net.returns(y);
    let relevance = net.relevance(y, false);
    let outcome = net.explain(y, relevance).unwrap();
    let entered: Vec<&str> = outcome.ledger.entries.iter().map(|entry| entry.operator.as_str()).collect();
    // From the end: the last sum, its mean, the product and the difference of the norm; not the norm's mean.
    assert_eq!(entered, ["step 8", "step 7", "step 6", "step 1"]);
}
