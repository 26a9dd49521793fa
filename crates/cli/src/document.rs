//! The document of an explanation.

use crate::args::Explain;
use crate::explained::{Arrays, Explained, Values};
use crate::failure::Result;
use crate::inputs::Bound;
use crate::samples::{highest, leaders, samples, strongest};
use crate::text::{self, Labels};
use crate::{model, options};
use dlbacktrace::{Explanation, Mode, OperatorUse, Versus};
use dlbacktrace_report::{
    ArrayFile, ArrayKeys, Document, InputEntry, Leader, OperatorEntry, OutputEntry, SCHEMA_VERSION, Timings,
    Totals, ValueEntry, Versions,
};
use ndarray::{ArrayD, ArrayViewD, Axis};
use std::fs;
use std::path::Path;

/// The number of samples that the document describes one by one, and of which pictures are drawn.
pub const SHOWN: usize = 16;
const LEADERS: usize = 10;
const UNITS: usize = 5;

/// The document, except for the list of files, which are not written yet.
///
/// # Errors
/// If the model file can no longer be read.
pub fn of(
    args: &Explain,
    model: &dlbacktrace::Model,
    explanation: &Explanation,
    explained: &[Explained],
    bound: Bound,
    labels: Option<&Labels>,
) -> Result<Document> {
    let settings = options::settings(&args.rules, &bound);
    let output = explanation.output();
    let timings = explanation.timings();
    let unit = options::assumed_unit(&args.rules, explanation);
    let version = elsewhere(args, model);
    let constants = options::assumed_constants(&args.rules, &bound);
    let bounds: Vec<String> = options::assumed_bounds(&args.rules, &bound).into_iter().collect();
    let batch = batch(explanation);
    let names = names(explanation, labels)?;
    Ok(Document {
        schema_version: SCHEMA_VERSION,
        versions: Versions {
            dlbacktrace: env!("CARGO_PKG_VERSION").to_owned(),
            framework: explanation.framework().to_owned(),
        },
        model: model::identity(model)?,
        output: OutputEntry { name: explanation.output_name().to_owned(), shape: output.shape().to_vec() },
        sample_axis: explanation.sample_axis(),
        target: explanation.target().map(<[usize]>::to_vec),
        target_cells: explanation.target_cells(),
        target_names: target_names(explanation, names),
        versus: explanation.versus(),
        versus_name: versus_name(explanation, names),
        prediction: prediction(explanation, names),
        start: explanation.start_amount(),
        inputs: explained
            .iter()
            .map(|input| entry(input, settings.mode, batch, args.inputs.text.words))
            .collect(),
        values: Vec::new(),
        modules: explanation.modules().to_vec(),
        totals: Totals {
            inputs: explanation.inputs().iter().map(|input| input.amount()).sum(),
            losses: explanation.ledger().losses(),
            closes: settings.rules.conserves().then(|| explanation.ledger().closes()),
        },
        ledger: explanation.ledger().clone(),
        coverage: explanation.coverage(),
        operators: explanation
            .operators()
            .iter()
            .map(|OperatorUse { operator, count, rule, kinds, .. }| OperatorEntry {
                operator: operator.clone(),
                count: *count,
                rule: rule.clone(),
                kinds: kinds.clone(),
            })
            .collect(),
        timings: Timings {
            load_seconds: timings.load.as_secs_f64(),
            forward_seconds: timings.forward.as_secs_f64(),
            relevance_seconds: timings.relevance.as_secs_f64(),
        },
        peak_memory_bytes: peak_memory(),
        given: bound.given,
        assumed: [&version, &bound.assumed, &bounds, &constants, explanation.assumed(), &unit].concat(),
        warnings: explanation.warnings().to_vec(),
        files: Vec::new(),
        settings,
    })
}

/// Says where the model was found if that is not the path given: a server keeps numbered versions in one directory.
fn elsewhere(args: &Explain, model: &dlbacktrace::Model) -> Vec<String> {
    let (named, found) = (&args.model.model, model::path(model));
    let differs = named.as_path() != found;
    differs
        .then(|| format!("explaining {}, the newest version in {}", found.display(), named.display()))
        .into_iter()
        .collect()
}

/// The number of samples that the first axis of the inputs counts.
pub fn batch(explanation: &Explanation) -> usize {
    if explanation.samples_in_inputs() { explanation.sample_count() } else { 1 }
}

/// Writes the relevance of the recorded values and says where to find it.
///
/// # Errors
/// If an array cannot be read or written.
pub fn values(explanation: &Explanation, mode: Mode, file: &mut ArrayFile) -> Result<Vec<ValueEntry>> {
    let mut entries = Vec::new();
    for value in explanation.values() {
        let (positive, negative) = (value.relevance()?, value.negative()?);
        let arrays = Arrays { positive, negative, precision: value.precision() };
        let keys = ArrayKeys::of(&format!("value:{}", value.name), mode);
        arrays.add_to(file, &keys)?;
        entries.push(ValueEntry {
            step: value.step,
            operator: value.operator.clone(),
            module: value.module.clone(),
            shape: arrays.positive.shape().to_vec(),
            arrays: keys,
        });
    }
    Ok(entries)
}

fn entry(input: &Explained, mode: Mode, batch: usize, words: bool) -> InputEntry {
    let difference = input.relevance.difference();
    let features = input.note.features.as_deref();
    let tokens = match (&input.values, &input.note.texts) {
        (Values::Texts(texts), _) => Some(text::whole(texts, input.relevance.channels(), batch)),
        (Values::Numbers(_), Some(rows)) => text::entries(rows, input.relevance.channels(), words),
        (Values::Numbers(_), None) => None,
    };
    let most_relevant = match &tokens {
        Some(texts) => texts.iter().take(SHOWN).map(|tokens| strongest(tokens, LEADERS)).collect(),
        None => samples(&difference, batch)
            .iter()
            .take(SHOWN)
            .map(|sample| leaders(sample.view(), features, LEADERS))
            .collect(),
    };
    InputEntry {
        name: input.name.clone(),
        shape: difference.shape().to_vec(),
        arrays: ArrayKeys::of(&format!("input:{}", input.name), mode),
        total: input.total,
        difference: input.total.difference(),
        features: input.note.features.clone(),
        tokens,
        most_relevant,
    }
}

/// The samples of the output that are shown one by one.
fn shown<'a>(explanation: &Explanation, output: &'a ArrayD<f64>) -> Vec<ArrayViewD<'a, f64>> {
    match explanation.sample_axis() {
        Some(axis) => output.axis_iter(Axis(axis)).take(SHOWN).collect(),
        None => vec![output.view()],
    }
}

/// The names of the output's units, if there are labels for them.
fn names<'a>(explanation: &Explanation, labels: Option<&'a Labels>) -> Result<Option<&'a [String]>> {
    let (Some(labels), output) = (labels, explanation.output()) else { return Ok(None) };
    let sample = shown(explanation, &output).first().map(|sample| sample.shape().to_vec());
    sample.map_or(Ok(None), |sample| labels.of_units(&sample))
}

/// The name of each sample's explained unit.
fn target_names(explanation: &Explanation, names: Option<&[String]>) -> Vec<String> {
    let name = |unit: &usize| names?.get(*unit).cloned();
    explanation.target().and_then(|units| units.iter().map(name).collect()).unwrap_or_default()
}

/// The name of the one unit that the explained one is told apart from.
fn versus_name(explanation: &Explanation, names: Option<&[String]>) -> Option<String> {
    match explanation.versus()? {
        Versus::Unit(unit) => names?.get(unit).cloned(),
        Versus::Others => None,
    }
}

/// The highest units of each sample, by name, number or coordinates.
fn prediction(explanation: &Explanation, names: Option<&[String]>) -> Vec<Vec<Leader>> {
    let output = explanation.output();
    shown(explanation, &output).into_iter().map(|sample| highest(sample, names, UNITS)).collect()
}

/// The most memory this process held at any time, in bytes.
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string(Path::new("/proc/self/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    #[test]
    fn this_test_needs_memory() {
        assert!(super::peak_memory().is_some_and(|bytes| bytes > 1 << 20));
    }
}
