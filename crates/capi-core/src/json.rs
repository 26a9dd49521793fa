//! An explanation as JSON, with the fields of the command's `explanation.json`.

use dlbacktrace::{
    Amount, Entry, Error, Explanation, InputRelevance, Loss, ModuleRelevance, OperatorUse, Result, Versus,
};
use serde::Serialize;
use std::collections::BTreeMap;

/// The same as in `explanation.json`: it rises when a field changes its meaning or disappears.
const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    versions: Versions<'a>,
    output: Output<'a>,
    sample_axis: Option<usize>,
    target: Option<&'a [usize]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    target_cells: Vec<Vec<usize>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    versus: Option<Versus>,
    start: Amount,
    inputs: Vec<Input<'a>>,
    totals: Totals,
    ledger: Ledger<'a>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    modules: &'a [ModuleRelevance],
    coverage: f64,
    operators: &'a [OperatorUse],
    timings: Timings,
    assumed: &'a [String],
    warnings: &'a [String],
}

#[derive(Serialize)]
struct Versions<'a> {
    dlbacktrace: &'static str,
    framework: &'a str,
}

#[derive(Serialize)]
struct Output<'a> {
    name: &'a str,
    shape: Vec<usize>,
}

#[derive(Serialize)]
struct Input<'a> {
    name: &'a str,
    shape: Vec<usize>,
    total: Amount,
    difference: f64,
}

impl<'a> Input<'a> {
    fn of(input: &'a InputRelevance) -> Self {
        Self {
            name: &input.name,
            shape: input.shape(),
            total: input.amount(),
            difference: input.amount().difference(),
        }
    }
}

#[derive(Serialize)]
struct Totals {
    inputs: Amount,
    losses: BTreeMap<Loss, Amount>,
    closes: bool,
}

#[derive(Serialize)]
struct Ledger<'a> {
    entries: &'a [Entry],
}

#[derive(Serialize)]
struct Timings {
    load_seconds: f64,
    forward_seconds: f64,
    relevance_seconds: f64,
}

/// The explanation without its arrays.
pub(crate) fn document(explanation: &Explanation) -> Result<String> {
    let (ledger, timings) = (explanation.ledger(), explanation.timings());
    let document = Document {
        schema_version: SCHEMA_VERSION,
        versions: Versions { dlbacktrace: env!("CARGO_PKG_VERSION"), framework: explanation.framework() },
        output: Output { name: explanation.output_name(), shape: explanation.output().shape().to_vec() },
        sample_axis: explanation.sample_axis(),
        target: explanation.target(),
        target_cells: explanation.target_cells(),
        versus: explanation.versus(),
        start: explanation.start_amount(),
        inputs: explanation.inputs().iter().map(Input::of).collect(),
        totals: Totals {
            inputs: explanation.inputs().iter().map(|input| input.amount()).sum(),
            losses: ledger.losses(),
            closes: ledger.closes(),
        },
        ledger: Ledger { entries: &ledger.entries },
        modules: explanation.modules(),
        coverage: explanation.coverage(),
        operators: explanation.operators(),
        timings: Timings {
            load_seconds: timings.load.as_secs_f64(),
            forward_seconds: timings.forward.as_secs_f64(),
            relevance_seconds: timings.relevance.as_secs_f64(),
        },
        assumed: explanation.assumed(),
        warnings: explanation.warnings(),
    };
    serde_json::to_string(&document).map_err(|error| Error::Internal(error.to_string()))
}
