//! From a recorded run to an explanation, whatever framework it ran in.

mod explanation;
mod modules;
mod options;
mod start;

pub use explanation::{Explanation, InputRelevance, OperatorUse, Timings, ValueRelevance, coverage};
pub use modules::ModuleRelevance;
pub use options::{Options, Output, OwnSeed, Progress};

use crate::{
    Amount, DType, Error, Family, Mode, Observer, Place, Prepared, Relevance, Result, Tape, Tensor, ValueId,
    WalkOptions, WeightCache,
};
use modules::Modules;
use start::{chosen, starting};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A named tensor at the edge of a run.
#[derive(Debug, Clone)]
pub struct Port<T> {
    /// The argument's or the result's name and the way into lists, tuples and dictionaries.
    pub name: String,
    /// Which value of the tape.
    pub value: ValueId,
    /// The tensor.
    pub tensor: T,
}

/// A run on a tape, with the names of what went in and came out.
#[derive(Debug)]
pub struct Run<T> {
    /// What ran.
    pub tape: Tape<T>,
    /// The values to explain, in the order of the model's inputs.
    pub inputs: Vec<Port<T>>,
    /// What the model returned, flattened.
    pub outputs: Vec<Port<T>>,
    /// When the lowering to the tape began; it counts to the time of the relevance.
    pub recorded: Instant,
    /// How long running the model under the recorder took.
    pub forward: Duration,
}

/// Traces the chosen output of a run back to its inputs.
///
/// # Errors
/// [`Error::NoOutput`], [`Error::NoInput`] and [`Error::Seed`] when the options do not fit, else as
/// [`Prepared::backtrace`].
pub fn explain<T: Tensor>(
    run: Run<T>,
    options: &Options,
    weights: &WeightCache<T>,
) -> Result<Explanation<T>> {
    let Run { mut tape, inputs, outputs, recorded, forward } = run;
    tape.outputs = outputs.iter().map(|port| port.value).collect();
    tape.numeric_inputs = named(&inputs, &options.numeric_inputs)?;
    let constant = named(&inputs, &options.constant_inputs)?;

    let output = chosen(&outputs, &options.output)?;
    let (value, seed) = starting(&tape, output, &inputs, options)?;
    let inputs: Vec<_> = inputs.into_iter().filter(|port| !constant.contains(&port.value)).collect();
    tape.inputs = inputs.iter().map(|port| port.value).collect();
    let (output_name, output) = (output.name.clone(), output.tensor.clone());
    drop(outputs);
    let prepared = tape.prepare(&options.prepare);
    let operators = uses(&prepared);
    let mut warnings = warnings(&inputs, &output);
    let amount = seed.relevance.amount()?;
    if !(amount.positive.is_finite() && amount.negative.is_finite()) {
        let found = "the explained output is not finite, so there is no total to trace; look for NaN and infinity in the inputs";
        return Err(Error::Seed(found.into()));
    }
    let modules = options.modules.then(|| Modules::new(prepared.steps(), prepared.values()));
    let mut watcher = Watcher { options, values: Vec::new(), modules };
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
    let modules = watcher.modules.map(|modules| modules.finish(&outcome.ledger)).unwrap_or_default();
    let explained = |(port, relevance): (Port<T>, Option<Relevance<T>>)| -> Result<InputRelevance<T>> {
        let relevance = relevance.map_or_else(|| nothing(&port.tensor, &output, mode), Ok)?;
        Ok(InputRelevance { name: port.name, tensor: port.tensor, relevance })
    };
    let inputs = inputs.into_iter().zip(outcome.inputs).map(explained).collect::<Result<_>>()?;
    Ok(Explanation {
        inputs,
        output_name,
        output,
        targets: seed.targets,
        seed: amount,
        ledger: outcome.ledger,
        values: watcher.values,
        modules,
        operators,
        timings: Timings { forward, relevance: recorded.elapsed() },
        warnings,
    })
}

struct Watcher<'a, T> {
    options: &'a Options,
    values: Vec<ValueRelevance<T>>,
    modules: Option<Modules>,
}

impl<T: Tensor> Observer<T> for Watcher<'_, T> {
    fn walked(&mut self, done: usize, total: usize) {
        if let Some(progress) = &self.options.progress {
            progress(done, total);
        }
    }

    fn arrived(
        &mut self,
        value: ValueId,
        operator: &str,
        place: &Place,
        relevance: &Relevance<T>,
    ) -> Result<()> {
        if self.options.all_values {
            let (operator, place) = (operator.to_owned(), place.clone());
            self.values.push(ValueRelevance { operator, place, relevance: relevance.clone() });
        }
        self.modules.as_mut().map_or(Ok(()), |modules| modules.arrived(value, relevance))
    }

    fn watches(&self, _: ValueId) -> bool {
        self.options.all_values || self.modules.is_some()
    }

    fn handed(&mut self, place: Option<&Place>, value: ValueId, amount: Amount) {
        if let Some(modules) = &mut self.modules {
            modules.handed(place.map_or("", |place| &place.module.path), value, amount);
        }
    }
}

/// No relevance, of a tensor's shape; tokens get it in the compute type of the output.
fn nothing<T: Tensor>(tensor: &T, output: &T, mode: Mode) -> Result<Relevance<T>> {
    let like = if tensor.dtype().is_float() { tensor } else { output };
    let dtype = if like.dtype().is_float() { like.dtype().compute() } else { DType::F32 };
    let zeros = like.cast(dtype)?.zeros(&tensor.shape())?;
    Ok(match mode {
        Mode::Default => Relevance::default_mode(zeros),
        Mode::Contrastive => Relevance::contrastive(zeros.clone(), zeros),
    })
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// The values of the inputs of these names.
fn named<T>(inputs: &[Port<T>], names: &[String]) -> Result<Vec<ValueId>> {
    names
        .iter()
        .map(|name| {
            let port = inputs.iter().find(|port| port.name == *name);
            port.map(|port| port.value).ok_or_else(|| Error::NoInput {
                asked: name.clone(),
                found: listed(inputs.iter().map(|port| port.name.as_str())),
            })
        })
        .collect()
}

/// The operators relevance can reach, by name.
fn uses<T: Tensor>(prepared: &Prepared<T>) -> Vec<OperatorUse> {
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

fn warnings<T: Tensor>(inputs: &[Port<T>], output: &T) -> Vec<String> {
    let mut dtypes = inputs.iter().map(|port| &port.tensor).chain([output]).map(Tensor::dtype);
    let half = dtypes.any(|dtype| matches!(dtype, DType::F16 | DType::BF16));
    half.then(|| {
        "the model computes in half precision; relevance was computed in single precision".to_owned()
    })
    .into_iter()
    .collect()
}
