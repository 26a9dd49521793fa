//! A folded batch norm is a part of its layer: relevance is that of the layer with the weights of both, by every rule.

use dlbacktrace_core::analysis::PrepareOptions;
use dlbacktrace_core::array::Array;
use dlbacktrace_core::ops::{
    ChannelsLast, Convolution, MatMul, Measure, Norm, Pass, Statistics, TransposedConvolution,
};
use dlbacktrace_core::rules::{BatchNorm, Bounds, PRESETS, RuleSet};
use dlbacktrace_core::{
    BacktraceOp, ConvGeometry, DType, Loss, Relevance, Role, Tensor, ValueId, WalkOptions, WeightCache,
};
use ndarray::{Array1, ArrayD, Axis, Slice};
use testkit::net::Net;

/// A layer and how its weights count features.
struct Layer {
    op: fn() -> Box<dyn BacktraceOp<Array>>,
    x: &'static [usize],
    weight: &'static [usize],
    /// The axis of the weights that counts features of the result, or the groups, whose features are another axis.
    features: (usize, Option<usize>),
    /// The axis of the result that counts features.
    channel: usize,
    apply: fn(&Array, &Array) -> Array,
}

fn geometry(groups: usize) -> ConvGeometry {
    ConvGeometry { stride: vec![1, 2], padding: vec![1, 0], dilation: vec![1, 1], groups }
}

fn turned(x: &Array, last: bool) -> Array {
    x.permute(if last { &[0, 2, 3, 1] } else { &[0, 3, 1, 2] }).unwrap()
}

const LAYERS: [Layer; 6] = [
    Layer {
        op: || Box::new(MatMul { transposed: true }),
        x: &[3, 4],
        weight: &[5, 4],
        features: (0, None),
        channel: 1,
        apply: |x, w| x.matmul(&w.transpose().unwrap()).unwrap(),
    },
    Layer {
        op: || Box::new(MatMul { transposed: false }),
        x: &[2, 3, 4],
        weight: &[4, 5],
        features: (1, None),
        channel: 2,
        apply: |x, w| x.matmul(w).unwrap(),
    },
    Layer {
        op: || Box::new(Convolution { geometry: geometry(1) }),
        x: &[2, 3, 4, 5],
        weight: &[4, 3, 3, 2],
        features: (0, None),
        channel: 1,
        apply: |x, w| x.convolve(w, &geometry(1)).unwrap(),
    },
    Layer {
        op: || Box::new(Convolution { geometry: geometry(2) }),
        x: &[2, 4, 4, 5],
        weight: &[6, 2, 3, 2],
        features: (0, None),
        channel: 1,
        apply: |x, w| x.convolve(w, &geometry(2)).unwrap(),
    },
    Layer {
        op: || Box::new(ChannelsLast::new(Convolution { geometry: geometry(1) })),
        x: &[2, 4, 5, 3],
        weight: &[4, 3, 3, 2],
        features: (0, None),
        channel: 3,
        apply: |x, w| turned(&turned(x, false).convolve(w, &geometry(1)).unwrap(), true),
    },
    Layer {
        op: || Box::new(TransposedConvolution { geometry: geometry(2), spatial: vec![4, 5] }),
        x: &[2, 6, 4, 2],
        weight: &[6, 2, 3, 2],
        features: (1, Some(0)),
        channel: 1,
        apply: |x, w| x.convolve_adjoint(w, &geometry(2), &[4, 5]).unwrap(),
    },
];

/// The numbers of a batch norm for `count` features. Some scales are negative, and one is 0.
struct Numbers {
    scale: Vec<f64>,
    shift: Vec<f64>,
    mean: Vec<f64>,
    variance: Vec<f64>,
}

const EPSILON: f64 = 1e-3;

impl Numbers {
    fn new(count: usize) -> Self {
        let wave = |phase: f64| move |at: usize| (at as f64 * 1.7 + phase).sin();
        let row = |phase: f64| (0..count).map(wave(phase)).collect::<Vec<_>>();
        let mut scale = row(0.5);
        scale[1] = 0.0;
        Self {
            scale,
            shift: row(1.0),
            mean: row(2.0),
            variance: (0..count).map(|at| 0.2 + at as f64).collect(),
        }
    }

    /// s and t of y = s·x + t.
    fn folded(&self) -> (Vec<f64>, Vec<f64>) {
        let of = |at: usize| {
            let s = self.scale[at] / (self.variance[at] + EPSILON).sqrt();
            (s, self.shift[at] - s * self.mean[at])
        };
        (0..self.scale.len()).map(of).unzip()
    }
}

/// Numbers along one axis.
fn along(numbers: &[f64], axis: usize, rank: usize) -> ArrayD<f64> {
    let mut shape = vec![1; rank];
    shape[axis] = numbers.len();
    Array1::from(numbers.to_vec()).into_shape_with_order(shape).unwrap()
}

fn apply(layer: &Layer, x: &ArrayD<f64>, weight: &ArrayD<f64>, bias: &[f64]) -> ArrayD<f64> {
    let y = (layer.apply)(&Array::new(x.clone()), &Array::new(weight.clone())).to_array().unwrap();
    let bias = along(bias, layer.channel, y.ndim());
    y + bias
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// One operator.
    Fused,
    /// x·s + t
    ScaledAndShifted,
    /// (x − μ) / σ · γ + β
    WrittenOut,
    /// The layer has the weights of both.
    Before,
}

/// A layer and its batch norm in some form, then a rectifier. Returns the result.
fn layer(net: &mut Net, layer: &Layer, x: ValueId, form: Form) -> ValueId {
    let probe = apply(layer, net.data(x), &ArrayD::zeros(layer.weight), &[0.0]);
    let (count, rank) = (probe.shape()[layer.channel], probe.ndim());
    let numbers = Numbers::new(count);
    let (scale, shift) = numbers.folded();
    let weight = net.constant(layer.weight);
    let bias = net.constant(&[count]);
    if form == Form::Before {
        let mut folded = net.data(weight).clone();
        let (axis, groups) = layer.features;
        let depth = folded.shape()[axis];
        let parts = groups.map_or(1, |_| count / depth);
        let rows = groups.map_or(0, |groups| folded.shape()[groups] / parts);
        for part in 0..parts {
            for at in 0..depth {
                let mut view = folded.view_mut();
                if let Some(groups) = groups {
                    view.slice_axis_inplace(Axis(groups), Slice::from(part * rows..(part + 1) * rows));
                }
                view.index_axis_mut(Axis(axis), at).mapv_inplace(|w| w * scale[part * depth + at]);
            }
        }
        let moved: Vec<f64> =
            net.data(bias).iter().zip(&scale).zip(&shift).map(|((b, s), t)| b * s + t).collect();
        net.set(weight, folded);
        net.set(bias, Array1::from(moved).into_dyn());
    }
    let plain: Vec<f64> = net.data(bias).iter().copied().collect();
    let result = apply(layer, net.data(x), net.data(weight), &plain);
    let y = net.step(Boxed((layer.op)()), &[x, weight, bias], result, DType::F64);
    let y = match form {
        Form::Before => y,
        _ => normed(net, y, &numbers, layer.channel, rank, form),
    };
    net.relu(y)
}

fn normed(net: &mut Net, x: ValueId, numbers: &Numbers, axis: usize, rank: usize, form: Form) -> ValueId {
    let row = |net: &mut Net, numbers: &[f64]| net.number(along(numbers, axis, rank));
    let (scale, shift) = numbers.folded();
    match form {
        Form::ScaledAndShifted => {
            let (scale, shift) = (row(net, &scale), row(net, &shift));
            let y = net.mul(x, scale);
            net.add(y, shift)
        }
        Form::WrittenOut => {
            let deviation: Vec<f64> =
                numbers.variance.iter().map(|variance| (variance + EPSILON).sqrt()).collect();
            let (mean, deviation) = (row(net, &numbers.mean), row(net, &deviation));
            let (gamma, beta) = (row(net, &numbers.scale), row(net, &numbers.shift));
            let y = net.sub(x, mean);
            let y = net.div(y, deviation);
            let y = net.mul(gamma, y);
            net.add(y, beta)
        }
        _ => {
            let operands =
                [&numbers.scale, &numbers.shift, &numbers.mean, &numbers.variance].map(|of| row(net, of));
            let result = net.data(x) * along(&scale, axis, rank) + along(&shift, axis, rank);
            let norm = Norm { statistics: Statistics::Given, epsilon: EPSILON, scaled: true, shifted: true };
            let [gamma, beta, mean, variance] = operands;
            net.step(norm, &[x, gamma, beta, mean, variance], result, DType::F64)
        }
    }
}

/// A step takes an operator by value.
#[derive(Debug)]
struct Boxed(Box<dyn BacktraceOp<Array>>);

impl BacktraceOp<Array> for Boxed {
    fn family(&self) -> dlbacktrace_core::Family {
        self.0.family()
    }

    fn role(&self, operands: &[dlbacktrace_core::Operand<Array>]) -> Role {
        self.0.role(operands)
    }

    fn features(&self, operands: &[dlbacktrace_core::Operand<Array>]) -> Option<dlbacktrace_core::Features> {
        self.0.features(operands)
    }

    fn backtrace(
        &self,
        operands: &[dlbacktrace_core::Operand<Array>],
        arriving: &[Option<Relevance<Array>>],
        context: &mut dlbacktrace_core::Context<'_, Array>,
    ) -> dlbacktrace_core::Result<Vec<Option<Relevance<Array>>>> {
        self.0.backtrace(operands, arriving, context)
    }
}

fn options(batch_norm: BatchNorm) -> PrepareOptions {
    PrepareOptions { batch_norm: Some(batch_norm), ..PrepareOptions::default() }
}

/// The relevance of the input, both channels, and what the bias takes.
fn explained(mut net: Net, from: ValueId, start: &Relevance<Array>, rules: RuleSet) -> (Vec<f64>, f64) {
    net.returns(from);
    let walk = WalkOptions { rules: rules.bounded(&Bounds::of_input(-9.0, 9.0)), ..WalkOptions::default() };
    let prepared = net.prepared(&options(BatchNorm::Fold));
    let outcome =
        prepared.backtrace(vec![(from, start.clone())], &WeightCache::new(0), walk, &mut ()).unwrap();
    assert!(outcome.ledger.closes(), "{:?}", outcome.ledger.open_entries().collect::<Vec<_>>());
    let found = outcome.inputs[0].as_ref().unwrap();
    let second = found.second().map(|channel| channel.to_array().unwrap());
    let all = found.first().to_array().unwrap().into_iter().chain(second.into_iter().flatten());
    let bias = outcome.ledger.losses().get(&Loss::Bias).copied().unwrap_or_default();
    (all.collect(), bias.positive + bias.negative)
}

fn close(found: &(Vec<f64>, f64), expected: &(Vec<f64>, f64), what: &str) {
    let size = expected.0.iter().fold(1e-3, |size: f64, x| size.max(x.abs()));
    let far = found.0.iter().zip(&expected.0).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert_eq!(found.0.len(), expected.0.len());
    assert!(far < 1e-9 * size, "{what}: {far} of {size}");
    assert!((found.1 - expected.1).abs() < 1e-9 * size.max(expected.1.abs()), "{what}: bias");
}

#[test]
fn behind_a_layer_it_is_a_part_of_it() {
    for (number, of) in LAYERS.iter().enumerate() {
        for preset in PRESETS.iter().filter(|preset| preset.rules().conserves()) {
            for contrastive in [false, true] {
                if contrastive && !preset.rules().is_backtrace() {
                    continue;
                }
                let run = |form: Form| {
                    let mut net = Net::new();
                    let x = net.input(of.x);
                    let y = layer(&mut net, of, x, form);
                    let start = net.relevance(y, contrastive);
                    explained(net, y, &start, preset.rules())
                };
                let expected = run(Form::Before);
                for form in [Form::Fused, Form::ScaledAndShifted, Form::WrittenOut] {
                    let what = format!("layer {number} by {}, {contrastive}", preset.name);
                    close(&run(form), &expected, &what);
                }
            }
        }
    }
}

/// W(s·x + t) + b = (W·s)x + (W·t + b).
#[test]
fn before_a_layer_it_is_a_part_of_it() {
    for preset in PRESETS.iter().filter(|preset| preset.rules().conserves()) {
        let run = |form: Form| {
            let mut net = Net::new();
            let x = net.input(&[3, 4]);
            let numbers = Numbers::new(4);
            let (weight, bias) = (net.constant(&[5, 4]), net.constant(&[5]));
            let from = if form == Form::Before {
                let (scale, shift) = numbers.folded();
                let shift = along(&shift, 1, 2);
                let moved = testkit::forward::matmul(net.data(weight), &shift.reversed_axes());
                let moved = net.data(bias) + &moved.index_axis_move(Axis(1), 0);
                let folded = net.data(weight) * along(&scale, 1, 2);
                net.set(bias, moved);
                net.set(weight, folded);
                x
            } else {
                normed(&mut net, x, &numbers, 1, 2, form)
            };
            let bias_row: Vec<f64> = net.data(bias).iter().copied().collect();
            let result = apply(&LAYERS[0], net.data(from), net.data(weight), &bias_row);
            let y = net.step(MatMul { transposed: true }, &[from, weight, bias], result, DType::F64);
            let start = net.relevance(y, false);
            explained(net, y, &start, preset.rules())
        };
        let expected = run(Form::Before);
        for form in [Form::Fused, Form::ScaledAndShifted, Form::WrittenOut] {
            close(&run(form), &expected, preset.name);
        }
    }
}

/// Whether the step of a fused batch norm is still a norm.
fn stays(build: impl Fn(&mut Net) -> ValueId) -> bool {
    let mut net = Net::new();
    let y = build(&mut net);
    net.returns(y);
    let prepared = net.prepared(&options(BatchNorm::Fold));
    prepared.steps().iter().any(|step| step.op.role(&step.inputs) == Role::Norm)
}

#[test]
fn it_stays_where_no_layer_can_take_it_up() {
    let norm = |net: &mut Net, x: ValueId, axis: usize| {
        let (count, rank) = (net.data(x).shape()[axis], net.data(x).ndim());
        normed(net, x, &Numbers::new(count), axis, rank, Form::Fused)
    };
    // Between two rectifiers.
    assert!(stays(|net| {
        let x = net.input(&[3, 4]);
        let x = net.relu(x);
        let y = norm(net, x, 1);
        net.relu(y)
    }));
    // Something else reads the result of the layer, too.
    assert!(stays(|net| {
        let (x, weight) = (net.input(&[3, 4]), net.constant(&[4, 5]));
        let y = net.matmul(x, weight);
        let z = norm(net, y, 1);
        net.add(z, y)
    }));
    // Its features are not those of the layer.
    assert!(stays(|net| {
        let (x, weight) = (net.input(&[2, 3, 4]), net.constant(&[4, 5]));
        let y = net.matmul(x, weight);
        norm(net, y, 1)
    }));
    // Zeros around the operand of a convolution are not normed.
    assert!(stays(|net| {
        let (x, weight) = (net.input(&[2, 3, 4, 5]), net.constant(&[4, 3, 3, 2]));
        let y = norm(net, x, 1);
        let result = apply(&LAYERS[2], net.data(y), net.data(weight), &[0.0]);
        net.step(Convolution { geometry: geometry(1) }, &[y, weight], result, DType::F64)
    }));
    // Behind a layer it does not stay.
    assert!(!stays(|net| {
        let (x, weight) = (net.input(&[3, 4]), net.constant(&[4, 5]));
        let y = net.matmul(x, weight);
        norm(net, y, 1)
    }));
}

/// An input that is brought to its usual range first keeps its usual value as what contributes nothing.
#[test]
fn a_standardised_input_stays() {
    let run = |batch_norm: BatchNorm| {
        let mut net = Net::new();
        let x = net.input(&[2, 3]);
        let (mean, deviation) = (net.constant(&[1, 3]), net.constant(&[1, 3]));
        let weight = net.constant(&[3, 2]);
        let z = net.sub(x, mean);
        let z = net.div(z, deviation);
        let y = net.matmul(z, weight);
        let start = net.relevance(y, false);
        net.returns(y);
        let prepared = net.prepared(&options(batch_norm));
        let outcome =
            prepared.backtrace(vec![(y, start)], &WeightCache::new(0), WalkOptions::default(), &mut ());
        outcome.unwrap().inputs[0].as_ref().unwrap().first().to_array().unwrap()
    };
    assert_eq!(run(BatchNorm::Fold), run(BatchNorm::Pass));
}

/// The scale and the shift that follow a norm by the statistics of each row are no batch norm.
#[test]
fn what_follows_another_norm_stays() {
    let run = |batch_norm: BatchNorm, written: bool| {
        let mut net = Net::new();
        let x = net.input(&[2, 3]);
        let level = net.statistic(Measure::Norm(2.0), x, |row| row.iter().map(|x| x * x).sum::<f64>().sqrt());
        let normalised = if written {
            net.div(x, level)
        } else {
            let result = net.data(x) / net.data(level);
            net.step(Pass::norm(), &[x], result, DType::F64)
        };
        let (gamma, beta, weight) = (net.constant(&[3]), net.constant(&[3]), net.constant(&[3, 2]));
        let y = net.mul(normalised, gamma);
        let y = net.add(y, beta);
        let y = net.matmul(y, weight);
        net.returns(y);
        let start = net.relevance(y, false);
        let prepared = net.prepared(&options(batch_norm));
        let outcome =
            prepared.backtrace(vec![(y, start)], &WeightCache::new(0), WalkOptions::default(), &mut ());
        outcome.unwrap().inputs[0].as_ref().unwrap().first().to_array().unwrap()
    };
    for written in [false, true] {
        assert_eq!(run(BatchNorm::Fold, written), run(BatchNorm::Pass, written));
    }
}
