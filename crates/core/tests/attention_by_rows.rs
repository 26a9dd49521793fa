//! Attention walked a block of heads and rows at a time is attention walked step by step.

use dlbacktrace_core::analysis::PrepareOptions;
use dlbacktrace_core::array::Array;
use dlbacktrace_core::{
    DType, Ledger, Loss, Observer, Place, Relevance, Result, Tensor, ValueId, WalkOptions, WeightCache, ops,
};
use ndarray::{ArrayD, Ix3, s};
use std::collections::BTreeMap;
use testkit::net::Net;
use testkit::numbers::Numbers;

const HEADS: usize = 4;
/// Long enough for several blocks of rows, masked or not.
const LENGTH: usize = 520;
const WIDTH: usize = 4;

/// Relevance of every value by the step that made it.
#[derive(Default)]
struct Values(BTreeMap<String, Vec<ArrayD<f64>>>);

impl Observer<Array> for Values {
    fn arrived(&mut self, _: ValueId, operator: &str, _: &Place, relevance: &Relevance<Array>) -> Result<()> {
        self.0.insert(operator.into(), channels(relevance));
        Ok(())
    }

    fn watches(&self, _: ValueId) -> bool {
        true
    }
}

fn channels(relevance: &Relevance<Array>) -> Vec<ArrayD<f64>> {
    let channels = [Some(relevance.first()), relevance.second()];
    channels.into_iter().flatten().map(|channel| channel.to_array().unwrap()).collect()
}

#[derive(Clone)]
struct Attention {
    /// Q, K and V `[heads, T, width]`; one head of any may serve all others.
    inputs: [ArrayD<f64>; 3],
    mask: Option<ArrayD<f64>>,
    relevance: Vec<ArrayD<f64>>,
}

struct Explained {
    inputs: Vec<Vec<ArrayD<f64>>>,
    values: Values,
    ledger: Ledger,
}

impl Attention {
    fn new(mask: Option<ArrayD<f64>>, contrastive: bool) -> Self {
        let mut numbers = Numbers::new(3);
        let mut draw = || numbers.rough(&[HEADS, LENGTH, WIDTH]);
        let inputs = [draw(), draw(), draw()];
        let relevance = (0..if contrastive { 2 } else { 1 }).map(|_| draw()).collect();
        Self { inputs, mask, relevance }
    }

    /// In blocks, or step by step: a value that the model returns too is walked on its own.
    fn explain(&self, in_blocks: bool) -> Explained {
        let mut net = Net::new();
        let [query, key, value] = self.inputs.clone().map(|x| net.given(x));
        let key = net.transposed(key);
        let mut tables = vec![net.matmul(query, key)];
        tables.push(net.scale(tables[0], 0.4));
        if let Some(mask) = &self.mask {
            let mask = net.number(mask.clone());
            tables.push(net.add(tables[1], mask));
        }
        let attention = net.softmax(tables[tables.len() - 1]);
        tables.push(attention);
        let result = net.matmul(attention, value);
        if !in_blocks {
            for table in tables {
                net.returns(table);
            }
        }
        self.walk(net, result)
    }

    /// All in one operator.
    fn explain_fused(&self, causal: bool) -> Explained {
        let mut net = Net::new();
        let mut operands = self.inputs.clone().map(|x| net.given(x)).to_vec();
        if let Some(mask) = self.mask.as_ref().filter(|_| !causal) {
            operands.push(net.number(mask.clone()));
        }
        // The rule reads only the operands, so the result may be anything.
        let result = ArrayD::zeros(self.relevance[0].shape());
        let result = net.step(ops::Attention { scale: 0.4, causal }, &operands, result, DType::F64);
        self.walk(net, result)
    }

    fn walk(&self, mut net: Net, result: ValueId) -> Explained {
        net.returns(result);
        let mut given = self.relevance.iter().cloned().map(Array::new);
        let relevance = match (given.next(), given.next()) {
            (Some(positive), Some(negative)) => Relevance::contrastive(positive, negative),
            (first, _) => Relevance::default_mode(first.unwrap()),
        };
        let mut values = Values::default();
        let (weights, options) = (WeightCache::new(0), WalkOptions::default());
        let prepared = net.prepared(&PrepareOptions::default());
        let outcome = prepared.backtrace(vec![(result, relevance)], &weights, options, &mut values).unwrap();
        assert!(outcome.ledger.closes(), "open: {:?}", outcome.ledger.open_entries().collect::<Vec<_>>());
        let inputs = outcome.inputs.iter().map(|input| channels(input.as_ref().unwrap())).collect();
        Explained { inputs, values, ledger: outcome.ledger }
    }

    /// Blocks, single steps and one operator give the same.
    fn check(&self) -> Explained {
        let together = self.explain(true);
        let is_causal = self.mask.as_ref().is_some_and(|mask| *mask == causal());
        for causal in [false, true].into_iter().filter(|causal| !causal || is_causal) {
            let fused = self.explain_fused(causal);
            for (a, b) in together.inputs.iter().flatten().zip(fused.inputs.iter().flatten()) {
                let gap = (a - b).iter().fold(0.0_f64, |gap, x| gap.max(x.abs()));
                assert!(gap < 1e-12, "fused attention is off by {gap}");
            }
            let lost = |explained: &Explained| explained.ledger.losses();
            for (loss, amount) in lost(&together) {
                let gap = lost(&fused)[&loss] - amount;
                assert!(gap.magnitude() < 1e-9, "fused attention loses {gap:?} more to {loss:?}");
            }
        }
        let steps = self.explain(false);
        let values = together.values.0.iter().map(|(step, value)| (value, &steps.values.0[step]));
        for (blocks, whole) in together.inputs.iter().zip(&steps.inputs).chain(values) {
            for (blocks, whole) in blocks.iter().zip(whole) {
                let gap = (blocks - whole).iter().fold(0.0_f64, |gap, x| gap.max(x.abs()));
                assert!(gap < 1e-12, "blocks are off by {gap}");
            }
        }
        let operators = |ledger: &Ledger| -> Vec<String> {
            ledger.entries.iter().map(|entry| entry.operator.clone()).collect()
        };
        assert_eq!(operators(&together.ledger), operators(&steps.ledger));
        together
    }
}

fn causal() -> ArrayD<f64> {
    ArrayD::from_shape_fn(vec![LENGTH, LENGTH], |at| if at[1] > at[0] { f64::NEG_INFINITY } else { 0.0 })
}

#[test]
fn without_a_mask() {
    Attention::new(None, false).check();
    Attention::new(None, true).check();
}

#[test]
fn under_a_causal_mask() {
    for contrastive in [false, true] {
        let explained = Attention::new(Some(causal()), contrastive).check();
        let scores = explained.values.0["step 1"][0].clone().into_dimensionality::<Ix3>().unwrap();
        assert!(scores.slice(s![.., 0, 1..]).iter().all(|share| *share == 0.0), "the future received");
        assert!(scores.slice(s![.., LENGTH - 1, LENGTH - 1]).iter().all(|share| *share != 0.0));
    }
}

#[test]
fn under_a_mask_that_takes_its_share() {
    let mask = ArrayD::from_shape_fn(vec![1, LENGTH], |at| if at[1] < 250 { 0.0 } else { -0.5 });
    for contrastive in [false, true] {
        let explained = Attention::new(Some(mask.clone()), contrastive).check();
        let lost = explained.ledger.losses();
        assert_eq!(lost.contains_key(&Loss::Constant), !contrastive, "{lost:?}");
    }
}

#[test]
fn where_only_some_rows_are_asked_for() {
    for contrastive in [false, true] {
        let mut attention = Attention::new(Some(causal()), contrastive);
        for channel in &mut attention.relevance {
            channel.slice_mut(s![.., ..300, ..]).fill(0.0);
        }
        attention.check();
    }
}

#[test]
fn where_one_head_serves_all() {
    for shared in [&[0, 1][..], &[0], &[1, 2]] {
        let mut attention = Attention::new(None, false);
        for &input in shared {
            attention.inputs[input] = attention.inputs[input].slice(s![..1, .., ..]).to_owned().into_dyn();
        }
        attention.check();
    }
}

/// Scores of 0 can hand nothing on, masked or not: what reaches them is lost.
#[test]
fn rows_of_nothing_lose_what_reaches_them() {
    let mut attention = Attention::new(Some(causal()), false);
    attention.inputs[0].slice_mut(s![.., 130..140, ..]).fill(0.0);
    let explained = attention.check();
    assert!(explained.ledger.losses().contains_key(&Loss::ZeroDenominator));
}
