//! Decisions made from the inputs (rules, "Decisions that the model takes"): what they carry, and where relevance ends.

use dlbacktrace_core::array::Array;
use dlbacktrace_core::ops::{Decision, Extremum, Pass, Rearrange, Select, Slice};
use dlbacktrace_core::{Backtrace, DType, Loss, Range, Relevance, Tensor, ValueId};
use ndarray::{ArrayD, arr1, arr2};
use testkit::net::Net;

fn row(values: &[f64]) -> ArrayD<f64> {
    arr1(values).into_dyn()
}

/// Where x is above a limit.
fn above(net: &mut Net, x: ValueId, limit: f64) -> ValueId {
    let result = net.data(x).mapv(|x| f64::from(u8::from(x > limit)));
    net.step(Decision::Each, &[x], result, DType::Bool)
}

fn float(net: &mut Net, x: ValueId) -> ValueId {
    net.identity(x, DType::F64)
}

fn both(net: &mut Net, a: ValueId, b: ValueId) -> ValueId {
    let result = net.data(a) * net.data(b);
    net.step(Decision::Each, &[a, b], result, DType::Bool)
}

fn column(net: &mut Net, x: ValueId, index: usize) -> ValueId {
    let result = row(&[net.data(x)[[index]]]);
    net.step(Slice { regions: vec![vec![Range::span(index, 1)]] }, &[x], result, DType::F64)
}

fn start(net: &Net, from: ValueId, contrastive: bool) -> Relevance<Array> {
    let m = Array::new(net.data(from).clone());
    if contrastive {
        Relevance::contrastive(m.clone(), m.scale(0.5).unwrap())
    } else {
        Relevance::default_mode(m)
    }
}

fn explained(net: Net, from: ValueId, contrastive: bool) -> Backtrace<Array> {
    let relevance = start(&net, from, contrastive);
    net.explain(from, relevance).unwrap()
}

/// What input `index` received.
fn received(outcome: &Backtrace<Array>, index: usize) -> Vec<f64> {
    let relevance = outcome.inputs[index].as_ref();
    relevance.map(|relevance| relevance.first().to_array().unwrap().into_iter().collect()).unwrap_or_default()
}

#[track_caller]
fn close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{found:?}");
    let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12);
    assert!(near, "{found:?} instead of {expected:?}");
}

fn lost(outcome: &Backtrace<Array>, loss: Loss) -> f64 {
    outcome.ledger.losses().get(&loss).map_or(0.0, |amount| amount.positive)
}

/// y = 5·[x₀ > 0.5] + 0.1·x₁, in both modes.
#[test]
fn a_threshold_is_the_number_that_passed_it() {
    for contrastive in [false, true] {
        let mut net = Net::new();
        let (a, b) = (net.given(row(&[0.9])), net.given(row(&[0.8])));
        let decided = above(&mut net, a, 0.5);
        let decided = float(&mut net, decided);
        let (five, tenth) = (net.scale(decided, 5.0), net.scale(b, 0.1));
        let y = net.add(five, tenth);
        let outcome = explained(net, y, contrastive);
        close(&received(&outcome, 0), &[5.0]);
        close(&received(&outcome, 1), &[0.08]);
        assert!(outcome.ledger.losses().is_empty());
    }
}

/// [x₀ − 0.5 > 0] is [x₀ > 0.5]; a difference that others read as a number is a number.
#[test]
fn a_limit_that_is_subtracted_is_part_of_the_comparison() {
    for read in [false, true] {
        let mut net = Net::new();
        let x = net.given(row(&[0.9]));
        let limit = net.number(row(&[0.5]));
        let difference = net.sub(x, limit);
        let decided = above(&mut net, difference, 0.0);
        let decided = float(&mut net, decided);
        let y = net.scale(decided, 5.0);
        let y = if read { net.add(y, difference) } else { y };
        let outcome = explained(net, y, false);
        assert_eq!(outcome.ledger.losses().contains_key(&Loss::Constant), read);
        if !read {
            close(&received(&outcome, 0), &[5.0]);
        }
    }
}

/// In where([x₀ > 0.5], 5, 2) the condition takes what lands on the constants.
#[test]
fn what_a_condition_chose_of_constants_is_the_conditions() {
    for (given, expected) in [(0.9, 5.0), (0.1, 2.0)] {
        let mut net = Net::new();
        let (a, b) = (net.given(row(&[given])), net.given(row(&[0.8])));
        let decided = above(&mut net, a, 0.5);
        let (five, two) = (net.number(row(&[5.0])), net.number(row(&[2.0])));
        let chosen =
            net.step(Select { a: Some(1), b: Some(2) }, &[decided, five, two], row(&[expected]), DType::F64);
        let y = net.add(chosen, b);
        let outcome = explained(net, y, false);
        close(&received(&outcome, 0), &[expected]);
        close(&received(&outcome, 1), &[0.8]);
    }
}

/// where(x > 1, 1, x) is a clamp, and passes as one; in where([x₀ > 0.5], x₁, 7) x₁ takes its elements, and x₀ those of 7.
#[test]
fn a_limit_written_as_a_choice_is_passed() {
    let mut net = Net::new();
    let x = net.given(row(&[0.4, 3.0]));
    let decided = above(&mut net, x, 1.0);
    let clamped = net.step(Select { a: None, b: Some(1) }, &[decided, x], row(&[0.4, 1.0]), DType::F64);
    close(&received(&explained(net, clamped, false), 0), &[0.4, 1.0]);

    let mut net = Net::new();
    let (a, b) = (net.given(row(&[0.9, 0.1])), net.given(row(&[2.0, 3.0])));
    let decided = above(&mut net, a, 0.5);
    let seven = net.number(row(&[7.0]));
    let y = net.step(Select { a: Some(1), b: Some(2) }, &[decided, b, seven], row(&[2.0, 7.0]), DType::F64);
    let outcome = explained(net, y, false);
    close(&received(&outcome, 0), &[0.0, 7.0]);
    close(&received(&outcome, 1), &[2.0, 0.0]);
}

/// x·[x > 0] is a ReLU: as a factor of a number, a decision takes nothing.
#[test]
fn a_decision_beside_a_number_takes_nothing() {
    for contrastive in [false, true] {
        let mut net = Net::new();
        let x = net.given(row(&[0.4, -3.0]));
        let decided = above(&mut net, x, 0.0);
        let open = float(&mut net, decided);
        let y = net.mul(x, open);
        close(&received(&explained(net, y, contrastive), 0), &[0.4, -0.0]);
    }
    let mut net = Net::new();
    let (a, b) = (net.given(row(&[0.9])), net.given(row(&[0.8])));
    let decided = above(&mut net, a, 0.5);
    let decided = float(&mut net, decided);
    let y = net.mul(decided, b);
    let outcome = explained(net, y, false);
    close(&received(&outcome, 1), &[0.8]);
    assert!(received(&outcome, 0).is_empty());
}

/// 3·[x₀ > 0.5 and x₁ > 0.2] + x₂, as truth values and as a product.
#[test]
fn what_several_numbers_decide_ends() {
    for product in [false, true] {
        for contrastive in [false, true] {
            let mut net = Net::new();
            let inputs = [0.9, 0.7, 1.0].map(|x| net.given(row(&[x])));
            let (first, second) = (above(&mut net, inputs[0], 0.5), above(&mut net, inputs[1], 0.2));
            let decided = if product {
                let (first, second) = (float(&mut net, first), float(&mut net, second));
                net.mul(first, second)
            } else {
                let decided = both(&mut net, first, second);
                float(&mut net, decided)
            };
            let three = net.scale(decided, 3.0);
            let y = net.add(three, inputs[2]);
            let outcome = explained(net, y, contrastive);
            assert!((lost(&outcome, Loss::Decision) - 3.0).abs() < 1e-12);
            close(&received(&outcome, 2), &[1.0]);
            assert_eq!(outcome.ledger.losses().len(), 1, "nothing is lost to constants");
        }
    }
}

/// 3·[0.2 < x₀ < 0.95], where x₀ is cut out of x twice: one number decides.
#[test]
fn an_interval_is_about_one_number() {
    for product in [false, true] {
        let mut net = Net::new();
        let x = net.given(row(&[0.9, 0.3]));
        let (once, again) = (column(&mut net, x, 0), column(&mut net, x, 0));
        let low = above(&mut net, once, 0.2);
        let high = net.data(again).mapv(|x| f64::from(u8::from(x < 0.95)));
        let high = net.step(Decision::Each, &[again], high, DType::Bool);
        let inside = if product {
            let (low, high) = (float(&mut net, low), float(&mut net, high));
            net.mul(low, high)
        } else {
            let inside = both(&mut net, low, high);
            float(&mut net, inside)
        };
        let y = net.scale(inside, 3.0);
        close(&received(&explained(net, y, false), 0), &[3.0, 0.0]);
    }
}

/// where([x₀ > 0.5], where([x₁ > 0.2], 1, 2), 3): a tree of two numbers, or bins if x₁ is x₀.
#[test]
fn choices_of_choices_are_decided_by_all_of_them() {
    for one in [false, true] {
        let mut net = Net::new();
        let (a, b) = (net.given(row(&[0.9])), net.given(row(&[0.8])));
        let (outer, inner) = (above(&mut net, a, 0.5), above(&mut net, if one { a } else { b }, 0.2));
        let leaves = [1.0, 2.0, 3.0].map(|leaf| net.number(row(&[leaf])));
        let choice = Select { a: Some(1), b: Some(2) };
        let chosen = net.step(choice, &[inner, leaves[0], leaves[1]], row(&[1.0]), DType::F64);
        let y = net.step(choice, &[outer, chosen, leaves[2]], row(&[1.0]), DType::F64);
        let outcome = explained(net, y, false);
        assert_eq!(lost(&outcome, Loss::Decision), if one { 0.0 } else { 1.0 });
        close(&received(&outcome, 0), if one { &[1.0] } else { &[] });
    }
}

/// The shares of two numbers that are compared are not known.
#[test]
fn of_two_numbers_compared_neither_takes_it() {
    let mut net = Net::new();
    let (a, b) = (net.given(row(&[0.9])), net.given(row(&[0.8])));
    let decided = net.step(Decision::Each, &[a, b], row(&[1.0]), DType::Bool);
    let y = float(&mut net, decided);
    assert_eq!(lost(&explained(net, y, false), Loss::Decision), 1.0);
}

/// A bin plus an offset names a row: the number behind the bin takes all of it.
#[test]
fn a_bin_that_names_a_row_is_the_numbers() {
    let mut net = Net::new();
    let x = net.given(row(&[0.9, 0.1]));
    let bins = net.step(Decision::Each, &[x], row(&[2.0, 0.0]), DType::Int);
    let offset = net.integer(1);
    let named = net.add(bins, offset);
    let rows = net.embedding(named, 3);
    let expected: Vec<f64> = net.data(rows).rows().into_iter().map(|row| row.sum()).collect();
    close(&received(&explained(net, rows, false), 0), &expected);
}

/// Points for bins are numbers: 2·[x₀ > 0.5] + 3·[x₁ > 0.2] + 1 in integers.
#[test]
fn points_share_as_numbers() {
    let mut net = Net::new();
    let (a, b) = (net.given(row(&[0.9])), net.given(row(&[0.8])));
    let mut points = |x, limit, weight| {
        let decided = above(&mut net, x, limit);
        let decided = net.identity(decided, DType::Int);
        let weight = net.integer(weight);
        net.mul(decided, weight)
    };
    let (first, second) = (points(a, 0.5, 2), points(b, 0.2, 3));
    let sum = net.add(first, second);
    let y = float(&mut net, sum);
    let outcome = explained(net, y, false);
    close(&received(&outcome, 0), &[2.0]);
    close(&received(&outcome, 1), &[3.0]);
}

/// A leaf picked by a decided index, and a row picked by the place of the largest.
#[test]
fn a_tree_ends_in_decisions() {
    let mut net = Net::new();
    let (x, other) = (net.given(row(&[0.9, 0.3])), net.given(row(&[0.5])));
    let leaves = net.number(row(&[1.0, 2.0, 3.0, 4.0]));
    let node = column(&mut net, x, 0);
    let node = above(&mut net, node, 0.5);
    let leaf = net.step(
        Rearrange::new(Array::from_slice(&[1], &[2.0]).cast(DType::Int).unwrap()),
        &[leaves],
        row(&[3.0]),
        DType::F64,
    );
    net.tape.steps.last_mut().unwrap().chosen_by.push(node);
    let y = net.add(leaf, other);
    let outcome = explained(net, y, true);
    assert!((lost(&outcome, Loss::Decision) - 3.0).abs() < 1e-12, "{:?}", outcome.ledger.losses());
    close(&received(&outcome, 1), &[0.5]);

    let mut net = Net::new();
    let x = net.given(arr2(&[[0.1, 0.7]]).into_dyn());
    let place = net.place_of_largest(x);
    let rows = net.embedding(place, 2);
    let total = net.data(rows).sum();
    assert!((lost(&explained(net, rows, false), Loss::Decision) - total).abs() < 1e-12);
}

/// A comparison of tokens makes a mask, not a decision: it takes nothing.
#[test]
fn masks_of_tokens_are_no_decisions() {
    let mut net = Net::new();
    let tokens = net.tokens(&[1, 4]);
    let embedded = net.embedding(tokens, 3);
    let mask = net.data(tokens).mapv(|token| f64::from(u8::from(token != 0.0)));
    let mask = net.step(Decision::Each, &[tokens], mask, DType::Bool);
    let mask = float(&mut net, mask);
    let mask = net.reshape(mask, &[1, 4, 1]);
    let masked = net.mul(embedded, mask);
    let mask = net.scale(mask, 2.0);
    let y = net.add(masked, mask);
    let outcome = explained(net, y, false);
    assert_eq!(lost(&outcome, Loss::Decision), 0.0);
    let total: f64 = received(&outcome, 0).iter().sum();
    assert!(total > 0.0, "the tokens take what is theirs");
}

/// An operator may return the largest value and its place. The place, used as a number, is a decision.
#[test]
fn the_place_of_a_winner_is_decided() {
    let mut net = Net::new();
    let x = net.given(arr2(&[[0.1, 0.7]]).into_dyn());
    let value = net.step(Extremum { axes: vec![1], largest: true }, &[x], row(&[0.7]), DType::F64);
    let place = net.place_of_largest(x);
    let made = net.tape.steps.pop().unwrap();
    net.tape.steps.last_mut().unwrap().outputs.extend(made.outputs);
    let place = net.step(Pass::identity(), &[place], row(&[1.0]), DType::F64);
    let y = net.add(value, place);
    let outcome = explained(net, y, false);
    close(&received(&outcome, 0), &[0.0, 0.7]);
    assert!((lost(&outcome, Loss::Decision) - 1.0).abs() < 1e-12);
}
