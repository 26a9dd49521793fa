//! From a recording to an explanation.

use crate::explanation::{Explanation, InputRelevance, OperatorUse, Timings, ValueRelevance};
use crate::lowering::Lowering;
use crate::options::{Options, OutputChoice, SeedAt};
use crate::table::table;
use crate::{Error, Result, TorchTensor};
use dlbacktrace_core::seed::{Seed, SeedOptions, seed};
use dlbacktrace_core::{
    DType, Family, Mode, Observer, Place, Prepared, Relevance, Tape, Tensor, ValueId, WalkOptions,
    WeightCache,
};
use dlbacktrace_torch_recorder::{Port, Recording};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Explains what was recorded in `forward` time. `cache_weights`: see [`Lowering::new`].
pub(crate) fn explain(
    recording: Recording,
    options: &Options,
    weights: &WeightCache<TorchTensor>,
    cache_weights: bool,
    forward: Duration,
) -> Result<Explanation> {
    let start = Instant::now();
    let _no_gradients = tch::no_grad_guard();
    let (inputs, outputs) = (recording.inputs, recording.outputs);
    let mut lowering = Lowering::new(recording.values, cache_weights);
    for record in recording.records {
        lowering.record(record, table())?;
    }
    let mut tape = lowering.writer.tape;
    tape.inputs = inputs.iter().map(|port| ValueId(port.value.0)).collect();
    tape.outputs = outputs.iter().map(|port| ValueId(port.value.0)).collect();
    tape.numeric_inputs = numeric(&inputs, &options.numeric_inputs)?;

    let output = chosen(&outputs, &options.output)?;
    let (value, seed) = starting(&tape, output, &inputs, options)?;
    let prepared = tape.prepare(&options.prepare);
    let operators = uses(&prepared);
    let mut warnings = warnings(&inputs, output);
    let amount = seed.relevance.amount()?;
    let mut watcher = Watcher { options, values: Vec::new() };
    let walk = WalkOptions { allow_unruled: options.allow_unruled };
    let mode = seed.relevance.mode();
    let outcome = prepared.backtrace(vec![(value, seed.relevance)], weights, walk, &mut watcher)?;
    if !outcome.ledger.closes() {
        let open: Vec<String> = outcome
            .ledger
            .open_entries()
            .map(|entry| format!("{} ({})", entry.operator, entry.place))
            .collect();
        warnings.push(format!("these steps do not account for all they received: {}", open.join("; ")));
    }
    let (output_name, output) = (output.name.clone(), output.tensor.shallow_clone());
    let inputs = inputs
        .into_iter()
        .zip(outcome.inputs)
        .map(|(port, relevance)| -> Result<InputRelevance> {
            let relevance = match relevance {
                Some(relevance) => relevance,
                None => nothing(&port.tensor, mode)?,
            };
            Ok(InputRelevance { name: port.name, tensor: port.tensor, relevance })
        })
        .collect::<Result<_>>()?;
    Ok(Explanation {
        inputs,
        output_name,
        output,
        targets: seed.targets,
        seed: amount,
        ledger: outcome.ledger,
        values: watcher.values,
        operators,
        timings: Timings { forward, relevance: start.elapsed() },
        warnings,
    })
}

struct Watcher<'a> {
    options: &'a Options,
    values: Vec<ValueRelevance>,
}

impl Observer<TorchTensor> for Watcher<'_> {
    fn walked(&mut self, done: usize, total: usize) {
        if let Some(progress) = &self.options.progress {
            progress(done, total);
        }
    }

    fn arrived(&mut self, _: ValueId, operator: &str, place: &Place, relevance: &Relevance<TorchTensor>) {
        if self.options.all_values {
            let (operator, place) = (operator.to_owned(), place.clone());
            self.values.push(ValueRelevance { operator, place, relevance: relevance.clone() });
        }
    }
}

/// No relevance, of a tensor's shape.
fn nothing(tensor: &tch::Tensor, mode: Mode) -> Result<Relevance<TorchTensor>> {
    let tensor = TorchTensor::from(tensor.shallow_clone());
    let dtype = tensor.dtype().compute();
    let dtype = if dtype.is_float() { dtype } else { DType::F32 };
    let zeros = tensor.zeros(&tensor.shape())?.cast(dtype)?;
    Ok(match mode {
        Mode::Default => Relevance::default_mode(zeros),
        Mode::Contrastive => Relevance::contrastive(zeros.clone(), zeros),
    })
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

fn numeric(inputs: &[Port], names: &[String]) -> Result<Vec<ValueId>> {
    names
        .iter()
        .map(|name| {
            let port = inputs.iter().find(|port| port.name == *name);
            port.map(|port| ValueId(port.value.0)).ok_or_else(|| Error::NoInput {
                asked: name.clone(),
                found: listed(inputs.iter().map(|port| port.name.as_str())),
            })
        })
        .collect()
}

fn chosen<'a>(outputs: &'a [Port], choice: &OutputChoice) -> Result<&'a Port> {
    let port = match choice {
        OutputChoice::Index(index) => outputs.get(*index),
        OutputChoice::Name(name) => outputs.iter().find(|port| {
            port.name == *name
                || port.name.rsplit(['.', '[']).next() == Some(name)
                || port.name == format!("output.{name}")
        }),
    };
    port.ok_or_else(|| Error::NoOutput {
        asked: match choice {
            OutputChoice::Index(index) => format!("number {index}"),
            OutputChoice::Name(name) => name.clone(),
        },
        found: listed(outputs.iter().map(|port| port.name.as_str())),
    })
}

/// The value to start at and its relevance.
fn starting(
    tape: &Tape<TorchTensor>,
    output: &Port,
    inputs: &[Port],
    options: &Options,
) -> Result<(ValueId, Seed<TorchTensor>)> {
    let at_output = ValueId(output.value.0);
    let (value, tensor) = match options.seed.as_deref() {
        None => {
            let batch =
                inputs.first().and_then(|port| port.tensor.size().first().map(|&extent| extent as usize));
            let tensor = TorchTensor::from(output.tensor.shallow_clone());
            let start = SeedOptions { batch, ..options.start };
            return Ok((at_output, seed(&tensor, &start)?));
        }
        Some(SeedAt::Output(tensor)) => (at_output, tensor),
        Some(SeedAt::Module(path, tensor)) => (returned_by(tape, path)?, tensor),
    };
    let meta = tape.meta(value);
    let fitted = |tensor: &tch::Tensor| -> Result<TorchTensor> {
        let given = TorchTensor::from(tensor.shallow_clone());
        if given.shape() != meta.shape {
            let message =
                format!("the start has shape {:?}; the value it is for has {:?}", given.shape(), meta.shape);
            return Err(dlbacktrace_core::Error::Seed(message).into());
        }
        Ok(given.cast(meta.dtype.compute())?.scale(options.start.multiplier)?)
    };
    let positive = fitted(tensor)?;
    let relevance = match (options.start.mode, &options.negative_seed) {
        (Mode::Default, _) => Relevance::default_mode(positive),
        (Mode::Contrastive, Some(negative)) => Relevance::contrastive(positive, fitted(negative)?),
        (Mode::Contrastive, None) => {
            let zeros = positive.zeros(&meta.shape)?;
            Relevance::contrastive(positive, zeros)
        }
    };
    Ok((value, Seed { relevance, targets: Vec::new() }))
}

/// What the last step within a module made.
fn returned_by(tape: &Tape<TorchTensor>, path: &str) -> Result<ValueId> {
    let inside =
        |module: &str| module == path || module.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    let step = tape.steps.iter().rev().find(|step| inside(&step.place.module.path));
    step.and_then(|step| step.outputs.first().copied()).ok_or_else(|| {
        let paths = tape.steps.iter().map(|step| step.place.module.path.as_str());
        let modules: BTreeSet<&str> = paths.filter(|path| !path.is_empty()).collect();
        let message =
            format!("no operator ran in a module {path}; operators ran in {}", listed(modules.into_iter()));
        dlbacktrace_core::Error::Seed(message).into()
    })
}

/// The operators relevance can reach, by name.
fn uses(prepared: &Prepared<TorchTensor>) -> Vec<OperatorUse> {
    let mut counts: BTreeMap<&str, (usize, Family)> = BTreeMap::new();
    for step in prepared.steps() {
        if step.inputs.iter().any(|operand| operand.depends) {
            let entry = counts.entry(&step.operator).or_insert((0, step.op.family()));
            entry.0 += 1;
        }
    }
    counts
        .into_iter()
        .map(|(operator, (count, family))| OperatorUse {
            operator: operator.to_owned(),
            count,
            rule: (family != Family::Unruled).then(|| family.to_string()),
        })
        .collect()
}

fn warnings(inputs: &[Port], output: &Port) -> Vec<String> {
    let kinds = inputs.iter().chain([output]).map(|port| port.tensor.kind());
    let half = kinds.into_iter().any(|kind| matches!(kind, tch::Kind::Half | tch::Kind::BFloat16));
    half.then(|| {
        "the model computes in half precision; relevance was computed in single precision".to_owned()
    })
    .into_iter()
    .collect()
}
