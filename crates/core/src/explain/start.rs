//! Where an explanation starts.

use super::samples::{Again, Found, found};
use super::{Options, Output, OwnStart, Port, listed};
use crate::names::did_you_mean;
use crate::start::{Classes, Start, StartOptions, Target, Task, are_probabilities, class_axis, start};
use crate::{Amount, DType, Error, Mode, Relevance, Result, Tape, Tensor, ValueId};
use ndarray::{ArrayD, Axis};
use std::collections::BTreeSet;

/// The start of an explanation.
pub(super) struct ChosenStart<T> {
    /// The output that is explained.
    pub(super) output: Port<T>,
    /// The value at which the walk starts: the output, or a value within the model.
    pub(super) value: ValueId,
    /// Its relevance.
    pub(super) start: Start<T>,
    /// The axis that counts the output's samples.
    pub(super) samples: Found,
    /// Notes for the reader about the choice.
    pub(super) assumed: Vec<String>,
}

impl<T: Tensor> ChosenStart<T> {
    /// The start that the options choose among the outputs of a run on `given`.
    ///
    /// # Errors
    /// [`Error::NoOutput`] and [`Error::Start`].
    pub(super) fn find(
        tape: &Tape<T>,
        mut outputs: Vec<Port<T>>,
        given: &[Port<T>],
        again: Option<&Again<'_, T>>,
        options: &Options,
    ) -> Result<Self> {
        let number = chosen(&outputs, &options.output)?;
        let samples = found(&outputs, number, given, again, options)?;
        let mut assumed: Vec<String> = assumed(&outputs, number, &options.output).into_iter().collect();
        let output = outputs.swap_remove(number);
        let (value, start) = starting(tape, &output, &samples, options)?;
        let amount = start.relevance.amount()?;
        if !(amount.positive.is_finite() && amount.negative.is_finite()) {
            let found = "the explained output is not finite, so there is no total to trace; check the inputs for NaN and infinity";
            return Err(Error::Start(found.into()));
        }
        assumed.extend(samples.assumed.clone());
        assumed.extend(classes(&output, samples.axis, options));
        assumed.extend(against_one(&output, samples.axis, options));
        assumed.extend(start.assumed.iter().map(|&note| note.to_owned()));
        Ok(Self { output, value, start, samples, assumed })
    }
}

/// Warns that the start is zero.
pub(super) fn zero(size: Amount) -> Option<String> {
    size.is_zero().then(|| {
        "the explained output is 0, so there is no relevance to trace; choose another unit or a total to start with".into()
    })
}

/// The number of the explained output among the flattened ones.
pub(super) fn chosen<T: Tensor>(outputs: &[Port<T>], choice: &Output) -> Result<usize> {
    let named = |name: &String| {
        outputs.iter().position(|port| {
            port.name == *name
                || port.name.rsplit(['.', '[']).next() == Some(name)
                || port.name == format!("output.{name}")
        })
    };
    let (found, asked) = match choice {
        Output::First => {
            let floating = outputs.iter().position(|port| port.tensor.dtype().is_float());
            (floating, "of floating-point numbers".to_owned())
        }
        Output::Index(index) => (outputs.get(*index).map(|_| *index), format!("number {index}")),
        Output::Name(name) => (named(name), name.clone()),
    };
    let typed = |port: &Port<T>| format!("{} ({})", port.name, kind(port));
    let floating = found.is_none_or(|found| outputs[found].tensor.dtype().is_float());
    let asked = if floating {
        asked
    } else {
        format!("{asked} of floating-point numbers, the only ones that carry relevance")
    };
    found.filter(|_| floating).ok_or_else(|| {
        let there = listed(outputs.iter().map(typed).collect::<Vec<_>>().iter().map(String::as_str));
        let advice = match choice {
            Output::First => ", which is not a number to start from: let the model return the scores too",
            _ => ". Choose one of these",
        };
        let meant = did_you_mean(&asked, outputs.iter().map(|port| port.name.as_str()));
        let found = if outputs.is_empty() { there } else { there + advice + &meant };
        Error::NoOutput { asked, found }
    })
}

/// The element type and the shape of a value at the edge of a run.
fn kind<T: Tensor>(port: &Port<T>) -> String {
    format!("{:?} {:?}", port.tensor.dtype(), port.tensor.shape())
}

/// A note about the choice of the output.
fn assumed<T: Tensor>(outputs: &[Port<T>], number: usize, choice: &Output) -> Option<String> {
    let others: Vec<String> = outputs
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != number)
        .map(|(_, port)| format!("{} ({})", port.name, kind(port)))
        .collect();
    let chosen = *choice == Output::First && !others.is_empty();
    chosen.then(|| {
        let name = &outputs[number].name;
        format!(
            "{name} is explained, the first output of floating-point numbers; the others are {}",
            others.join(", ")
        )
    })
}

/// The value to start at and its relevance.
fn starting<T: Tensor>(
    tape: &Tape<T>,
    output: &Port<T>,
    samples: &Found,
    options: &Options,
) -> Result<(ValueId, Start<T>)> {
    let Some(own) = &options.own_start else {
        let unit = options.starts_with_one();
        let options = StartOptions { sample_axis: samples.axis, unit, ..options.start.clone() };
        return Ok((output.value, start(&output.tensor, &options)?));
    };
    let value = match &own.module {
        Some(module) => returned_by(tape, module)?,
        None => output.value,
    };
    let relevance = given(tape, value, &output.tensor, own, options)?;
    Ok((
        value,
        Start { relevance, targets: Vec::new(), earlier: 0, blank: Vec::new(), assumed: BTreeSet::new() },
    ))
}

/// The relevance of a start of the user's own.
fn given<T: Tensor>(
    tape: &Tape<T>,
    value: ValueId,
    like: &T,
    own: &OwnStart,
    options: &Options,
) -> Result<Relevance<T>> {
    let meta = tape.meta(value);
    let like = like.cast(meta.dtype.compute())?;
    let fitted = |given: &ArrayD<f64>| -> Result<T> {
        if given.shape() != meta.shape {
            let message =
                format!("the start has shape {:?}, but its value has {:?}", given.shape(), meta.shape);
            return Err(Error::Start(message));
        }
        like.floats(given.view())?.scale(options.start.multiplier)
    };
    let positive = fitted(&own.positive)?;
    Ok(match (options.start.mode, &options.negative_start) {
        (Mode::Default, _) => Relevance::default_mode(positive),
        (Mode::Contrastive, Some(negative)) => Relevance::contrastive(positive, fitted(negative)?),
        (Mode::Contrastive, None) => {
            let zeros = positive.zeros(&meta.shape)?;
            Relevance::contrastive(positive, zeros)
        }
    })
}

/// The result of the last step within a module.
fn returned_by<T: Tensor>(tape: &Tape<T>, path: &str) -> Result<ValueId> {
    let inside =
        |module: &str| module == path || module.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    let step = tape.steps.iter().rev().find(|step| inside(&step.place.module.path));
    step.and_then(|step| step.outputs.first().copied()).ok_or_else(|| {
        let paths = tape.steps.iter().map(|step| step.place.module.path.as_str());
        let modules: BTreeSet<&str> = paths.filter(|path| !path.is_empty()).collect();
        Error::Start(format!(
            "no operator ran in a module {path}; operators ran in {}{}",
            listed(modules.iter().copied()),
            did_you_mean(path, modules)
        ))
    })
}

/// Why there is nothing to trace back, with the names of the inputs.
pub(super) fn unexplained<T: Tensor>(output: &str, inputs: &[Port<T>], options: &Options) -> String {
    let start = match options.own_start.as_ref().and_then(|own| own.module.as_ref()) {
        Some(module) => format!("what the module {module} returns"),
        None => output.to_owned(),
    };
    let typed = |port: &Port<T>| format!("{} ({})", port.name, kind(port));
    let explained = listed(inputs.iter().map(typed).collect::<Vec<_>>().iter().map(String::as_str));
    let token =
        |port: &&Port<T>| port.tensor.dtype() == DType::Int && !options.numeric_inputs.contains(&port.name);
    let advice = match inputs.iter().find(token) {
        Some(port) => format!(
            "Integers count as tokens, which carry relevance only where rows are looked up by them; if {0} is a quantity, use numeric_input \
             (--numeric-input {0})",
            port.name
        ),
        None => "Choose another output, or explain another input".to_owned(),
    };
    format!(
        "{start} does not depend on any explained input ({explained}), so there is nothing to trace back. {advice}"
    )
}

/// Says which axis of a segmentation was taken to count classes.
fn classes<T: Tensor>(output: &Port<T>, sample_axis: Option<usize>, options: &Options) -> Option<String> {
    let start = StartOptions { sample_axis, ..options.start.clone() };
    let applies =
        matches!(start.task, Task::Segmentation { .. }) && !matches!(start.classes, Some(Classes::Axis(_)));
    let mut axes: Vec<(usize, usize)> = output.tensor.shape().into_iter().enumerate().collect();
    axes.retain(|(axis, _)| Some(*axis) != sample_axis);
    let sample: Vec<usize> = axes.iter().map(|(_, extent)| *extent).collect();
    let (axis, count) = axes.get(class_axis(&sample, &start).filter(|_| applies)?)?;
    Some(format!("axis {axis} of {} counts classes ({count})", output.name))
}

/// Says how contrastive mode starts for a single output, which has no other outputs against it (rules §1).
fn against_one<T: Tensor>(output: &Port<T>, sample_axis: Option<usize>, options: &Options) -> Option<String> {
    let shape = output.tensor.shape();
    let units = shape.iter().enumerate().filter(|(axis, _)| Some(*axis) != sample_axis);
    let applies = units.map(|(_, extent)| extent).product::<usize>() == 1
        && options.own_start.is_none()
        && options.start.mode == Mode::Contrastive;
    applies.then(|| {
        format!(
            "{} is taken for a probability p: the channel against it starts with 1 − p, or with 0 if p ≥ 1",
            output.name
        )
    })
}

/// Suggests probabilities for a contrastive start at scores that plainly are none.
pub(super) fn scores<T: Tensor>(
    output: &T,
    sample_axis: Option<usize>,
    options: &Options,
) -> Result<Option<String>> {
    let start = &options.start;
    let applies = start.mode == Mode::Contrastive
        && start.task == Task::Classification
        && matches!(start.target, Target::Argmax | Target::Unit(_))
        && options.own_start.is_none()
        && !start.from_logits;
    if !applies {
        return Ok(None);
    }
    let values = output.cast(output.dtype().compute())?.to_array()?;
    let samples = match sample_axis {
        Some(axis) => values.axis_iter(Axis(axis)).collect(),
        None => vec![values.view()],
    };
    let plain = samples.iter().any(|sample| !are_probabilities(sample.iter()));
    Ok(plain.then(|| {
        "the explained scores are no probabilities (from 0 to 1, with sum 1). If they are logits, start from probabilities (from_logits, \
         --from-logits): for minus against then tells classes apart best"
            .into()
    }))
}

/// Names the samples of a segmentation that start with nothing.
pub(super) fn blank(samples: &[usize]) -> Option<String> {
    let numbers: Vec<String> = samples.iter().map(usize::to_string).collect();
    (!numbers.is_empty()).then(|| format!("no cell is above the threshold in sample {}", numbers.join(", ")))
}
