//! Starts at the difference between the explained unit and another, or all others (rules §1).

use super::{StartOptions, Target, Task, by_cell, softmax};
use crate::{Error, Mode, Result};
use ndarray::{Array1, ArrayD};

/// What the explained unit is told apart from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Versus {
    /// Another unit, counted as the explained one.
    Unit(usize),
    /// All other units, each weighted by its part of their softmax.
    Others,
}

/// Values that sum to 1 within this, and lie between 0 and 1, are probabilities.
const WHOLE: f64 = 1e-3;

/// The start at a difference, in the sample's shape, and what was assumed.
type Difference = (ArrayD<f64>, Option<&'static str>);

/// Refuses what has no such start.
///
/// # Errors
/// [`Error::Start`].
pub(super) fn check(options: &StartOptions) -> Result<()> {
    let refused = |message: &str| Err(Error::Start(message.to_owned()));
    if options.mode == Mode::Contrastive {
        return refused(
            "contrastive mode has a start of its own, which is against all other units; leave versus (--versus) out, or use default mode",
        );
    }
    match (options.task, &options.target) {
        (Task::Segmentation { .. } | Task::BoundingBox, _) => refused(
            "versus (--versus) tells classes or tokens apart, not the cells of a segmentation or the numbers of a regression. Leave it out, \
             or give a start of your own (start, --start), positive for one side and negative for the other",
        ),
        (_, Target::Argmax | Target::Unit(_)) => Ok(()),
        (_, Target::At(_) | Target::Box(_) | Target::BoxOf(_) | Target::All) => refused(
            "versus (--versus) tells one unit of each sample from others, so the target must be the unit's number or argmax. For cells, \
             boxes or all outputs give a start of your own (start, --start), positive for one side and negative for the other",
        ),
    }
}

/// R_k = v_k and R_j = −w_j·v_j, with the weights w held constant. v is the value `a` of the output, a total, or 1. `given` is the
/// output as the model gave it.
///
/// # Errors
/// [`Error::Start`] if there is no other unit of this kind.
pub(super) fn difference(
    given: &ArrayD<f64>,
    a: &ArrayD<f64>,
    k: usize,
    versus: Versus,
    options: &StartOptions,
) -> Result<Difference> {
    let (weights, assumed) = weights(given, k, versus, options)?;
    let same = options.scaler.or(options.unit.then_some(1.0));
    let start = by_cell(a, |cell, value| match same.unwrap_or(value) {
        v if cell == k => v,
        // A score of −∞ has no weight.
        _ if weights[cell] == 0.0 => 0.0,
        v => -weights[cell] * v,
    });
    Ok((start, assumed))
}

/// The weights of the other units: 1 for a single one; their softmax, which of probabilities p is p ⊘ (1 − p_k).
fn weights(
    given: &ArrayD<f64>,
    k: usize,
    versus: Versus,
    options: &StartOptions,
) -> Result<(Vec<f64>, Option<&'static str>)> {
    let refused = |message: String| Err(Error::Start(message));
    let (units, unit) = (given.len(), if options.task == Task::NextToken { "token" } else { "unit" });
    if units == 1 {
        return refused(
            "the output has one unit for each sample, so there is no other to tell it from; leave versus (--versus) out".into(),
        );
    }
    match versus {
        Versus::Unit(j) if j >= units => refused(format!(
            "there is no {unit} {j} to start against (versus, --versus): each sample has {units}, numbered 0 to {}",
            units - 1
        )),
        Versus::Unit(j) if j == k => refused(format!(
            "{unit} {k} is explained, so it cannot be told from itself (versus, --versus); choose another {unit} there, or explain another \
             (target, --target)"
        )),
        Versus::Unit(j) => Ok(((0..units).map(|unit| f64::from(u8::from(unit == j))).collect(), None)),
        Versus::Others if given.shape().iter().filter(|extent| **extent > 1).count() > 1 => refused(format!(
            "the units of a sample lie along several axes, {:?}, so it is not known which of them exclude each other. Name one to tell \
             from (versus, --versus), or give a start of your own (start, --start)",
            given.shape()
        )),
        Versus::Others => {
            let mut values = Array1::from_iter(given.iter().copied());
            let probabilities = !options.from_logits && are_probabilities(given.iter());
            if probabilities {
                values[k] = 0.0;
                values /= values.sum();
            } else {
                values[k] = f64::NEG_INFINITY;
                softmax(values.view_mut());
            }
            if probabilities && values.iter().any(|weight| weight.is_nan()) {
                return refused(format!(
                    "{unit} {k} has the probability 1 and all others have 0, so they have no weights; name one of them (versus, --versus)"
                ));
            }
            let assumed = match probabilities {
                true => {
                    "the output is taken for probabilities, because it lies between 0 and 1 and sums to 1: they weight the other units"
                }
                false => "the output is taken for logits: their softmax weights the other units",
            };
            Ok((values.to_vec(), (units > 2 && !options.from_logits).then_some(assumed)))
        }
    }
}

/// Whether these plainly are probabilities: between 0 and 1, and several sum to 1.
pub(crate) fn are_probabilities<'a>(values: impl ExactSizeIterator<Item = &'a f64> + Clone) -> bool {
    let whole = values.len() == 1 || (values.clone().sum::<f64>() - 1.0).abs() <= WHOLE;
    whole && values.clone().all(|value| (0.0..=1.0).contains(value))
}
