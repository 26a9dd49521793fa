//! A recurrent layer against its cell written out step by step, sample by sample (rules §6).

use dlbacktrace_core::analysis::PrepareOptions;
use dlbacktrace_core::array::Array;
use dlbacktrace_core::ops::{Pass, Sum};
use dlbacktrace_core::recurrent::{Cell, Layer};
use dlbacktrace_core::rules::{Bounds, PRESETS, RuleSet};
use dlbacktrace_core::{
    Amount, Function, Loss, Meta, Mode, Operand, Relevance, TapeWriter, Tensor, Unary, ValueId, WalkOptions,
    WeightCache,
};
use ndarray::{ArrayD, Axis, concatenate};
use proptest::prelude::*;
use std::collections::BTreeMap;
use testkit::cases::{distance, for_all};
use testkit::numbers::Numbers;

const TOLERANCE: f64 = 1e-9;
const WIDTH: usize = 3;
const FEATURES: usize = 2;

/// A layer and what it is run on. Arrays begin with the sample; steps come second.
#[derive(Debug, Clone)]
struct Case {
    cell: Cell,
    reversed: bool,
    projected: bool,
    biased: bool,
    /// Whether the initial state is an explained input.
    explained_state: bool,
    mode: Mode,
    rules: RuleSet,
    /// The number of steps of each sample, the longest first.
    lengths: Vec<usize>,
    seed: u64,
}

fn cases() -> impl Strategy<Value = Case> {
    let cells = prop::sample::select(vec![Cell::Lstm, Cell::Gru, Cell::Tanh, Cell::Relu]);
    let modes = prop::sample::select(vec![Mode::Default, Mode::Contrastive]);
    let lengths = prop::collection::vec(1_usize..5, 1..4);
    (cells, any::<[bool; 4]>(), modes, lengths, any::<u64>()).prop_map(
        |(cell, [reversed, projected, biased, explained_state], mode, mut lengths, seed)| {
            lengths.sort_unstable_by(|a, b| b.cmp(a));
            let projected = projected && cell == Cell::Lstm;
            let rules = RuleSet::default();
            Case { cell, reversed, projected, biased, explained_state, mode, rules, lengths, seed }
        },
    )
}

/// The same by the sets that have no rule for a recurrent layer, but for its parts.
fn cases_by_parts() -> impl Strategy<Value = Case> {
    let bounds = Bounds::of_operand(-1e5, 1e5);
    let sets = PRESETS.iter().map(|preset| preset.rules().bounded(&bounds));
    let sets: Vec<RuleSet> = sets.filter(|rules| rules.reads().recurrent_parts()).collect();
    assert!(sets.len() > 9, "{sets:?}");
    (cases(), prop::sample::select(sets)).prop_map(|(case, rules)| Case {
        rules,
        mode: Mode::Default,
        ..case
    })
}

/// The numbers of a case.
struct Numbered {
    weights: BTreeMap<&'static str, ArrayD<f64>>,
    /// `[steps, features]` of each sample.
    x: Vec<ArrayD<f64>>,
    /// The parts of the initial state, `[1, width]` of each sample.
    state: Vec<Vec<ArrayD<f64>>>,
    /// What arrives, in two channels: at h `[steps, width]` of each sample, and at the parts of its last state.
    at_hidden: Vec<[ArrayD<f64>; 2]>,
    at_state: Vec<Vec<[ArrayD<f64>; 2]>>,
}

impl Case {
    fn shown(&self) -> usize {
        if self.projected { 2 } else { WIDTH }
    }

    fn widths(&self) -> Vec<usize> {
        if self.cell == Cell::Lstm { vec![self.shown(), WIDTH] } else { vec![WIDTH] }
    }

    fn numbered(&self) -> Numbered {
        let mut numbers = Numbers::new(self.seed);
        let gates = match self.cell {
            Cell::Lstm => 4,
            Cell::Gru => 3,
            Cell::Tanh | Cell::Relu => 1,
        } * WIDTH;
        let mut weights = BTreeMap::from([
            ("W", numbers.rough(&[gates, FEATURES])),
            ("U", numbers.rough(&[gates, self.shown()])),
        ]);
        if self.biased {
            weights.insert("b", numbers.rough(&[gates]));
            weights.insert("c", numbers.rough(&[gates]));
        }
        if self.projected {
            weights.insert("P", numbers.rough(&[self.shown(), WIDTH]));
        }
        let mut each = |shape: &dyn Fn(usize) -> Vec<usize>| -> Vec<ArrayD<f64>> {
            self.lengths.iter().map(|&length| numbers.rough(&shape(length))).collect()
        };
        let x = each(&|length| vec![length, FEATURES]);
        let parts: Vec<_> = self.widths().into_iter().map(|width| each(&|_| vec![1, width])).collect();
        let mut pairs = |shape: &dyn Fn(usize) -> Vec<usize>| -> Vec<[ArrayD<f64>; 2]> {
            each(shape).into_iter().zip(each(shape)).map(|(a, b)| [a, b]).collect()
        };
        let at_hidden = pairs(&|length| vec![length, self.shown()]);
        let at_parts: Vec<_> = self.widths().into_iter().map(|width| pairs(&|_| vec![1, width])).collect();
        let of_samples = |sample: usize| parts.iter().map(|part| part[sample].clone()).collect();
        let at_samples = |sample: usize| at_parts.iter().map(|part| part[sample].clone()).collect();
        let samples = 0..self.lengths.len();
        Numbered {
            weights,
            x,
            state: samples.clone().map(of_samples).collect(),
            at_hidden,
            at_state: samples.map(at_samples).collect(),
        }
    }
}

/// A tape that is being written, and the relevance that arrives at its outputs.
struct Run {
    writer: TapeWriter<Array>,
    seeds: Vec<(ValueId, Relevance<Array>)>,
    mode: Mode,
    rules: RuleSet,
}

impl Run {
    fn new(case: &Case) -> Self {
        let mut writer = TapeWriter::new();
        writer.tape.reads = case.rules.reads();
        Self { writer, seeds: Vec::new(), mode: case.mode, rules: case.rules.clone() }
    }

    fn input(&mut self, data: &ArrayD<f64>) -> Operand<Array> {
        let data = Array::new(data.clone());
        let value = self.writer.tape.value(Meta::new(data.shape(), data.dtype()));
        self.writer.tape.inputs.push(value);
        Operand::new(value, data)
    }

    fn state(&mut self, case: &Case, parts: &[ArrayD<f64>]) -> Vec<Operand<Array>> {
        parts
            .iter()
            .map(|part| match case.explained_state {
                true => self.input(part),
                false => self.writer.constant(Array::new(part.clone())),
            })
            .collect()
    }

    fn arrives(&mut self, at: &Operand<Array>, [first, second]: &[ArrayD<f64>; 2]) {
        let array = |values: &ArrayD<f64>| Array::new(values.clone());
        let relevance = match self.mode {
            Mode::Default => Relevance::default_mode(array(first)),
            Mode::Contrastive => Relevance::contrastive(array(first), array(second)),
        };
        self.writer.tape.outputs.push(at.value);
        self.seeds.push((at.value, relevance));
    }

    /// The relevance of each input, its channels beside each other, and the losses.
    fn walked(self) -> (Vec<ArrayD<f64>>, BTreeMap<Loss, Amount>) {
        let prepared = self.writer.tape.prepare(&PrepareOptions::default(), &WeightCache::new(0)).unwrap();
        let weights = WeightCache::new(0);
        let walk = WalkOptions { rules: self.rules, ..WalkOptions::default() };
        let outcome = prepared.backtrace(self.seeds, &weights, walk, &mut ()).unwrap();
        assert!(outcome.ledger.closes(), "{:?}", outcome.ledger.open_entries().collect::<Vec<_>>());
        let channels = |relevance: Option<Relevance<Array>>| {
            let relevance = relevance.expect("relevance reaches every input");
            let first = relevance.first().to_array().unwrap();
            let second =
                relevance.second().map_or_else(|| first.mapv(|_| 0.0), |second| second.to_array().unwrap());
            concatenate(Axis(1), &[first.view(), second.view()]).unwrap()
        };
        (outcome.inputs.into_iter().map(channels).collect(), outcome.ledger.losses())
    }
}

/// One sample, one operator after the other.
fn written_out(
    case: &Case,
    numbered: &Numbered,
    sample: usize,
) -> (Vec<ArrayD<f64>>, BTreeMap<Loss, Amount>) {
    let mut run = Run::new(case);
    let x = run.input(&numbered.x[sample]);
    let mut state = run.state(case, &numbered.state[sample]);
    let weights: BTreeMap<_, _> = numbered
        .weights
        .iter()
        .map(|(&name, weight)| (name, run.writer.constant(Array::new(weight.clone()))))
        .collect();
    let writer = &mut run.writer;
    let projected = writer.linear(&x, &weights["W"], weights.get("b")).unwrap();
    let mut steps = writer.parts(&projected, 0, &vec![1; case.lengths[sample]]).unwrap();
    if case.reversed {
        steps.reverse();
    }
    let mut hidden = Vec::new();
    for x in &steps {
        let r = writer.linear(&state[0], &weights["U"], weights.get("c")).unwrap();
        state = cell(case, writer, x, &r, &state, weights.get("P"));
        hidden.push(state[0].clone());
    }
    if case.reversed {
        hidden.reverse();
    }
    let hidden = writer.concat(hidden, 0).unwrap();
    run.arrives(&hidden, &numbered.at_hidden[sample]);
    for (part, arrives) in state.iter().zip(&numbered.at_state[sample]) {
        run.arrives(part, arrives);
    }
    run.walked()
}

fn cell(
    case: &Case,
    writer: &mut TapeWriter<Array>,
    x: &Operand<Array>,
    r: &Operand<Array>,
    state: &[Operand<Array>],
    projection: Option<&Operand<Array>>,
) -> Vec<Operand<Array>> {
    match case.cell {
        Cell::Lstm => {
            let sum = writer.sum(x, r).unwrap();
            let parts = writer.parts(&sum, 1, &[WIDTH; 4]).unwrap();
            let [i, f, o] = [0, 1, 3].map(|gate| sigmoid(writer, &parts[gate]));
            let g = activated(writer, &parts[2], Function::Tanh, Unary::Tanh);
            let kept = writer.product(&f, &state[1]).unwrap();
            let added = writer.product(&i, &g).unwrap();
            let memory = writer.sum(&kept, &added).unwrap();
            let shown = activated(writer, &memory, Function::Tanh, Unary::Tanh);
            let hidden = writer.product(&o, &shown).unwrap();
            let hidden = match projection {
                Some(projection) => writer.linear(&hidden, projection, None).unwrap(),
                None => hidden,
            };
            vec![hidden, memory]
        }
        Cell::Gru => {
            let [x, r] = [x, r].map(|x| writer.parts(x, 1, &[WIDTH; 3]).unwrap());
            let [reset, update] = [0, 1].map(|gate| {
                let sum = writer.sum(&x[gate], &r[gate]).unwrap();
                sigmoid(writer, &sum)
            });
            let recalled = writer.product(&reset, &r[2]).unwrap();
            let sum = writer.sum(&x[2], &recalled).unwrap();
            let new = activated(writer, &sum, Function::Tanh, Unary::Tanh);
            let rest = update.data().unwrap().complement().unwrap();
            let complement = Box::new(Sum { factors: vec![-1.0], constant: 1.0 });
            let rest = writer.inner(complement, vec![update.clone()], rest);
            let replaced = writer.product(&rest, &new).unwrap();
            let kept = writer.product(&update, &state[0]).unwrap();
            vec![writer.sum(&replaced, &kept).unwrap()]
        }
        Cell::Tanh => {
            let sum = writer.sum(x, r).unwrap();
            vec![activated(writer, &sum, Function::Tanh, Unary::Tanh)]
        }
        Cell::Relu => {
            let sum = writer.sum(x, r).unwrap();
            vec![activated(writer, &sum, Function::Other, Unary::Positive)]
        }
    }
}

fn sigmoid(writer: &mut TapeWriter<Array>, x: &Operand<Array>) -> Operand<Array> {
    activated(writer, x, Function::Sigmoid, Unary::Sigmoid)
}

fn activated(
    writer: &mut TapeWriter<Array>,
    x: &Operand<Array>,
    function: Function,
    unary: Unary,
) -> Operand<Array> {
    let data = x.data().unwrap().unary(unary).unwrap();
    writer.pass(Pass::function(function), x, data)
}

/// All samples at once; if `known`, h of all rows is given.
fn layer(case: &Case, numbered: &Numbered, known: bool) -> (Vec<ArrayD<f64>>, BTreeMap<Loss, Amount>) {
    let mut run = Run::new(case);
    let x = run.input(&by_steps(&numbered.x.iter().collect::<Vec<_>>()));
    let parts = |part: usize| stacked(numbered.state.iter().map(|state| &state[part]));
    let state: Vec<_> = (0..case.widths().len()).map(parts).collect();
    let state = run.state(case, &state);
    let mut weight = |name| {
        numbered.weights.get(name).map(|weight: &ArrayD<f64>| run.writer.constant(Array::new(weight.clone())))
    };
    let layer = Layer {
        cell: case.cell,
        input: weight("W").unwrap(),
        input_bias: weight("b"),
        recurrent: weight("U").unwrap(),
        recurrent_bias: weight("c"),
        projection: weight("P"),
        reversed: case.reversed,
    };
    let counts: Vec<usize> = (0..case.lengths[0])
        .map(|step| case.lengths.iter().filter(|&&length| length > step).count())
        .collect();
    let hidden = known.then(|| {
        let mut writer = TapeWriter::new();
        layer.unroll(&mut writer, &x, &counts, &state, None).unwrap().hidden.data().unwrap().clone()
    });
    let unrolled = layer.unroll(&mut run.writer, &x, &counts, &state, hidden).unwrap();
    let [first, second] =
        [0, 1].map(|channel| by_steps(&numbered.at_hidden.iter().map(|at| &at[channel]).collect::<Vec<_>>()));
    run.arrives(&unrolled.hidden, &[first, second]);
    for (part, operand) in unrolled.state.iter().enumerate() {
        let channels = [0, 1].map(|channel| stacked(numbered.at_state.iter().map(|at| &at[part][channel])));
        run.arrives(operand, &channels);
    }
    run.walked()
}

/// Rows step after step, as packed sequences have them.
fn by_steps(samples: &[&ArrayD<f64>]) -> ArrayD<f64> {
    let rows: Vec<_> = (0..samples[0].shape()[0])
        .flat_map(|step| {
            samples.iter().filter(move |x| x.shape()[0] > step).map(move |x| x.index_axis(Axis(0), step))
        })
        .collect();
    ndarray::stack(Axis(0), &rows).unwrap()
}

fn stacked<'a>(parts: impl Iterator<Item = &'a ArrayD<f64>>) -> ArrayD<f64> {
    let parts: Vec<_> = parts.map(|part| part.view()).collect();
    concatenate(Axis(0), &parts).unwrap()
}

/// Compares a layer with its cell written out, sample by sample.
fn compare(case: &Case, tolerance: f64) {
    let numbered = case.numbered();
    let samples: Vec<_> =
        (0..case.lengths.len()).map(|sample| written_out(case, &numbered, sample)).collect();
    let mut expected = vec![by_steps(&samples.iter().map(|(found, _)| &found[0]).collect::<Vec<_>>())];
    expected
        .extend((1..samples[0].0.len()).map(|part| stacked(samples.iter().map(|(found, _)| &found[part]))));
    let mut lost: BTreeMap<Loss, Amount> = BTreeMap::new();
    for (loss, amount) in samples.iter().flat_map(|(_, lost)| lost) {
        *lost.entry(*loss).or_default() += *amount;
    }
    for known in [false, true] {
        let (found, found_lost) = layer(case, &numbered, known);
        for (found, expected) in found.iter().zip(&expected) {
            assert!(distance(found, expected) < tolerance, "{found} is not {expected} in {case:?}");
        }
        for loss in lost.keys().chain(found_lost.keys()) {
            let amount = |lost: &BTreeMap<Loss, Amount>| lost.get(loss).copied().unwrap_or_default();
            let gap = (amount(&lost) - amount(&found_lost)).magnitude();
            assert!(
                gap < tolerance * amount(&lost).magnitude().max(1.0),
                "{loss:?} is off by {gap} in {case:?}: {lost:?}, {found_lost:?}, known: {known}"
            );
        }
    }
}

#[test]
fn a_layer_is_its_cell_written_out() {
    for_all(200, cases(), |case: Case| compare(&case, TOLERANCE));
}

/// Where a set has no rule for recurrent layers, the parts of the cell take theirs.
#[test]
fn a_layer_goes_by_the_rules_of_its_parts() {
    for_all(200, cases_by_parts(), |case: Case| compare(&case, 1e-6));
}
