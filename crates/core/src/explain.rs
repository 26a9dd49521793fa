//! From a recorded run to an explanation, whatever framework it ran in.

mod detections;
mod explanation;
mod modules;
mod noted;
mod options;
mod samples;
mod start;

pub use explanation::{Explanation, InputRelevance, OperatorUse, Timings, ValueRelevance, coverage};
pub use modules::ModuleRelevance;
pub use options::{Options, Output, OwnSeed, Progress, Samples};
pub use samples::{Again, SampleCache};

use crate::analysis::{PixelRange, Scaling, scaling_of};
use crate::seed::{Classes, SeedOptions, Task, class_axis};
use crate::{
    Amount, DType, Error, Family, Mode, Observer, Place, Prepared, RandomUse, Relevance, Result, Tape,
    Tensor, ValueId, WalkOptions, WeightCache,
};
use modules::Modules;
use noted::Noted;
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
pub struct Run<'a, T> {
    /// What ran.
    pub tape: Tape<T>,
    /// The values to explain, in the order of the model's inputs.
    pub inputs: Vec<Port<T>>,
    /// What the model was given, which counts its samples: the same, or what the values to explain were read of.
    pub given: Vec<Port<T>>,
    /// What the model returned, flattened.
    pub outputs: Vec<Port<T>>,
    /// When the lowering to the tape began; it counts to the time of the relevance.
    pub recorded: Instant,
    /// How long running the model under the recorder took.
    pub forward: Duration,
    /// Runs the model again, if it can be.
    pub again: Option<Again<'a, T>>,
}

/// Traces the chosen output of a run back to its inputs.
///
/// # Errors
/// [`Error::NoOutput`], [`Error::NoInput`] and [`Error::Seed`] when the options do not fit, else as
/// [`Prepared::backtrace`].
pub fn explain<T: Tensor>(
    run: Run<'_, T>,
    options: &Options,
    weights: &WeightCache<T>,
) -> Result<Explanation<T>> {
    let Run { mut tape, inputs, given, outputs, recorded, forward, again } = run;
    tape.outputs = outputs.iter().map(|port| port.value).collect();
    tape.numeric_inputs = named(&inputs, &options.numeric_inputs)?;
    let constant = named(&inputs, &options.constant_inputs)?;

    let resolved = detections::resolved(&outputs, options)?;
    let options = resolved.as_ref().unwrap_or(options);
    let number = chosen(&outputs, &options.output)?;
    let random = RandomUse::counted(std::mem::take(&mut tape.random));
    // What is left to chance tells nothing of samples when it is run again.
    let again = again.filter(|_| random.is_empty());
    let samples = samples::found(&outputs, number, &given, again.as_ref(), options)?;
    drop(given);
    drop(again);
    let output = &outputs[number];
    let mut assumed: Vec<String> = start::assumed(&outputs, number, &options.output).into_iter().collect();
    assumed.extend(samples.assumed.clone());
    let (value, seed) = starting(&tape, output, &samples, options)?;
    assumed.extend(classes(output, samples.axis, options));
    assumed.extend(against_one(output, samples.axis, options));
    let inputs: Vec<_> = inputs.into_iter().filter(|port| !constant.contains(&port.value)).collect();
    tape.inputs = inputs.iter().map(|port| port.value).collect();
    let token =
        |port: &&Port<T>| port.tensor.dtype() == DType::Int && !tape.numeric_inputs.contains(&port.value);
    let (tokens, token_names): (Vec<_>, Vec<_>) =
        inputs.iter().filter(token).map(|port| (port.value, port.name.clone())).unzip();
    let token_names = token_names.join(", ");
    let (output_name, output) = (output.name.clone(), output.tensor.clone());
    drop(outputs);
    let mut warnings = warnings(&inputs, &output);
    warnings.extend(blank(&seed.blank));
    warnings.extend(inputs.iter().filter_map(|port| unscaled(&tape, port)));
    warnings.extend(RandomUse::warnings(&random, options.random_seed));
    let prepared = tape.prepare(&options.prepare);
    if !prepared.depends(value) {
        return Err(Error::Seed(unexplained(&output_name, &inputs, options)));
    }
    let operators = uses(&prepared);
    let amount = seed.relevance.amount()?;
    if !(amount.positive.is_finite() && amount.negative.is_finite()) {
        let found = "the explained output is not finite, so there is no total to trace; look for NaN and infinity in the inputs";
        return Err(Error::Seed(found.into()));
    }
    let start = seed.relevance.measure(|channel| channel.abs()?.total())?;
    if start.is_zero() {
        warnings.push("the explained output is 0, so there is no relevance to trace; choose another unit or a total to start with".into());
    }
    let modules = options.modules.then(|| Modules::new(prepared.steps(), prepared.values()));
    let mut watcher = Watcher { options, values: Vec::new(), modules };
    let noted = Noted::new(prepared.steps(), &tokens);
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
    warnings.extend(noted.warnings(&outcome.ledger, start.positive + start.negative, &token_names));
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
        sample_axis: samples.axis,
        samples_in_inputs: samples.in_inputs,
        assumed,
        seed: amount,
        ledger: outcome.ledger,
        values: watcher.values,
        modules,
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

/// Why there is nothing to trace back, in the words of the inputs.
fn unexplained<T: Tensor>(output: &str, inputs: &[Port<T>], options: &Options) -> String {
    let start = match options.seed.as_ref().and_then(|own| own.module.as_ref()) {
        Some(module) => format!("what the module {module} returns"),
        None => output.to_owned(),
    };
    let typed = |port: &Port<T>| format!("{} ({})", port.name, start::kind(port));
    let explained = listed(inputs.iter().map(typed).collect::<Vec<_>>().iter().map(String::as_str));
    let token =
        |port: &&Port<T>| port.tensor.dtype() == DType::Int && !options.numeric_inputs.contains(&port.name);
    let advice = match inputs.iter().find(token) {
        Some(port) => format!(
            "Integers are tokens, which count where rows are looked up by them; if {0} is a quantity, say so by numeric_input \
             (--numeric-input {0})",
            port.name
        ),
        None => "Choose another output, or explain another input".to_owned(),
    };
    format!(
        "{start} does not depend on any explained input ({explained}), so there is nothing to trace back. {advice}"
    )
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

/// Where the classes of a segmentation were taken to stand.
fn classes<T: Tensor>(output: &Port<T>, sample_axis: Option<usize>, options: &Options) -> Option<String> {
    let start = SeedOptions { sample_axis, ..options.start.clone() };
    let applies =
        matches!(start.task, Task::Segmentation { .. }) && !matches!(start.classes, Some(Classes::Axis(_)));
    let mut axes: Vec<(usize, usize)> = output.tensor.shape().into_iter().enumerate().collect();
    axes.retain(|(axis, _)| Some(*axis) != sample_axis);
    let sample: Vec<usize> = axes.iter().map(|(_, extent)| *extent).collect();
    let (axis, count) = axes.get(class_axis(&sample, &start).filter(|_| applies)?)?;
    Some(format!("axis {axis} of {} counts classes ({count})", output.name))
}

/// What contrastive mode makes of a single output, which has no others to speak against it (rules §1).
fn against_one<T: Tensor>(output: &Port<T>, sample_axis: Option<usize>, options: &Options) -> Option<String> {
    let shape = output.tensor.shape();
    let units = shape.iter().enumerate().filter(|(axis, _)| Some(*axis) != sample_axis);
    let applies = units.map(|(_, extent)| extent).product::<usize>() == 1
        && options.seed.is_none()
        && options.start.mode == Mode::Contrastive;
    applies.then(|| {
        format!(
            "{} is taken for a probability: what speaks against it starts with 1 less its value, or with 0 from 1 on",
            output.name
        )
    })
}

/// How the model of a run scales each input before it does anything else with it.
pub fn scalings<T: Tensor>(run: &Run<'_, T>) -> Vec<(String, Scaling)> {
    run.inputs.iter().map(|port| (port.name.clone(), scaling_of(&run.tape, port.value))).collect()
}

/// That an input which looks like pictures is of another range than the model scales.
fn unscaled<T: Tensor>(tape: &Tape<T>, port: &Port<T>) -> Option<String> {
    let shape = port.tensor.shape();
    if !port.tensor.dtype().is_float() || shape.len() < 3 || shape.contains(&0) {
        return None;
    }
    // Few models tell; only for those are the numbers looked at.
    let range = scaling_of(tape, port.value).pixels()?;
    let axes: Vec<usize> = (0..shape.len()).collect();
    let extreme = |sign: f64| -> Option<f64> {
        Some(sign * port.tensor.scale(sign).ok()?.max_over(&axes).ok()?.total().ok()?)
    };
    let (least, most) = (extreme(-1.0)?, extreme(1.0)?);
    let expected = match range {
        PixelRange::Bytes if least >= 0.0 && most > 0.0 && most <= 1.0 => "0 to 255",
        PixelRange::Unit if least >= 0.0 && most > 16.0 => "0 to 1",
        _ => return None,
    };
    Some(format!(
        "the numbers of {} lie between {least:.3} and {most:.3}, and the model scales them as if they were {expected}; give it \
         pixels of that range",
        port.name
    ))
}

/// Samples of a segmentation that start with nothing.
fn blank(samples: &[usize]) -> Option<String> {
    let numbers: Vec<String> = samples.iter().map(usize::to_string).collect();
    (!numbers.is_empty()).then(|| format!("no cell is above the threshold in sample {}", numbers.join(", ")))
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
