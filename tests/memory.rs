//! Explanations in a loop hold on to nothing. A test file of its own: the process runs nothing else.
#![cfg(target_os = "linux")]

mod common;

use common::{inputs, load};
use dlbacktrace::{Mode, Options};
use std::fs;

/// Pages in memory, of 4 KiB each where these tests run.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn two_hundred_explanations_leave_memory_flat() {
    let (fixture, model) = load("cnn_traced");
    let explain = |round: usize| {
        let mode = if round.is_multiple_of(2) { Mode::Default } else { Mode::Contrastive };
        let options = Options::new().mode(mode).all_values(round.is_multiple_of(3));
        model.explain(&inputs(&fixture), &options).unwrap()
    };
    (0..20).for_each(|round| drop(explain(round)));
    let before = resident();
    (0..200).for_each(|round| drop(explain(round)));
    let growth = resident().saturating_sub(before);
    assert!(growth < 5 << 20, "200 explanations of a small network left {growth} bytes behind");
}
