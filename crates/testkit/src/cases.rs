//! Cases of operators: drawn once, run on any tensor.

use crate::numbers::Numbers;
use dlbacktrace_core::array::Array;
use dlbacktrace_core::rules::Rule;
use dlbacktrace_core::{
    Amount, BacktraceOp, Context, DType, Error, Function, Gate, Loss, Mode, Operand, Relevance, Tensor,
    ValueId, WeightCache,
};
use ndarray::ArrayD;
use proptest::prelude::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::collections::BTreeMap;

/// Runs a test on drawn values: the same ones each time, so that everybody sees the same failures.
/// `PROPTEST_CASES` asks for more of them.
#[track_caller]
pub fn for_all<S: Strategy>(cases: u32, strategy: S, test: impl Fn(S::Value)) {
    let more = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let config = Config { cases: more.unwrap_or(cases), failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(&strategy, |value| {
        test(value);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// One operand of a case, free of any backend.
#[derive(Debug, Clone)]
pub struct Data {
    /// The elements; integers and truth values as numbers.
    pub values: ArrayD<f64>,
    /// `F64`, `Int` or `Bool`.
    pub dtype: DType,
    /// Whether the operand depends on an explained input.
    pub depends: bool,
}

impl Data {
    /// A value that depends on an explained input.
    pub fn moving(values: ArrayD<f64>) -> Self {
        Self { values, dtype: DType::F64, depends: true }
    }

    /// A value that does not.
    pub fn constant(values: ArrayD<f64>) -> Self {
        Self { depends: false, ..Self::moving(values) }
    }

    /// Integers or truth values.
    pub fn of(values: ArrayD<f64>, dtype: DType) -> Self {
        Self { dtype, ..Self::constant(values) }
    }

    /// The operand on the backend of a tensor, as value `number`.
    pub fn operand<T: Tensor>(&self, like: &T, number: usize) -> Operand<T> {
        let data = like.floats(self.values.view()).unwrap();
        let data = if self.dtype.is_float() { data } else { data.cast(self.dtype).unwrap() };
        Operand { depends: self.depends, ..Operand::new(ValueId(number), data) }
    }
}

/// A case of an operator: what it read, the shapes it made, and the relevance that arrives there.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its operands.
    pub operands: Vec<Data>,
    /// Two channels of relevance for each output.
    pub arriving: Vec<[ArrayD<f64>; 2]>,
    /// Whether an activation may gate the operator.
    pub gated: bool,
}

impl Case {
    /// A case with relevance of both signs, and zeros, at outputs of the given shapes.
    pub fn new(operands: Vec<Data>, outputs: &[&[usize]], numbers: &mut Numbers) -> Self {
        let arriving = outputs.iter().map(|shape| [numbers.exact(shape), numbers.exact(shape)]);
        Self { operands, arriving: arriving.collect(), gated: false }
    }

    /// The same for an operator that an activation may gate.
    #[must_use]
    pub fn gated(self) -> Self {
        Self { gated: true, ..self }
    }
}

/// The modes and gates a case is run in.
pub fn gates_of(case: &Case) -> Vec<(Mode, Option<Gate>)> {
    let functions = [Function::Tanh, Function::Sigmoid, Function::Softmax, Function::Swish { beta: 1.0 }];
    let half_open = [(Some(-1.0), None), (None, Some(1.0)), (None, None)]
        .map(|(lower, upper)| Some(Gate { lower, upper, swish: None }));
    let gates = functions.map(Gate::of).into_iter().chain(half_open).filter(|_| case.gated);
    let plain = [(Mode::Default, None), (Mode::Contrastive, None)];
    plain.into_iter().chain(gates.map(|gate| (Mode::Default, gate))).collect()
}

/// What an operator did with the relevance that arrived.
#[derive(Debug)]
pub struct Outcome {
    /// The channels of each operand's share.
    pub shares: Vec<Option<Vec<ArrayD<f64>>>>,
    /// What it booked.
    pub lost: BTreeMap<Loss, Amount>,
    /// What it does not account for, relative to all the relevance that arrived.
    pub gap: f64,
}

/// Applies a rule on the backend of `like`.
///
/// # Errors
/// Those of the rule.
pub fn apply<T: Tensor>(
    op: &dyn BacktraceOp<T>,
    case: &Case,
    mode: Mode,
    gate: Option<Gate>,
    like: &T,
) -> Result<Outcome, Error> {
    run(op, case, (mode, gate, Rule::Backtrace), like)
}

/// The same by a rule of a rule set.
///
/// # Errors
/// Those of the rule.
pub fn apply_rule<T: Tensor>(
    op: &dyn BacktraceOp<T>,
    case: &Case,
    rule: Rule,
    like: &T,
) -> Result<Outcome, Error> {
    run(op, case, (Mode::Default, None, rule), like)
}

fn run<T: Tensor>(
    op: &dyn BacktraceOp<T>,
    case: &Case,
    (mode, gate, rule): (Mode, Option<Gate>, Rule),
    like: &T,
) -> Result<Outcome, Error> {
    let inputs: Vec<Operand<T>> =
        case.operands.iter().enumerate().map(|(number, data)| data.operand(like, number)).collect();
    let tensor = |values: &ArrayD<f64>| like.floats(values.view()).unwrap();
    let outputs: Vec<Option<Relevance<T>>> = case
        .arriving
        .iter()
        .map(|[first, second]| match mode {
            Mode::Default => Relevance::default_mode(tensor(first)),
            Mode::Contrastive => Relevance::contrastive(tensor(first), tensor(second)),
        })
        .map(Some)
        .collect();
    let weights = WeightCache::new(0);
    let mut context = Context::new(&weights).with_rule(rule);
    context.gate = gate;
    let shares = op.backtrace(&inputs, &outputs, &mut context)?;
    assert_eq!(shares.len(), inputs.len(), "{op:?} gives one share for each operand");
    let total = |relevances: &[Option<Relevance<T>>]| -> Amount {
        let amounts = relevances.iter().flatten().map(|relevance| relevance.measure(Tensor::total).unwrap());
        amounts.sum()
    };
    // Signed rules may hand on far more than arrived, with both signs.
    let gross: Amount = outputs
        .iter()
        .chain(&shares)
        .flatten()
        .map(|relevance| relevance.measure(|channel| channel.abs()?.total()).unwrap())
        .sum();
    let gap = total(&outputs) - total(&shares) - context.lost().values().copied().sum();
    let relative = |gap: f64, gross: f64| if gap == 0.0 { 0.0 } else { gap.abs() / gross };
    let gap = relative(gap.positive, gross.positive).max(relative(gap.negative, gross.negative));
    for (share, operand) in shares.iter().zip(&inputs) {
        if let Some(share) = share {
            assert!(operand.depends, "{op:?} gives a constant its share");
            assert_eq!(share.shape(), operand.meta.shape, "{op:?}");
        }
    }
    let read = |relevance: &Relevance<T>| -> Vec<ArrayD<f64>> {
        let channels = std::iter::once(relevance.first()).chain(relevance.second());
        channels.map(|channel| channel.to_array().unwrap()).collect()
    };
    let shares = shares.iter().map(|share| share.as_ref().map(read)).collect();
    Ok(Outcome { shares, lost: context.lost().clone(), gap })
}

/// A tensor of the oracle.
pub fn oracle() -> Array {
    Array::from_slice(&[], &[0.0])
}

/// How far two arrays are apart, relative to the largest element of the expected one (at least 1).
#[track_caller]
pub fn distance(found: &ArrayD<f64>, expected: &ArrayD<f64>) -> f64 {
    assert_eq!(found.shape(), expected.shape());
    let scale = expected.iter().fold(1.0_f64, |scale, value| scale.max(value.abs()));
    let apart = |(a, b): (&f64, &f64)| if a == b { 0.0 } else { (a - b).abs() };
    // NaN is infinitely far from anything.
    found.iter().zip(expected).map(apart).fold(0.0, |most: f64, gap| if gap <= most { most } else { gap })
        / scale
}
