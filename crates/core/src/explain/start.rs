//! Where an explanation starts.

use super::samples::Found;
use super::{Options, Output, OwnSeed, Port, listed};
use crate::seed::{Seed, SeedOptions, seed};
use crate::{Error, Mode, Relevance, Result, Tape, Tensor, ValueId};
use ndarray::ArrayD;
use std::collections::BTreeSet;

/// The number of the output that is explained, among the flattened ones.
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
            (floating, "of floating numbers".to_owned())
        }
        Output::Index(index) => (outputs.get(*index).map(|_| *index), format!("number {index}")),
        Output::Name(name) => (named(name), name.clone()),
    };
    let typed = |port: &Port<T>| format!("{} ({})", port.name, kind(port));
    let floating = found.is_none_or(|found| outputs[found].tensor.dtype().is_float());
    let asked =
        if floating { asked } else { format!("{asked} of floating numbers, which alone carry relevance") };
    found.filter(|_| floating).ok_or_else(|| {
        let there = listed(outputs.iter().map(typed).collect::<Vec<_>>().iter().map(String::as_str));
        let advice = match choice {
            Output::First => ", which is no number to start from: return the scores beside it",
            _ => ". Choose one of these",
        };
        Error::NoOutput { asked, found: if outputs.is_empty() { there } else { there + advice } }
    })
}

/// The element type and the shape of a value at the edge of a run.
pub(super) fn kind<T: Tensor>(port: &Port<T>) -> String {
    format!("{:?} {:?}", port.tensor.dtype(), port.tensor.shape())
}

/// What the reader should know of the choice of the output.
pub(super) fn assumed<T: Tensor>(outputs: &[Port<T>], number: usize, choice: &Output) -> Option<String> {
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
            "{name} is explained, the first output of floating numbers; the others are {}",
            others.join(", ")
        )
    })
}

/// The value to start at and its relevance.
pub(super) fn starting<T: Tensor>(
    tape: &Tape<T>,
    output: &Port<T>,
    samples: &Found,
    options: &Options,
) -> Result<(ValueId, Seed<T>)> {
    let Some(own) = &options.seed else {
        let start = SeedOptions { sample_axis: samples.axis, ..options.start.clone() };
        return Ok((output.value, seed(&output.tensor, &start)?));
    };
    let value = match &own.module {
        Some(module) => returned_by(tape, module)?,
        None => output.value,
    };
    let relevance = given(tape, value, &output.tensor, own, options)?;
    Ok((value, Seed { relevance, targets: Vec::new(), blank: Vec::new() }))
}

/// The relevance of a start of one's own.
fn given<T: Tensor>(
    tape: &Tape<T>,
    value: ValueId,
    like: &T,
    own: &OwnSeed,
    options: &Options,
) -> Result<Relevance<T>> {
    let meta = tape.meta(value);
    let like = like.cast(meta.dtype.compute())?;
    let fitted = |given: &ArrayD<f64>| -> Result<T> {
        if given.shape() != meta.shape {
            let message =
                format!("the start has shape {:?}; the value it is for has {:?}", given.shape(), meta.shape);
            return Err(Error::Seed(message));
        }
        like.floats(given.view())?.scale(options.start.multiplier)
    };
    let positive = fitted(&own.positive)?;
    Ok(match (options.start.mode, &own.negative) {
        (Mode::Default, _) => Relevance::default_mode(positive),
        (Mode::Contrastive, Some(negative)) => Relevance::contrastive(positive, fitted(negative)?),
        (Mode::Contrastive, None) => {
            let zeros = positive.zeros(&meta.shape)?;
            Relevance::contrastive(positive, zeros)
        }
    })
}

/// What the last step within a module made.
fn returned_by<T: Tensor>(tape: &Tape<T>, path: &str) -> Result<ValueId> {
    let inside =
        |module: &str| module == path || module.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    let step = tape.steps.iter().rev().find(|step| inside(&step.place.module.path));
    step.and_then(|step| step.outputs.first().copied()).ok_or_else(|| {
        let paths = tape.steps.iter().map(|step| step.place.module.path.as_str());
        let modules: BTreeSet<&str> = paths.filter(|path| !path.is_empty()).collect();
        Error::Seed(format!(
            "no operator ran in a module {path}; operators ran in {}",
            listed(modules.into_iter())
        ))
    })
}
