//! Starts at the difference between units (rules §1), with numbers by hand.

use dlbacktrace_core::analysis::PrepareOptions;
use dlbacktrace_core::array::Array;
use dlbacktrace_core::rules::RuleSet;
use dlbacktrace_core::start::{Start, StartOptions, Target, Task, Versus, start};
use dlbacktrace_core::{Mode, Tensor, WalkOptions, WeightCache};
use ndarray::arr2;
use std::f64::consts::LN_2;
use testkit::net::Net;

fn versus(versus: Versus) -> StartOptions {
    StartOptions { versus: Some(versus), sample_axis: Some(0), ..StartOptions::default() }
}

fn started(shape: &[usize], values: &[f64], options: &StartOptions) -> Start<Array> {
    start(&Array::from_slice(shape, values), options).unwrap()
}

fn elements(start: &Start<Array>) -> Vec<f64> {
    start.relevance.first().to_array().unwrap().into_iter().collect()
}

fn close(start: &Start<Array>, expected: &[f64]) {
    let found = elements(start);
    let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12);
    assert!(near && found.len() == expected.len(), "{found:?} is not {expected:?}");
}

/// Their softmax is (0.1, 0.3, 0.6), and that of the first two alone (0.25, 0.75).
fn logits() -> [f64; 3] {
    [0.0, 3.0_f64.ln(), 6.0_f64.ln()]
}

#[test]
fn one_other_unit_has_the_weight_1() {
    let a = [2.0, -3.0, 5.0, 4.0];
    let options = versus(Versus::Unit(3));
    let found = started(&[1, 4], &a, &options);
    close(&found, &[0.0, 0.0, 5.0, -4.0]);
    assert_eq!((found.targets, found.assumed.len()), (vec![2], 0));
    let named = StartOptions { target: Target::Unit(1), multiplier: 2.0, ..options.clone() };
    close(&started(&[1, 4], &a, &named), &[0.0, -6.0, 0.0, -8.0]);
    let total = StartOptions { scaler: Some(7.0), ..options.clone() };
    close(&started(&[1, 4], &a, &total), &[0.0, 0.0, 7.0, -7.0]);
    let unit = StartOptions { unit: true, ..options.clone() };
    close(&started(&[1, 4], &a, &unit), &[0.0, 0.0, 1.0, -1.0]);
    close(&started(&[1, 4], &a, &StartOptions { scaler: Some(7.0), ..unit }), &[0.0, 0.0, 7.0, -7.0]);
    let likely = StartOptions { from_logits: true, ..versus(Versus::Unit(0)) };
    close(&started(&[1, 3], &logits(), &likely), &[-0.1, 0.0, 0.6]);
}

#[test]
fn others_are_weighted_by_their_softmax() {
    let options = versus(Versus::Others);
    let found = started(&[1, 3], &logits(), &options);
    close(&found, &[0.0, -0.75 * 3.0_f64.ln(), 6.0_f64.ln()]);
    assert!(found.assumed.iter().all(|note| note.contains("taken for logits")) && found.assumed.len() == 1);
    let unit = StartOptions { unit: true, ..options.clone() };
    close(&started(&[1, 3], &logits(), &unit), &[-0.25, -0.75, 1.0]);
    let total = StartOptions { scaler: Some(4.0), ..options.clone() };
    close(&started(&[1, 3], &logits(), &total), &[-1.0, -3.0, 4.0]);
    let likely = StartOptions { from_logits: true, ..options.clone() };
    let found = started(&[1, 3], &logits(), &likely);
    close(&found, &[-0.025, -0.225, 0.6]);
    assert!(found.assumed.is_empty(), "it was said that they are logits: {:?}", found.assumed);
    // Of two units, the other is all others.
    let found = started(&[1, 2], &[3.0, 1.0], &options);
    close(&found, &[3.0, -1.0]);
    assert!(found.assumed.is_empty(), "{:?}", found.assumed);
    // The softmax of the others does not vanish beside a far greater score, and a score of −∞ counts nothing.
    close(&started(&[1, 3], &[0.0, LN_2, 2000.0], &unit), &[-1.0 / 3.0, -2.0 / 3.0, 1.0]);
    let likely = StartOptions { unit: true, ..likely };
    close(&started(&[1, 3], &[0.0, LN_2, 2000.0], &likely), &[-1.0 / 3.0, -2.0 / 3.0, 1.0]);
    close(&started(&[1, 3], &[f64::NEG_INFINITY, 2.0, 3.0], &options), &[0.0, -2.0, 3.0]);
}

#[test]
fn probabilities_are_weights_themselves() {
    let options = versus(Versus::Others);
    let found = started(&[1, 3], &[0.1, 0.3, 0.6], &options);
    close(&found, &[-0.25 * 0.1, -0.75 * 0.3, 0.6]);
    assert!(found.assumed.iter().all(|note| note.contains("taken for probabilities")), "{:?}", found.assumed);
    assert_eq!(found.assumed.len(), 1);
    // Scores between 0 and 1 of another sum are none.
    let found = started(&[1, 3], &[0.1, 0.3, 0.9], &options);
    assert!(found.assumed.iter().all(|note| note.contains("taken for logits")), "{:?}", found.assumed);
}

#[test]
fn a_batch_starts_as_its_samples_do() {
    let rows = [logits(), [0.1, 0.3, 0.6], [9.0, -2.0, 1.0]];
    let single = |options: &StartOptions| -> Vec<f64> {
        rows.iter().flat_map(|row| elements(&started(&[1, 3], row, options))).collect()
    };
    for options in [
        versus(Versus::Others),
        StartOptions { from_logits: true, ..versus(Versus::Others) },
        StartOptions { target: Target::Unit(2), ..versus(Versus::Unit(1)) },
    ] {
        let found = started(&[3, 3], &rows.concat(), &options);
        assert_eq!(elements(&found), single(&options), "{options:?}");
        assert_eq!(found.targets.len(), 3);
    }
    let found = started(&[3, 3], &rows.concat(), &versus(Versus::Others));
    assert_eq!(found.assumed.len(), 2, "{:?}", found.assumed);
    // Samples along the last axis.
    let turned: Vec<f64> = (0..3).flat_map(|unit| rows.map(|row| row[unit])).collect();
    let options = StartOptions { sample_axis: Some(1), ..versus(Versus::Others) };
    let found = started(&[3, 3], &turned, &options).relevance.first().to_array().unwrap();
    assert_eq!(found.t().iter().copied().collect::<Vec<_>>(), single(&versus(Versus::Others)));
}

#[test]
fn the_next_token_is_told_from_others() {
    let scores = [[5.0, 6.0, 7.0], logits()].concat();
    let next = |kind: Versus| StartOptions { task: Task::NextToken, ..versus(kind) };
    for shape in [&[1, 2, 3][..], &[2, 3]] {
        let found = started(shape, &scores, &next(Versus::Others));
        close(&found, &[0.0, 0.0, 0.0, 0.0, -0.75 * 3.0_f64.ln(), 6.0_f64.ln()]);
        assert_eq!((found.targets, found.earlier, found.assumed.len()), (vec![2], 3, 1));
        let unit = StartOptions { unit: true, multiplier: 2.0, ..next(Versus::Unit(1)) };
        close(&started(shape, &scores, &unit), &[0.0, 0.0, 0.0, 0.0, -2.0, 2.0]);
        let named = StartOptions { target: Target::Unit(0), from_logits: true, ..next(Versus::Unit(2)) };
        close(&started(shape, &scores, &named), &[0.0, 0.0, 0.0, 0.1, 0.0, -0.6]);
    }
}

#[test]
fn what_has_no_difference_is_said() {
    let refused = |shape: &[usize], values: &[f64], options: StartOptions| {
        start(&Array::from_slice(shape, values), &options).unwrap_err().to_string()
    };
    let a = [2.0, -3.0, 5.0, 4.0];
    let with = |change: fn(&mut StartOptions)| {
        let mut options = versus(Versus::Unit(0));
        change(&mut options);
        refused(&[1, 4], &a, options)
    };
    let segmentation: fn(&mut StartOptions) = |o| o.task = Task::Segmentation { threshold: 0.5 };
    for (change, words) in [
        ((|o| o.versus = Some(Versus::Unit(2))) as fn(&mut StartOptions), "unit 2 is explained"),
        (
            |o| o.versus = Some(Versus::Unit(4)),
            "no unit 4 to start against (versus, --versus): each sample has 4, numbered 0 to 3",
        ),
        (|o| o.mode = Mode::Contrastive, "a start of its own"),
        (segmentation, "a start of your own (start, --start)"),
        (|o| o.task = Task::BoundingBox, "a start of your own (start, --start)"),
        (|o| o.target = Target::All, "one unit of each sample"),
        (|o| o.target = Target::At(Vec::new()), "one unit of each sample"),
        (|o| o.target = Target::Box(0), "one unit of each sample"),
        (|o| (o.task, o.versus) = (Task::NextToken, Some(Versus::Unit(4))), "no token 4"),
        (|o| (o.task, o.versus) = (Task::NextToken, Some(Versus::Unit(2))), "token 2 is explained"),
    ] {
        let told = with(change);
        assert!(told.contains(words) && told.lines().count() < 6, "{words}: {told}");
    }
    assert!(refused(&[1, 1], &[0.5], versus(Versus::Others)).contains("one unit for each sample"));
    assert!(refused(&[1, 3], &[0.0, 1.0, 0.0], versus(Versus::Others)).contains("no weights"));
    let several = refused(&[1, 2, 2], &a, versus(Versus::Others));
    assert!(several.contains("several axes, [2, 2]"), "{several}");
}

/// y = x·W: by ε each input takes x_i·(w_ik − Σ w_j·w_ij), up to ε.
#[test]
fn epsilon_explains_the_difference_of_a_linear_model() {
    // y = (0, 4, 2), and the softmax of the others than unit 1 is 1 : e².
    let part = 1.0 / (1.0 + 2.0_f64.exp());
    for (kind, expected) in [
        (Versus::Unit(2), [2.0 - 4.0, -2.0 * (-1.0 - 1.0)]),
        (
            Versus::Others,
            // Unit 0 has the value 0, so it starts with nothing.
            [2.0 - (1.0 - part) * 4.0, -2.0 * (-1.0 - (1.0 - part))],
        ),
    ] {
        let mut net = Net::new();
        let x = net.given(arr2(&[[1.0, -2.0]]).into_dyn());
        let weights = net.number(arr2(&[[1.0, 2.0, 4.0], [0.5, -1.0, 1.0]]).into_dyn());
        let y = net.matmul(x, weights);
        let start = started(&[1, 3], &[0.0, 4.0, 2.0], &versus(kind));
        let walk = WalkOptions { rules: RuleSet::named("epsilon").unwrap(), ..WalkOptions::default() };
        let prepared = net.prepared(&PrepareOptions::default());
        let found =
            prepared.backtrace(vec![(y, start.relevance)], &WeightCache::new(0), walk, &mut ()).unwrap();
        assert!(found.ledger.closes());
        let found = found.inputs[0].as_ref().unwrap().first().to_array().unwrap();
        let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5);
        assert!(near, "{found} is not {expected:?}");
    }
}
