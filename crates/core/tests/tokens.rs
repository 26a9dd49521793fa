//! Counts of tokens, and what is added to their embeddings (rules, "Counts" and "What is added to an embedding").

use dlbacktrace_core::analysis::PrepareOptions;
use dlbacktrace_core::array::Array;
use dlbacktrace_core::ops::{IndexAdd, Slice, Sum, TokenScatter};
use dlbacktrace_core::{
    Backtrace, DType, Function, Loss, Range, Relevance, Tensor, ValueId, WalkOptions, WeightCache,
};
use ndarray::{ArrayD, arr1, arr2};
use testkit::net::Net;

/// Which of two groups each of four rows belongs to.
const GROUPS: [f64; 4] = [0.0, 1.0, 1.0, 0.0];

fn integers(values: &[f64]) -> Array {
    Array::from_slice(&[values.len()], values).cast(DType::Int).unwrap()
}

/// Rows of x added up by group.
fn totals(net: &mut Net, x: ValueId) -> ValueId {
    let mut result = ArrayD::zeros(vec![2, 3]);
    for (row, &group) in GROUPS.iter().enumerate() {
        for column in 0..3 {
            result[[group as usize, column]] += net.data(x)[[row, column]];
        }
    }
    net.step(IndexAdd { axis: 0, index: integers(&GROUPS) }, &[x], result, DType::F64)
}

/// The size of each group: ones added where the tokens say.
fn scattered(net: &mut Net, groups: ValueId) -> ValueId {
    let ones = net.number(ArrayD::ones(vec![4]));
    let placed = net.step(TokenScatter, &[ones, groups], ArrayD::ones(vec![4]), DType::F64);
    let count = arr1(&[2.0, 2.0]).into_dyn();
    net.step(IndexAdd { axis: 0, index: integers(&GROUPS) }, &[placed], count, DType::F64)
}

/// The same as a sum of one-hot rows.
fn spread(net: &mut Net, groups: ValueId) -> ValueId {
    let rows = net.one_hot(groups);
    let rows = net.identity(rows, DType::F64);
    let turned = net.transposed(rows);
    let count = net.sum(turned);
    let both = Slice { regions: vec![vec![Range::span(0, 2), Range::span(0, 1)]] };
    let count = net.step(both, &[count], arr2(&[[2.0], [2.0]]).into_dyn(), DType::F64);
    net.reshape(count, &[2])
}

fn groups(net: &mut Net) -> ValueId {
    let groups = net.tokens(&[4]);
    net.set(groups, arr1(&GROUPS).into_dyn());
    groups
}

fn explained(mut net: Net, from: ValueId, contrastive: bool) -> (Backtrace<Array>, Relevance<Array>) {
    let relevance = net.relevance(from, contrastive);
    (net.explain(from, relevance.clone()).unwrap(), relevance)
}

fn total(relevance: Option<&Relevance<Array>>) -> f64 {
    relevance.map_or(0.0, |relevance| relevance.amount().unwrap().positive)
}

/// A mean over the rows of each group: divided by the clamped count, or multiplied with its inverse.
#[test]
fn a_count_that_divides_takes_nothing() {
    for contrastive in [false, true] {
        for count in [scattered, spread] {
            for inverse in [false, true] {
                let mut net = Net::new();
                let (x, groups) = (net.input(&[4, 3]), groups(&mut net));
                let sums = totals(&mut net, x);
                let count = count(&mut net, groups);
                let count = net.function(Function::Magnitude, count, |count| count.max(1.0));
                let count = net.reshape(count, &[2, 1]);
                let y = if inverse {
                    let inverse = net.power(count, -1.0);
                    net.mul(sums, inverse)
                } else {
                    net.div(sums, count)
                };
                let (outcome, relevance) = explained(net, y, contrastive);
                assert!(outcome.inputs[1].is_none(), "the groups take nothing");
                let lost: f64 = outcome.ledger.losses().values().map(|amount| amount.positive).sum();
                let found = total(outcome.inputs[0].as_ref()) + lost;
                assert!((found - relevance.amount().unwrap().positive).abs() < 1e-12);
                assert!(contrastive || lost == 0.0, "the rows take all");
            }
        }
    }
}

/// Before weights a count is a bag of words: the tokens take all.
#[test]
fn a_count_before_weights_is_a_bag_of_words() {
    let mut net = Net::new();
    let groups = groups(&mut net);
    let count = scattered(&mut net, groups);
    let row = net.reshape(count, &[1, 2]);
    let weight = net.constant(&[2, 3]);
    let y = net.matmul(row, weight);
    let (outcome, relevance) = explained(net, y, false);
    let expected = relevance.amount().unwrap().positive;
    assert!((total(outcome.inputs[0].as_ref()) - expected).abs() < 1e-12);
}

/// One-hot rows times numbers move the numbers.
#[test]
fn rows_of_ones_take_nothing_of_numbers() {
    let mut net = Net::new();
    let (x, groups) = (net.input(&[4, 3]), groups(&mut net));
    let rows = net.one_hot(groups);
    let rows = net.identity(rows, DType::F64);
    let turned = net.transposed(rows);
    let y = net.matmul(turned, x);
    let relevance = net.relevance(y, false).map(|channel| channel.abs()).unwrap();
    let outcome = net.explain(y, relevance).unwrap();
    assert!(outcome.inputs[1].is_none());
    assert!(total(outcome.inputs[0].as_ref()) > 0.0);
}

/// The embeddings of tokens, scaled, and their positions.
fn placed_tokens(whole: bool) -> (Vec<f64>, f64, Vec<bool>) {
    let mut net = Net::new();
    let tokens = net.tokens(&[1, 3]);
    let words = net.embedding(tokens, 4);
    let words = net.scale(words, 2.0);
    let positions = net.constant(&[1, 3, 4]);
    let y = net.add(words, positions);
    let start = Relevance::default_mode(Array::new(net.data(y).clone()));
    let prepared = net.prepared(&PrepareOptions { whole_tokens: whole, ..PrepareOptions::default() });
    let adds = prepared.steps().iter().map(|step| step.adds).collect();
    let outcome =
        prepared.backtrace(vec![(y, start)], &WeightCache::new(0), WalkOptions::default(), &mut ()).unwrap();
    let constant = outcome.ledger.losses().get(&Loss::Constant).map_or(0.0, |amount| amount.positive);
    let tokens = outcome.inputs[0].as_ref().unwrap().first().to_array().unwrap();
    (tokens.into_iter().collect(), constant, adds)
}

#[test]
fn what_is_added_to_an_embedding_is_the_tokens_on_request() {
    let mut net = Net::new();
    let tokens = net.tokens(&[1, 3]);
    let words = net.embedding(tokens, 4);
    let words = net.scale(words, 2.0);
    let positions = net.constant(&[1, 3, 4]);
    let y = net.add(words, positions);
    let sums = net.data(y).rows().into_iter().map(|row| row.sum()).collect::<Vec<f64>>();
    let (words, positions) = (net.data(words), net.data(positions));
    let taken: f64 = words.iter().zip(positions).map(|(w, p)| (w + p) * p.abs() / (p.abs() + w.abs())).sum();

    let (own, constant, adds) = placed_tokens(false);
    assert!((constant - taken).abs() < 1e-12 && adds.contains(&true));
    assert!((own.iter().sum::<f64>() + taken - sums.iter().sum::<f64>()).abs() < 1e-12);
    let (whole, constant, adds) = placed_tokens(true);
    assert_eq!(constant, 0.0);
    assert!(!adds.contains(&true));
    assert!(whole.iter().zip(&sums).all(|(found, expected)| (found - expected).abs() < 1e-12));
}

/// On request, two embeddings take all of a sum with a constant, whether the sum is one step or two.
#[test]
fn what_is_added_to_several_embeddings_is_shared_among_them() {
    let whole = |apart: bool| {
        let mut net = Net::new();
        let (words, kinds) = (net.tokens(&[1, 3]), net.tokens(&[1, 3]));
        let [a, b] = [words, kinds].map(|tokens| net.embedding(tokens, 4));
        let positions = net.constant(&[1, 3, 4]);
        let y = if apart {
            let both = net.add(a, b);
            net.add(both, positions)
        } else {
            let sum = net.data(a) + net.data(b) + net.data(positions);
            net.step(Sum { factors: vec![1.0; 3], constant: 0.0 }, &[a, b, positions], sum, DType::F64)
        };
        let start = Relevance::default_mode(Array::new(net.data(y).clone()));
        let prepared = net.prepared(&PrepareOptions { whole_tokens: true, ..PrepareOptions::default() });
        let outcome = prepared
            .backtrace(vec![(y, start)], &WeightCache::new(0), WalkOptions::default(), &mut ())
            .unwrap();
        assert!(!outcome.ledger.losses().contains_key(&Loss::Constant));
        let shares = outcome.inputs.iter().flatten().map(|share| share.first().to_array().unwrap());
        shares.flatten().collect::<Vec<f64>>()
    };
    let (apart, together) = (whole(true), whole(false));
    assert_eq!(apart.len(), 6);
    assert!(apart.iter().zip(&together).all(|(a, b)| (a - b).abs() < 1e-12), "{apart:?} {together:?}");
}
