//! What a reader should know of decisions made from the inputs (rules §9).

use crate::{Amount, Entry, Family, Ledger, Loss, Step, Tensor};
use std::collections::{BTreeMap, HashSet};

/// Less than this part of the start is not worth a word.
const WORTH: f64 = 1e-3;

/// How many decisions are named.
const NAMED: usize = 3;

/// The decisions on a tape, by step.
pub(super) fn all<T: Tensor>(steps: &[Step<T>]) -> HashSet<usize> {
    let decisions = steps.iter().filter(|step| step.op.family() == Family::Decision);
    decisions.map(|step| step.place.step).collect()
}

/// What ended in decisions, and what passed them, by part of the start.
pub(super) fn warnings(ledger: &Ledger, decisions: &HashSet<usize>, start: Amount) -> Vec<String> {
    let part = |amount: Amount| gross(amount) / gross(start);
    let ended = parts(ledger, |entry| part(entry.lost.get(&Loss::Decision).copied().unwrap_or_default()));
    let passed = parts(ledger, |entry| match decisions.contains(&entry.place.step) {
        true => part(entry.delivered),
        false => 0.0,
    });
    let told = |parts: &BTreeMap<String, f64>, what: &str| {
        let all: f64 = parts.values().sum();
        (all >= WORTH).then(|| format!("{} of the start {what}: {}", percent(all), named(parts)))
    };
    let ended =
        told(&ended, "ended in decisions that the model made of several numbers, so that no input takes it");
    let passed = told(
        &passed,
        "came from decisions about one number each, which takes it, though all that counted is on which side of a limit it lay",
    );
    ended.into_iter().chain(passed).collect()
}

fn gross(amount: Amount) -> f64 {
    amount.positive.abs() + amount.negative.abs()
}

/// The parts of entries by where they stand; loops add up.
fn parts(ledger: &Ledger, part: impl Fn(&Entry) -> f64) -> BTreeMap<String, f64> {
    let mut parts = BTreeMap::new();
    for entry in &ledger.entries {
        let part = part(entry);
        if part > 0.0 {
            *parts.entry(standing(entry)).or_default() += part;
        }
    }
    parts
}

/// An operator and where it stands in the model.
fn standing(entry: &Entry) -> String {
    let mut text = entry.operator.clone();
    if !entry.place.module.path.is_empty() {
        text += &format!(" in {}", entry.place.module.path);
    }
    if let Some(source) = &entry.place.source {
        text += &format!(" at {source}");
    }
    text
}

fn named(parts: &BTreeMap<String, f64>) -> String {
    let mut largest: Vec<(&String, &f64)> = parts.iter().collect();
    largest.sort_by(|a, b| b.1.total_cmp(a.1));
    let mut texts: Vec<String> =
        largest.iter().take(NAMED).map(|(place, part)| format!("{} {place}", percent(**part))).collect();
    if largest.len() > NAMED {
        texts.push(format!("and {} more", largest.len() - NAMED));
    }
    texts.join("; ")
}

fn percent(part: f64) -> String {
    format!("{:.1} %", 100.0 * part)
}
