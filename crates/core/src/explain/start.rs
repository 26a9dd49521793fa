//! Where an explanation starts.

use super::{Options, Output, OwnSeed, Port, listed};
use crate::seed::{Seed, SeedOptions, seed};
use crate::{Error, Mode, Relevance, Result, Tape, Tensor, ValueId};
use ndarray::ArrayD;
use std::collections::BTreeSet;

/// The output that is explained.
pub(super) fn chosen<'a, T>(outputs: &'a [Port<T>], choice: &Output) -> Result<&'a Port<T>> {
    let port = match choice {
        Output::Index(index) => outputs.get(*index),
        Output::Name(name) => outputs.iter().find(|port| {
            port.name == *name
                || port.name.rsplit(['.', '[']).next() == Some(name)
                || port.name == format!("output.{name}")
        }),
    };
    port.ok_or_else(|| Error::NoOutput {
        asked: match choice {
            Output::Index(index) => format!("number {index}"),
            Output::Name(name) => name.clone(),
        },
        found: listed(outputs.iter().map(|port| port.name.as_str())),
    })
}

/// The value to start at and its relevance.
pub(super) fn starting<T: Tensor>(
    tape: &Tape<T>,
    output: &Port<T>,
    inputs: &[Port<T>],
    options: &Options,
) -> Result<(ValueId, Seed<T>)> {
    let Some(own) = &options.seed else {
        let batch = inputs.first().and_then(|port| port.tensor.shape().first().copied());
        return Ok((output.value, seed(&output.tensor, &SeedOptions { batch, ..options.start })?));
    };
    let value = match &own.module {
        Some(module) => returned_by(tape, module)?,
        None => output.value,
    };
    Ok((value, Seed { relevance: given(tape, value, &output.tensor, own, options)?, targets: Vec::new() }))
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
