//! The summary for the terminal.

use crate::number::{relevance, significant};
use crate::{Document, Leader};
use dlbacktrace_core::Amount;
use std::fmt::Write;

/// The number of samples that are described one by one.
const SAMPLES: usize = 4;
const LEADERS: usize = 5;

/// Summarises the document in a few lines.
pub fn summary(document: &Document) -> String {
    let mut lines = Lines(String::new());
    let Document { model, output, totals, timings, settings, .. } = document;
    let amount = |amount: Amount| relevance(amount, settings.mode);

    lines.add("model", &model.path);
    lines.all("given", document.given.iter().map(|given| format!("{} for {}", given.source, given.input)));
    lines.add("output", &format!("{} of shape {}", output.name, shape(&output.shape)));
    for (sample, units) in document.prediction.iter().enumerate().take(SAMPLES) {
        let target = explained(document, sample)
            .map_or(String::new(), |unit| format!(", explained: {unit}{}", document.apart_from()));
        lines.add(
            &of_sample("predicted", sample, document.prediction.len()),
            &(leaders(units, ": ") + &target),
        );
    }
    lines.more(document, document.prediction.len());
    let difference = if document.versus.is_some() { ", a difference" } else { "" };
    lines.add("relevance", &format!("{} at the start{difference}", amount(document.start)));
    for input in &document.inputs {
        lines.add(
            "",
            &format!("{} on input {} of shape {}", amount(input.total), input.name, shape(&input.shape)),
        );
        for (sample, elements) in input.most_relevant.iter().enumerate().take(SAMPLES) {
            if !elements.is_empty() {
                lines.add(&of_sample("  most", sample, input.most_relevant.len()), &leaders(elements, " "));
            }
        }
        lines.more(document, input.most_relevant.len());
    }
    for (loss, lost) in &totals.losses {
        lines.add("", &format!("{} lost: {}", amount(*lost), words(&format!("{loss:?}"))));
    }
    lines.add("ledger", &ledger(document));
    lines.add("coverage", &format!("{} % of the executed operators have a rule", percent(document.coverage)));
    let mut time = format!(
        "{} s to load, {} s forward, {} s relevance",
        significant(timings.load_seconds, 2),
        significant(timings.forward_seconds, 2),
        significant(timings.relevance_seconds, 2)
    );
    if let Some(bytes) = document.peak_memory_bytes {
        let _ = write!(time, "; {:.0} MB at most", bytes as f64 / 1e6);
    }
    lines.add("time", &time);
    lines.all("assumed", document.assumed.iter().cloned());
    for warning in &document.warnings {
        lines.add("warning", warning);
    }
    lines.0
}

/// The explained unit of a sample: its number, or its coordinates if units have several axes; `None` if there is one unit only.
fn explained(document: &Document, sample: usize) -> Option<String> {
    if let Some(name) = document.target_names.get(sample) {
        return Some(name.clone());
    }
    let cell = document.target_cells.get(sample)?;
    let unit = document.target.as_ref()?.get(sample)?;
    let units = cell.iter().enumerate().filter(|(axis, _)| Some(*axis) != document.sample_axis);
    match units.map(|(_, index)| index.to_string()).collect::<Vec<_>>().as_slice() {
        [] => None,
        [_] => Some(unit.to_string()),
        place => Some(format!("[{}]", place.join(", "))),
    }
}

struct Lines(String);

impl Lines {
    fn add(&mut self, head: &str, text: &str) {
        let _ = writeln!(self.0, "{head:<13} {text}");
    }

    /// Adds lines of one kind, one below the other.
    fn all(&mut self, head: &str, texts: impl Iterator<Item = String>) {
        for (index, text) in texts.enumerate() {
            self.add(if index == 0 { head } else { "" }, &text);
        }
    }

    /// Says how many samples were left out. The document may describe fewer than there are.
    fn more(&mut self, document: &Document, told: usize) {
        let held = document.sample_axis.and_then(|axis| document.output.shape.get(axis));
        if told > SAMPLES {
            let samples = held.map_or(told, |&held| held.max(told));
            self.add("", &format!("… and {} more samples", samples - SAMPLES));
        }
    }
}

fn of_sample(head: &str, sample: usize, samples: usize) -> String {
    if samples == 1 { head.to_owned() } else { format!("{head} {sample}") }
}

fn leaders(leaders: &[Leader], between: &str) -> String {
    let texts: Vec<_> = leaders
        .iter()
        .take(LEADERS)
        .map(|leader| format!("{}{between}{}", leader.name, significant(leader.value, 3)))
        .collect();
    texts.join(", ")
}

fn ledger(document: &Document) -> String {
    if document.totals.closes.is_none() {
        return format!("none: the rules of {} conserve nothing", document.settings.rules.name);
    }
    let steps = document.ledger.entries.len();
    let open: Vec<_> =
        document.ledger.open_entries().take(3).map(|e| format!("{} ({})", e.operator, e.place)).collect();
    match document.ledger.open_entries().count() {
        0 => format!("closes at every step ({steps})"),
        count => format!("does not close at {count} of {steps} steps: {}", open.join("; ")),
    }
}

fn shape(shape: &[usize]) -> String {
    let extents: Vec<_> = shape.iter().map(usize::to_string).collect();
    if extents.is_empty() { "()".to_owned() } else { extents.join("×") }
}

/// Splits `ZeroDenominator` into words.
fn words(name: &str) -> String {
    name.chars().enumerate().fold(String::new(), |mut words, (i, c)| {
        if c.is_uppercase() && i > 0 {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
        words
    })
}

fn percent(part: f64) -> String {
    // Never rounds an incomplete share up to 100.
    let percent = (part * 1000.0).floor() / 10.0;
    if percent.fract() == 0.0 { format!("{percent:.0}") } else { format!("{percent:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ArrayKeys, InputEntry, Model, OutputEntry, SCHEMA_VERSION, Settings, Timings, Totals, Versions,
    };
    use dlbacktrace_core::rules::RuleSet;
    use dlbacktrace_core::start::Versus;
    use dlbacktrace_core::{Ledger, Loss, Mode};

    fn document() -> Document {
        let leader = |name: &str, value| Leader { name: name.to_owned(), value };
        Document {
            schema_version: SCHEMA_VERSION,
            versions: Versions { dlbacktrace: "0.1.0".to_owned(), framework: "libtorch 2.13.0".to_owned() },
            model: Model { path: "digits.pt".to_owned(), sha256: "00".to_owned() },
            settings: Settings {
                rules: RuleSet::default(),
                mode: Mode::Default,
                task: Some("classification".to_owned()),
                threshold: None,
                gates: true,
                scaler: None,
                multiplier: 1.0,
                from_logits: false,
                numeric_inputs: Vec::new(),
                constant_inputs: Vec::new(),
                whole_tokens: false,
                allow_unruled: false,
            },
            output: OutputEntry { name: "0".to_owned(), shape: vec![1, 10] },
            sample_axis: Some(0),
            target: Some(vec![7]),
            target_cells: vec![vec![0, 7]],
            target_names: Vec::new(),
            versus: None,
            versus_name: None,
            prediction: vec![vec![leader("7", 0.98), leader("1", 0.01)]],
            start: Amount::default_mode(0.98),
            inputs: vec![InputEntry {
                name: "x".to_owned(),
                shape: vec![1, 1, 8, 8],
                arrays: ArrayKeys::of("input:x", Mode::Default),
                total: Amount::default_mode(0.9),
                difference: 0.9,
                features: None,
                tokens: None,
                most_relevant: vec![vec![leader("[0, 3, 4]", 0.2)]],
            }],
            values: Vec::new(),
            modules: Vec::new(),
            totals: Totals {
                inputs: Amount::default_mode(0.9),
                losses: [(Loss::ZeroDenominator, Amount::default_mode(0.08))].into(),
                closes: Some(true),
            },
            ledger: Ledger::default(),
            coverage: 1.0,
            operators: Vec::new(),
            timings: Timings { load_seconds: 0.1, forward_seconds: 0.001, relevance_seconds: 0.002 },
            peak_memory_bytes: Some(123_000_000),
            given: vec![crate::Given { input: "x".to_owned(), source: "three.png".to_owned() }],
            assumed: vec!["pixels go in as 0 to 1".to_owned()],
            warnings: vec!["mind this".to_owned()],
            files: Vec::new(),
        }
    }

    #[test]
    fn says_what_matters() {
        let text = summary(&document());
        for part in [
            "digits.pt",
            "7: 0.980",
            "explained: 7",
            "1×1×8×8",
            "[0, 3, 4] 0.200",
            "zero denominator",
            "pixels go in",
            "three.png for x",
            "mind this",
        ] {
            assert!(text.contains(part), "`{part}` is missing from\n{text}");
        }
    }

    #[test]
    fn says_what_the_unit_is_told_apart_from() {
        let mut document = document();
        let told = |document: &Document| summary(document);
        assert!(!told(&document).contains("versus"));
        document.versus = Some(Versus::Others);
        let text = told(&document);
        assert!(
            text.contains("explained: 7 versus others") && text.contains("start, a difference"),
            "{text}"
        );
        document.versus = Some(Versus::Unit(1));
        assert!(told(&document).contains("explained: 7 versus 1"));
        document.versus_name = Some("one".to_owned());
        assert!(told(&document).contains("explained: 7 versus one"));
    }

    #[test]
    fn large_batches_stay_short() {
        let mut document = document();
        document.prediction = vec![document.prediction[0].clone(); 16];
        assert!(summary(&document).contains("… and 12 more samples"));
        (document.sample_axis, document.output.shape) = (Some(0), vec![50, 10]);
        assert!(summary(&document).contains("… and 46 more samples"));
    }

    #[test]
    fn nearly_all_is_not_all() {
        assert_eq!(percent(1.0), "100");
        assert_eq!(percent(0.9999), "99.9");
    }
}
