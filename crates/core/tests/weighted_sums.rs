//! The rule of weighted sums against the matrix of each operator (rules §2). Unit tensors and the operator's definition
//! give the matrix; the rule is applied unit by unit.

use dlbacktrace_core::array::Array;
use dlbacktrace_core::ops::{
    Convolution, CumulativeSum, Interpolation, MatMul, Reduce, Sampling, Separable, Sum,
    TransposedConvolution,
};
use dlbacktrace_core::rules::{Bounds, Kind, Rule};
use dlbacktrace_core::weighted_sum::Variant;
use dlbacktrace_core::{BacktraceOp, Gate, Mode};
use ndarray::{Array2, ArrayD};
use proptest::prelude::*;
use testkit::cases::{Case, Data, Outcome, apply, apply_rule, distance, for_all, gates_of, oracle};
use testkit::forward::{averages, broadcast, convolution, matmul, matrix, sampled};
use testkit::geometry::{self, Axis};
use testkit::naive::Dense;
use testkit::numbers::Numbers;

type Op = dyn BacktraceOp<Array>;

const TOLERANCE: f64 = 1e-9;

/// An operator beside its matrix.
struct Twin<'a> {
    op: &'a Op,
    case: Case,
    dense: Dense,
    /// The matrix with 1 for every weight, also for those that are 0, if there are such.
    connected: Option<Array2<f64>>,
    variant: Variant,
}

impl Twin<'_> {
    /// Both modes; where the operator may be gated, all gates.
    fn check(&self) {
        let [support, against] = self.case.arriving[0].each_ref().map(flat);
        for (mode, gate) in gates_of(&self.case) {
            let expected = match (mode, gate) {
                (Mode::Default, None) => vec![self.dense.default_mode(&support)],
                (Mode::Default, Some(gate)) => vec![self.dense.gated(&support, gate, self.variant)],
                (Mode::Contrastive, _) => self.dense.contrastive(&support, &against, self.variant).into(),
            };
            self.compare_mode(mode, gate, &expected);
        }
        let operands = self.case.operands.iter().enumerate();
        let operands: Vec<_> = operands.map(|(number, data)| data.operand(&oracle(), number)).collect();
        let kind = Kind::of(self.op, &operands);
        let others = [Rule::Epsilon(0.1), Rule::Gamma(2.0), Rule::Box(Bounds::of_operand(-3.0, 2.0))];
        let rules = Rule::of(kind).filter(|rule| *rule != Rule::OpenBox);
        let rules = rules.chain(others.into_iter().filter(|rule| rule.serves(kind)));
        // An average leaves its divisor out, which cancels in shares only.
        let whole = |rule: &Rule| kind != Kind::Average || !matches!(rule, Rule::Gradient | Rule::Epsilon(_));
        for rule in rules.filter(|rule| *rule != Rule::Backtrace && whole(rule)) {
            let outcome = apply_rule(self.op, &self.case, rule.clone(), &oracle()).unwrap();
            let outcome = if rule.conserves() { outcome } else { Outcome { gap: 0.0, ..outcome } };
            let dense = match (&rule, &self.connected) {
                (Rule::Flat, Some(connected)) => &Dense { weight: connected.clone(), ..self.dense.clone() },
                _ => &self.dense,
            };
            self.compare(&outcome, &rule.to_string(), &[dense.by_rule(&support, &rule)]);
        }
    }

    fn compare_mode(&self, mode: Mode, gate: Option<Gate>, expected: &[Vec<f64>]) {
        let outcome = apply(self.op, &self.case, mode, gate, &oracle()).unwrap();
        self.compare(&outcome, &format!("{mode:?} mode with {gate:?}"), expected);
    }

    /// The moving operands' shares, one after the other, are those of the matrix.
    fn compare(&self, outcome: &Outcome, how: &str, expected: &[Vec<f64>]) {
        assert!(outcome.gap < 1e-10, "{:?}: gap {} in {how}", self.op, outcome.gap);
        for (channel, expected) in expected.iter().enumerate() {
            let found: Vec<f64> =
                outcome.shares.iter().flatten().flat_map(|share| share[channel].iter().copied()).collect();
            let (found, expected) = (vector(&found), vector(expected));
            let gap = distance(&found, &expected);
            assert!(gap < TOLERANCE, "{:?} in {how}, channel {channel}: {found} is not {expected}", self.op);
        }
    }
}

fn vector(values: &[f64]) -> ArrayD<f64> {
    ndarray::aview1(values).to_owned().into_dyn()
}

fn flat(values: &ArrayD<f64>) -> Vec<f64> {
    values.iter().copied().collect()
}

/// A bias of a shape that broadcasts to the units, or none.
fn spread(bias: Option<&ArrayD<f64>>, shape: &[usize], output: &[usize]) -> Vec<f64> {
    match bias {
        Some(bias) => flat(&bias.to_shape(shape).unwrap().broadcast(output).unwrap().to_owned()),
        None => vec![0.0; output.iter().product()],
    }
}

/// A drawn convolution, transposed or not.
struct Drawn {
    geometry: geometry::Convolution,
    transposed: bool,
    x: ArrayD<f64>,
    weight: ArrayD<f64>,
    output: Vec<usize>,
}

impl Drawn {
    fn new(geometry: geometry::Convolution, transposed: bool, numbers: &mut Numbers) -> Self {
        let (narrow, wide) = (geometry.groups * geometry.first, geometry.groups * geometry.second);
        let (input, output) = match transposed {
            false => {
                (geometry.tensor(wide, |axis| axis.input), geometry.tensor(narrow, |axis| axis.windows()))
            }
            true => {
                (geometry.tensor(narrow, |axis| axis.input), geometry.tensor(wide, |axis| axis.unfolded()))
            }
        };
        let (x, weight) = (numbers.exact(&input), numbers.exact(&geometry.kernel()));
        Self { geometry, transposed, x, weight, output }
    }

    fn bias(&self, numbers: &mut Numbers) -> Option<ArrayD<f64>> {
        let channels = self.output[self.output.len() - self.geometry.axes.len() - 1];
        self.geometry.bias.then(|| numbers.exact(&[channels]))
    }

    /// The matrix as a map of x, and as one of the kernel.
    fn matrices(&self, bias: Option<&ArrayD<f64>>) -> [Dense; 2] {
        let forward = |x: &ArrayD<f64>, weight: &ArrayD<f64>| {
            convolution(x, weight, &self.geometry, &self.output, self.transposed)
        };
        let axes = self.geometry.axes.len();
        let per_channel = [&[bias.map_or(1, ArrayD::len)][..], &vec![1; axes]].concat();
        let bias = spread(bias, &per_channel, &self.output);
        let of_x = matrix(self.x.shape(), |unit| forward(unit, &self.weight));
        let of_kernel = matrix(self.weight.shape(), |unit| forward(&self.x, unit));
        [
            Dense { weight: of_x, x: flat(&self.x), bias: bias.clone() },
            Dense { weight: of_kernel, x: flat(&self.weight), bias },
        ]
    }

    /// The matrix with 1 for every weight, or every cell of x.
    fn connected(&self, of_kernel: bool) -> Array2<f64> {
        let forward = |x: &ArrayD<f64>, weight: &ArrayD<f64>| {
            convolution(x, weight, &self.geometry, &self.output, self.transposed)
        };
        match of_kernel {
            true => matrix(self.weight.shape(), |unit| forward(&ArrayD::ones(self.x.shape()), unit)),
            false => matrix(self.x.shape(), |unit| forward(unit, &ArrayD::ones(self.weight.shape()))),
        }
    }

    fn op(&self) -> Box<Op> {
        let geometry = self.geometry.geometry();
        let spatial = self.geometry.axes.iter().map(|axis| axis.unfolded()).collect();
        match self.transposed {
            false => Box::new(Convolution { geometry }),
            true => Box::new(TransposedConvolution { geometry, spatial }),
        }
    }
}

#[test]
fn convolutions() {
    for_all(
        96,
        (geometry::convolution(), any::<bool>(), any::<bool>()),
        |(geometry, transposed, of_kernel)| {
            let mut numbers = Numbers::new(geometry.seed);
            let drawn = Drawn::new(geometry, transposed, &mut numbers);
            let bias = drawn.bias(&mut numbers);
            let [of_x, of_weight] = drawn.matrices(bias.as_ref());
            let mut operands = vec![Data::moving(drawn.x.clone()), Data::moving(drawn.weight.clone())];
            operands[usize::from(!of_kernel)].depends = false;
            operands.extend(bias.map(Data::constant));
            let case = Case::new(operands, &[&drawn.output], &mut numbers);
            let (dense, case) = if of_kernel { (of_weight, case) } else { (of_x, case.gated()) };
            let connected = Some(drawn.connected(of_kernel));
            Twin { op: &*drawn.op(), case, dense, connected, variant: Variant::Convolution }.check();
        },
    );
}

/// Half to each factor, as if the other were a constant.
#[test]
fn convolutions_whose_kernel_moves_with_the_input() {
    for_all(96, (geometry::convolution(), any::<bool>()), |(geometry, transposed)| {
        let mut numbers = Numbers::new(geometry.seed);
        let drawn = Drawn::new(geometry, transposed, &mut numbers);
        let operands = vec![Data::moving(drawn.x.clone()), Data::moving(drawn.weight.clone())];
        let case = Case::new(operands, &[&drawn.output], &mut numbers);
        let [support, against] = case.arriving[0]
            .each_ref()
            .map(|channel| flat(channel).iter().map(|r| r / 2.0).collect::<Vec<_>>());
        let (op, dense) = (drawn.op(), drawn.matrices(None));
        let both = |share: &dyn Fn(&Dense) -> Vec<f64>| dense.iter().flat_map(share).collect::<Vec<_>>();
        let channel = |at: usize| {
            both(&|dense| {
                dense.contrastive(&support, &against, Variant::Convolution).into_iter().nth(at).unwrap()
            })
        };
        let expected = [
            (Mode::Default, vec![both(&|dense| dense.default_mode(&support))]),
            (Mode::Contrastive, vec![channel(0), channel(1)]),
        ];
        let twin =
            Twin { op: &*op, case, dense: dense[0].clone(), connected: None, variant: Variant::Convolution };
        for (mode, expected) in expected {
            twin.compare_mode(mode, None, &expected);
        }
    });
}

#[test]
fn matrix_products_with_one_constant_factor() {
    let extents = (1_usize..4, 1_usize..4, 1_usize..4);
    let leads = (geometry::broadcast(), any::<bool>());
    for_all(96, (extents, leads, any::<[bool; 3]>(), any::<u64>()), |drawn| {
        let ((rows, inner, columns), ((wide, narrow), swapped), [moving_right, transposed, biased], seed) =
            drawn;
        let mut numbers = Numbers::new(seed);
        let (lead_a, lead_b) = if swapped { (&narrow, &wide) } else { (&wide, &narrow) };
        let a = numbers.exact(&[lead_a.as_slice(), &[rows, inner]].concat());
        // x·W and W·x, the right factor upright or stored transposed.
        let stored = if transposed { [columns, inner] } else { [inner, columns] };
        let b = numbers.exact(&[lead_b.as_slice(), &stored].concat());
        let product = |a: &ArrayD<f64>, b: &ArrayD<f64>| {
            let mut upright = b.clone();
            if transposed {
                upright.swap_axes(b.ndim() - 2, b.ndim() - 1);
            }
            matmul(a, &upright)
        };
        let output = product(&a, &b).shape().to_vec();
        let bias = biased.then(|| numbers.exact(&[columns]));
        let dense = Dense {
            weight: match moving_right {
                true => matrix(b.shape(), |unit| product(&a, unit)),
                false => matrix(a.shape(), |unit| product(unit, &b)),
            },
            x: flat(if moving_right { &b } else { &a }),
            bias: spread(bias.as_ref(), &[columns], &output),
        };
        let connected = Some(match moving_right {
            true => matrix(b.shape(), |unit| product(&ArrayD::ones(a.shape()), unit)),
            false => matrix(a.shape(), |unit| product(unit, &ArrayD::ones(b.shape()))),
        });
        let operands = match moving_right {
            true => [Data::constant(a), Data::moving(b)],
            false => [Data::moving(a), Data::constant(b)],
        };
        let operands = operands.into_iter().chain(bias.map(Data::constant)).collect();
        let case = Case::new(operands, &[&output], &mut numbers).gated();
        Twin { op: &MatMul { transposed }, case, dense, connected, variant: Variant::Linear }.check();
    });
}

#[test]
fn sums_and_differences() {
    let factors = prop::collection::vec(prop_oneof![Just(1.0), Just(-1.0), Just(0.5), Just(0.0)], 2..4);
    let constant = prop_oneof![Just(0.0), Just(1.5), Just(-2.0)];
    for_all(96, (geometry::broadcast(), factors, constant, 0_usize..4, any::<u64>()), |drawn| {
        let ((wide, narrow), factors, constant, fixed, seed) = drawn;
        let mut numbers = Numbers::new(seed);
        let shapes: Vec<&Vec<usize>> =
            (0..factors.len()).map(|k| if k % 2 == 0 { &wide } else { &narrow }).collect();
        // The last operand may be a constant; the first always moves.
        let moves = |k: usize| k == 0 || k != fixed;
        let values: Vec<ArrayD<f64>> = shapes.iter().map(|shape| numbers.exact(shape)).collect();
        let spread = |x: &ArrayD<f64>, factor: f64| x.broadcast(wide.as_slice()).unwrap().to_owned() * factor;
        let moving: Vec<usize> = (0..factors.len()).filter(|&k| moves(k)).collect();
        let units = wide.iter().product();
        let mut weight = Array2::zeros((units, 0));
        let mut bias = vec![constant; units];
        for (k, x) in values.iter().enumerate() {
            match moves(k) {
                true => weight
                    .append(ndarray::Axis(1), matrix(x.shape(), |unit| spread(unit, factors[k])).view())
                    .unwrap(),
                false => bias.iter_mut().zip(&spread(x, factors[k])).for_each(|(sum, c)| *sum += c),
            }
        }
        let x = moving.iter().flat_map(|&k| flat(&values[k])).collect();
        // In default mode every constant takes its own share |c| / Σ.
        let gross = values
            .iter()
            .enumerate()
            .filter(|&(k, _)| !moves(k))
            .fold(ArrayD::from_elem(wide.as_slice(), constant.abs()), |sum, (k, c)| {
                sum + spread(c, factors[k]).mapv(f64::abs)
            });
        let operands = values.iter().enumerate().map(|(k, values)| match moves(k) {
            true => Data::moving(values.clone()),
            false => Data::constant(values.clone()),
        });
        let case = Case::new(operands.collect(), &[&wide], &mut numbers);
        let op = Sum { factors: factors.clone(), constant };
        let dense = Dense { weight, x, bias };
        let by_magnitude = Dense { bias: flat(&gross), ..dense.clone() };
        let twin = Twin { op: &op, case, dense, connected: None, variant: Variant::Linear };
        let [support, against] = twin.case.arriving[0].each_ref().map(flat);
        twin.compare_mode(Mode::Default, None, &[by_magnitude.default_mode(&support)]);
        twin.compare_mode(
            Mode::Contrastive,
            None,
            &twin.dense.contrastive(&support, &against, Variant::Linear),
        );
        // Constant terms take their part too, unless they are multiplied by 0.
        let is_term = |number: f64| f64::from(u8::from(number != 0.0));
        let fixed = (0..factors.len()).filter(|&k| !moves(k)).map(|k| is_term(factors[k])).sum::<f64>();
        let terms = Dense {
            weight: twin.dense.weight.mapv(is_term),
            x: vec![1.0; twin.dense.x.len()],
            bias: vec![fixed + is_term(constant); units],
        };
        for rule in [Rule::Half, Rule::Flat] {
            let outcome = apply_rule(twin.op, &twin.case, rule.clone(), &oracle()).unwrap();
            twin.compare(&outcome, &rule.to_string(), &[terms.default_mode(&support)]);
        }
    });
}

/// An operator with one operand and no bias.
fn unary(op: &Op, x: ArrayD<f64>, forward: impl Fn(&ArrayD<f64>) -> ArrayD<f64>, numbers: &mut Numbers) {
    let output = forward(&x).shape().to_vec();
    let units = output.iter().product();
    let dense = Dense { weight: matrix(x.shape(), forward), x: flat(&x), bias: vec![0.0; units] };
    let case = Case::new(vec![Data::moving(x)], &[&output], numbers);
    Twin { op, case, dense, connected: None, variant: Variant::Linear }.check();
}

#[test]
fn sums_and_means_over_axes() {
    let strategy =
        (geometry::shape(1..4), prop::collection::vec(any::<bool>(), 3), any::<bool>(), any::<u64>());
    for_all(64, strategy, |(shape, reduced, keep, seed)| {
        let mut numbers = Numbers::new(seed);
        let axes: Vec<usize> = (0..shape.len()).filter(|&axis| reduced[axis]).collect();
        let mean = |x: &ArrayD<f64>| {
            axes.iter().rev().fold(x.clone(), |x, &axis| {
                let mean = x.mean_axis(ndarray::Axis(axis)).unwrap();
                if keep { mean.insert_axis(ndarray::Axis(axis)) } else { mean }
            })
        };
        let op = Reduce { axes: axes.clone() };
        unary(&op, numbers.rough(&shape), mean, &mut numbers);
    });
}

#[test]
fn running_sums() {
    for_all(64, (geometry::shape(1..4), 0_usize..3, any::<u64>()), |(mut shape, axis, seed)| {
        let mut numbers = Numbers::new(seed);
        let axis = axis % shape.len();
        shape[axis] += numbers.below(6);
        let running = |x: &ArrayD<f64>| {
            let mut y = x.clone();
            y.accumulate_axis_inplace(ndarray::Axis(axis), |before, y| *y += before);
            y
        };
        unary(&CumulativeSum { axis }, numbers.exact(&shape), running, &mut numbers);
    });
}

#[test]
fn average_pooling() {
    for_all(64, (geometry::axes(false), any::<u64>()), |(axes, seed)| {
        let mut numbers = Numbers::new(seed);
        let each = |of: fn(&Axis) -> usize| -> Vec<usize> { axes.iter().map(of).collect() };
        let input = [&[2][..], &each(|axis| axis.input)].concat();
        let output = [&[2][..], &each(|axis| axis.windows())].concat();
        let seen = |axis: &Axis| -> Vec<Vec<usize>> {
            let cells = |window: usize| {
                let cell = |k: usize| (window * axis.stride + k).checked_sub(axis.padding);
                (0..axis.kernel).filter_map(cell).filter(|&cell| cell < axis.input).collect()
            };
            (0..axis.windows()).map(cells).collect()
        };
        let windows: Vec<_> = axes.iter().map(seen).collect();
        let (kernel, stride, padding) =
            (each(|axis| axis.kernel), each(|axis| axis.stride), each(|axis| axis.padding));
        let op = Separable::average_pool(&input, &output, &kernel, &stride, &padding).unwrap();
        unary(&op, numbers.rough(&input), |x| averages(x, &windows), &mut numbers);
    });
}

#[test]
fn adaptive_average_pooling() {
    let axes = prop::collection::vec((1_usize..8, 1_usize..6), 1..4);
    for_all(64, (axes, any::<u64>()), |(axes, seed)| {
        let mut numbers = Numbers::new(seed);
        let (input, output): (Vec<usize>, Vec<usize>) = axes.iter().copied().unzip();
        let seen = |&(cells, windows): &(usize, usize)| -> Vec<Vec<usize>> {
            let end = |window: usize| ((window + 1) * cells).div_ceil(windows);
            (0..windows).map(|window| (window * cells / windows..end(window)).collect()).collect()
        };
        let windows: Vec<_> = axes.iter().map(seen).collect();
        let op = Separable::adaptive_average_pool(&input, &output, axes.len()).unwrap();
        unary(&op, numbers.rough(&input), |x| averages(x, &windows), &mut numbers);
    });
}

#[test]
fn interpolation() {
    let axes = prop::collection::vec((1_usize..6, 1_usize..7), 1..3);
    for_all(64, (axes, any::<bool>(), any::<bool>(), any::<u64>()), |(axes, cubic, align_corners, seed)| {
        let mut numbers = Numbers::new(seed);
        let (input, output): (Vec<usize>, Vec<usize>) = axes.iter().copied().unzip();
        let kind = if cubic { Interpolation::Cubic } else { Interpolation::Linear };
        let sampling = Sampling { align_corners, antialias: false, scales: vec![None; axes.len()] };
        let op = Separable::interpolate(&input, &output, kind, &sampling).unwrap();
        let forward = |x: &ArrayD<f64>| {
            output
                .iter()
                .enumerate()
                .fold(x.clone(), |x, (axis, &to)| sampled(&x, axis, to, cubic, align_corners))
        };
        unary(&op, numbers.rough(&input), forward, &mut numbers);
    });
}

#[test]
fn products_of_two_moving_matrices() {
    let extents = (1_usize..4, 1_usize..4, 1_usize..4);
    for_all(
        64,
        (extents, geometry::broadcast(), any::<u64>()),
        |((rows, inner, columns), (lead, narrow), seed)| {
            let mut numbers = Numbers::new(seed);
            let a = numbers.exact(&[lead.as_slice(), &[rows, inner]].concat());
            let b = numbers.exact(&[narrow.as_slice(), &[inner, columns]].concat());
            let output = [broadcast(&lead, &narrow).as_slice(), &[rows, columns]].concat();
            let case =
                Case::new(vec![Data::moving(a.clone()), Data::moving(b.clone())], &[&output], &mut numbers);
            // Rules §4: half of R by the rule of §2 on each operand, the other being its weights.
            let units: usize = output.iter().product();
            let dense = |weight, x: &ArrayD<f64>| Dense { weight, x: flat(x), bias: vec![0.0; units] };
            let sides = [
                dense(matrix(a.shape(), |unit| matmul(unit, &b)), &a),
                dense(matrix(b.shape(), |unit| matmul(&a, unit)), &b),
            ];
            let [support, against] =
                case.arriving[0].each_ref().map(|channel| flat(&channel.mapv(|relevance| relevance / 2.0)));
            let default: Vec<f64> = sides.iter().flat_map(|side| side.default_mode(&support)).collect();
            let routed = sides.each_ref().map(|side| side.contrastive(&support, &against, Variant::Linear));
            let contrastive =
                [0, 1].map(|channel| routed.iter().flat_map(|side| side[channel].clone()).collect());
            let op = MatMul { transposed: false };
            let [side, _] = sides;
            let twin = Twin { op: &op, case, dense: side, connected: None, variant: Variant::Linear };
            twin.compare_mode(Mode::Default, None, &[default]);
            twin.compare_mode(Mode::Contrastive, None, &contrastive);
        },
    );
}
