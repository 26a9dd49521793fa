//! From a recorded run to an explanation, for any framework.

mod detections;
mod explanation;
mod inputs;
mod modules;
mod noted;
mod options;
mod progress;
mod samples;
mod start;

pub use explanation::{Explanation, InputRelevance, OperatorUse, Timings, ValueRelevance, coverage};
pub use inputs::scalings;
pub use modules::ModuleRelevance;
pub use options::{Options, Output, OwnStart, Samples};
pub use progress::{Progress, Watch};
pub use samples::{Again, SampleCache};

use crate::names::did_you_mean;
use crate::rules::Kind;
use crate::{
    Amount, DType, Error, Family, Ledger, Observer, Place, Prepared, RandomUse, Relevance, Result, Role,
    Step, Tape, Tensor, ValueId, WalkOptions, WeightCache,
};
use modules::Modules;
use noted::Noted;
use start::ChosenStart;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

pub use crate::recording::Port;

/// A run on a tape, with the names of its inputs and outputs.
#[derive(Debug)]
pub struct Run<'a, T> {
    /// The recorded steps.
    pub tape: Tape<T>,
    /// The values to explain, in the order of the model's inputs.
    pub inputs: Vec<Port<T>>,
    /// The model's inputs, whose rows count samples: the values to explain, or what these were read from.
    pub given: Vec<Port<T>>,
    /// What the model returned, flattened.
    pub outputs: Vec<Port<T>>,
    /// What the run assumed.
    pub assumed: Vec<String>,
    /// The time at which lowering to the tape began; lowering counts towards the time of the relevance.
    pub recorded: Instant,
    /// How long the recorded run of the model took.
    pub forward: Duration,
    /// Runs the model again, if that is possible.
    pub again: Option<Again<'a, T>>,
}

/// Traces the chosen output of a run back to its inputs.
///
/// # Errors
/// [`Error::NoOutput`], [`Error::NoInput`] and [`Error::Start`] if the options do not fit, [`Error::Cancelled`] if the watch of the
/// options stops it, otherwise those of [`Prepared::backtrace`].
pub fn explain<T: Tensor>(
    run: Run<'_, T>,
    options: &Options,
    weights: &WeightCache<T>,
) -> Result<Explanation<T>> {
    options.check()?;
    let Run { mut tape, mut inputs, given, outputs, assumed, recorded, forward, again } = run;
    tape.outputs = outputs.iter().map(|port| port.value).collect();
    tape.numeric_inputs = inputs::named(&inputs, &options.numeric_inputs)?;
    let constant = inputs::named(&inputs, &options.constant_inputs)?;
    inputs.retain(|port| !constant.contains(&port.value));
    tape.inputs = inputs.iter().map(|port| port.value).collect();

    let resolved = detections::resolved(&outputs, options)?;
    let options = resolved.as_ref().unwrap_or(options);
    let random = RandomUse::counted(std::mem::take(&mut tape.random));
    // A second run of a random model shows nothing about samples.
    let again = again.filter(|_| random.is_empty());
    let ChosenStart { output, value, start, samples, assumed: of_start } =
        ChosenStart::find(&tape, outputs, &given, again.as_ref(), options)?;
    drop((given, again));

    let amount = start.relevance.amount()?;
    let size = start.relevance.measure(|channel| channel.abs()?.total())?;
    let mut warnings: Vec<String> = half_precision(&inputs, &output.tensor).into_iter().collect();
    warnings.extend(options.idle());
    warnings.extend(start::blank(&start.blank));
    warnings.extend(start::zero(size));
    warnings.extend(start::scores(&output.tensor, samples.axis, options)?);
    warnings.extend(inputs.iter().filter_map(|port| inputs::unscaled(&tape, port)));
    warnings.extend(RandomUse::warnings(&random, options.random_seed));

    let prepared = tape.prepare(&options.analyses(), weights)?;
    gated(prepared.steps(), options)?;
    if !prepared.depends(value) {
        return Err(Error::Start(start::unexplained(&output.name, &inputs, options)));
    }
    let operators = uses(&prepared);
    let noted = Noted::new(prepared.steps(), &inputs, options);
    let assumed = [assumed, of_start, noted.assumed().into_iter().collect()].concat();
    let modules = options.modules.then(|| Modules::new(prepared.steps(), prepared.values()));
    let mut watcher = Watcher { options, values: Vec::new(), modules };
    let walk = WalkOptions { rules: options.rules.clone(), allow_unruled: options.allow_unruled };
    let mode = start.relevance.mode();
    let outcome = prepared.backtrace(vec![(value, start.relevance)], weights, walk, &mut watcher)?;
    warnings.extend(unaccounted(&outcome.ledger));
    warnings.extend(noted.warnings(&outcome.ledger, size.positive + size.negative));

    let explained = |(port, relevance): (Port<T>, Option<Relevance<T>>)| -> Result<InputRelevance<T>> {
        let relevance = relevance.map_or_else(|| inputs::nothing(&port.tensor, &output.tensor, mode), Ok)?;
        Ok(InputRelevance { name: port.name, tensor: port.tensor, relevance })
    };
    Ok(Explanation {
        inputs: inputs.into_iter().zip(outcome.inputs).map(explained).collect::<Result<_>>()?,
        output_name: output.name,
        output: output.tensor,
        targets: start.targets,
        earlier: start.earlier,
        versus: options.start.versus,
        sample_axis: samples.axis,
        samples_in_inputs: samples.in_inputs,
        assumed,
        start: amount,
        modules: watcher.modules.map(|modules| modules.finish(&outcome.ledger)).unwrap_or_default(),
        ledger: outcome.ledger,
        values: watcher.values,
        operators,
        random,
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
    fn walked(&mut self, done: usize, total: usize) -> Result<()> {
        self.options.watch.tell(Progress::Walking { done, total })
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

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// The operators that relevance can reach, by name.
fn uses<T: Tensor>(prepared: &Prepared<T>) -> Vec<OperatorUse> {
    let mut uses: BTreeMap<&str, (usize, BTreeSet<Family>, BTreeSet<Kind>)> = BTreeMap::new();
    for step in prepared.steps() {
        if step.inputs.iter().any(|operand| operand.depends) {
            let (count, families, kinds) = uses.entry(&step.operator).or_default();
            *count += 1;
            families.insert(step.op.family());
            kinds.insert(Kind::of_step(step));
        }
    }
    let counted =
        |(operator, (count, families, kinds))| OperatorUse::new(operator, count, families).of_kinds(kinds);
    uses.into_iter().map(counted).collect()
}

/// Refuses a gate for a module in which nothing ran that could have one.
fn gated<T: Tensor>(steps: &[Step<T>], options: &Options) -> Result<()> {
    let sums = steps
        .iter()
        .filter(|step| matches!(step.op.role(&step.inputs), Role::Linear { .. } | Role::Convolution { .. }));
    let modules: BTreeSet<&str> = sums.map(|step| step.place.module.path.as_str()).collect();
    match options.prepare.gate_of.keys().find(|module| !modules.contains(module.as_str())) {
        Some(unknown) => Err(Error::Start(format!(
            "no weighted sum ran in a module {unknown}, so it has no gate (gate_of); some ran in {}{}",
            listed(modules.iter().map(|path| if path.is_empty() { "the top module, \"\"" } else { path })),
            did_you_mean(unknown, modules)
        ))),
        None => Ok(()),
    }
}

/// Warns that the relevance has another precision than the model.
fn half_precision<T: Tensor>(inputs: &[Port<T>], output: &T) -> Option<String> {
    let mut dtypes = inputs.iter().map(|port| &port.tensor).chain([output]).map(Tensor::dtype);
    let half = dtypes.any(|dtype| matches!(dtype, DType::F16 | DType::BF16));
    half.then(|| {
        "the model computes in half precision, but its relevance was computed in single precision".to_owned()
    })
}

/// The steps whose account does not close, which is a defect of their rule.
fn unaccounted(ledger: &Ledger) -> Option<String> {
    let open: Vec<String> =
        ledger.open_entries().map(|entry| format!("{} ({})", entry.operator, entry.place)).collect();
    (!open.is_empty()).then(|| {
        format!("these steps do not account for all relevance that they received: {}", open.join("; "))
    })
}
