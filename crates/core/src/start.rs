//! Starting relevance (rules §1).

mod cells;
mod segmentation;
mod versus;

pub use cells::Coordinate;
pub use segmentation::Classes;
pub(crate) use segmentation::class_axis;
pub use versus::Versus;
pub(crate) use versus::are_probabilities;

use crate::{Error, Mode, Range, Relevance, Result, Tensor};
use ndarray::{Array1, ArrayD, ArrayViewD, ArrayViewMut1, Axis, IxDyn};
use std::collections::BTreeSet;

/// What the model's output means.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Task {
    /// One score for each class, or a single sigmoid output.
    #[default]
    Classification,
    /// Coordinates of a box, or any regression with several outputs.
    BoundingBox,
    /// A mask, or a map for each class: explains the cells above the threshold, sample by sample.
    Segmentation {
        /// The threshold τ.
        threshold: f64,
    },
    /// Scores `[N, T, V]` or `[T, V]` of the token after each position; explains the last position.
    NextToken,
}

/// The explained unit k of each sample.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Target {
    /// The largest output.
    #[default]
    Argmax,
    /// This unit, counted over the sample's flattened output; in a segmentation, this class.
    Unit(usize),
    /// The cells at these coordinates, one for each axis of the output.
    At(Vec<Coordinate>),
    /// The score of the detector's box of this number.
    Box(usize),
    /// The highest score among the boxes of this class.
    BoxOf(i64),
    /// Every output with its own value.
    All,
}

/// Options of the start.
#[derive(Debug, Clone, PartialEq)]
pub struct StartOptions {
    /// One or two channels.
    pub mode: Mode,
    /// What the output means.
    pub task: Task,
    /// The explained unit.
    pub target: Target,
    /// What it is told apart from: the start is then a difference.
    pub versus: Option<Versus>,
    /// The total of the start, in place of the output's own value; the part of the explained unit in a difference.
    pub scaler: Option<f64>,
    /// Multiplies the start.
    pub multiplier: f64,
    /// Starts with 1 in place of the output's own value, for what conserves nothing, such as gradients, or has no signs.
    pub unit: bool,
    /// Takes the softmax (of several outputs) or sigmoid (of one) first.
    pub from_logits: bool,
    /// The axis of the output that counts samples; `None` if the whole output is one sample.
    pub sample_axis: Option<usize>,
    /// The axis that counts the classes of a segmentation; the first axis of each sample if absent.
    pub classes: Option<Classes>,
}

impl Default for StartOptions {
    fn default() -> Self {
        Self {
            mode: Mode::Default,
            task: Task::Classification,
            target: Target::Argmax,
            versus: None,
            scaler: None,
            multiplier: 1.0,
            unit: false,
            from_logits: false,
            sample_axis: None,
            classes: None,
        }
    }
}

/// A starting relevance.
#[derive(Debug)]
pub struct Start<T> {
    /// In the output's shape and compute type.
    pub relevance: Relevance<T>,
    /// The explained unit of each sample, counted over its flattened output; empty if the start is not a single unit.
    pub targets: Vec<usize>,
    /// How many cells of the flattened output lie before those that the units count: those of earlier positions, for the next token.
    pub earlier: usize,
    /// The samples that start with nothing, because none of their cells is above the threshold.
    pub blank: Vec<usize>,
    /// What was assumed of the output's values.
    pub assumed: BTreeSet<&'static str>,
}

/// The start at an output.
///
/// # Errors
/// [`Error::Start`] if the output is empty or has no such unit, or if the task has no contrastive start or none at a difference.
pub fn start<T: Tensor>(output: &T, options: &StartOptions) -> Result<Start<T>> {
    if options.versus.is_some() {
        versus::check(options)?;
    }
    if !output.dtype().is_float() {
        return Err(Error::Start(format!(
            "an output of type {:?} carries no relevance; choose one of floating-point numbers",
            output.dtype()
        )));
    }
    let output = output.cast(output.dtype().compute())?;
    let shape = output.shape();
    if shape.contains(&0) {
        return Err(Error::Start(format!(
            "the output of shape {shape:?} is empty; there is nothing to explain"
        )));
    }
    if options.task == Task::NextToken {
        return next_token(&output, options);
    }
    let samples = samples(output.to_array()?, options)?;
    let count = samples.len_of(Axis(0));
    let starts = samples
        .outer_iter()
        .enumerate()
        .map(|(sample, values)| sample_start(values, sample, count, options))
        .collect::<Result<Vec<SampleStart>>>()?;
    let blank = segmentation::blank(&starts, options)?;
    let tensor = |channel: fn(&SampleStart) -> &ArrayD<f64>| {
        let views: Vec<_> = starts.iter().map(|start| channel(start).view()).collect();
        let stacked = ndarray::stack(Axis(0), &views).map_err(unshaped)?;
        output.floats(back(stacked, options.sample_axis).view())?.scale(options.multiplier)
    };
    let positive = tensor(|start| &start.positive)?;
    let relevance = match options.mode {
        Mode::Default => Relevance::default_mode(positive),
        Mode::Contrastive => Relevance::contrastive(positive, tensor(|start| &start.negative)?),
    };
    let targets = starts.iter().map(|start| start.target).collect::<Option<_>>().unwrap_or_default();
    let assumed = starts.iter().filter_map(|start| start.assumed).collect();
    Ok(Start { relevance, targets, earlier: 0, blank, assumed })
}

fn unshaped(error: ndarray::ShapeError) -> Error {
    Error::Start(format!("the start does not fit the output: {error}"))
}

/// The output with its samples along the first axis.
fn samples(values: ArrayD<f64>, options: &StartOptions) -> Result<ArrayD<f64>> {
    match options.sample_axis {
        None => Ok(values.insert_axis(Axis(0))),
        Some(axis) if axis < values.ndim() => {
            let order: Vec<usize> =
                [axis].into_iter().chain((0..values.ndim()).filter(|a| *a != axis)).collect();
            Ok(values.permuted_axes(IxDyn(&order)))
        }
        Some(axis) => Err(Error::Start(format!(
            "the output of shape {:?} has no axis {axis} that could count samples; axes count from 0",
            values.shape()
        ))),
    }
}

/// Puts the axes of the start back into the output's order.
fn back(stacked: ArrayD<f64>, sample_axis: Option<usize>) -> ArrayD<f64> {
    match sample_axis {
        None => stacked.index_axis_move(Axis(0), 0),
        Some(axis) => {
            let order: Vec<usize> = (1..=axis).chain([0]).chain(axis + 1..stacked.ndim()).collect();
            stacked.permuted_axes(IxDyn(&order))
        }
    }
}

/// The values of a sample; as probabilities, on request.
fn values(given: &ArrayD<f64>, options: &StartOptions) -> ArrayD<f64> {
    if options.from_logits { probabilities(given.view(), options) } else { given.clone() }
}

/// Softmax of several logits, or of class maps along the classes; sigmoid of one logit, or of each cell of a mask.
fn probabilities(logits: ArrayViewD<'_, f64>, options: &StartOptions) -> ArrayD<f64> {
    let mut values = logits.to_owned();
    if let Task::Segmentation { .. } = options.task {
        match class_axis(values.shape(), options) {
            Some(axis) => values.lanes_mut(Axis(axis)).into_iter().for_each(softmax),
            None => values.mapv_inplace(sigmoid),
        }
    } else if values.len() == 1 {
        values.mapv_inplace(sigmoid);
    } else {
        let mut flat = Array1::from_iter(values.iter().copied());
        softmax(flat.view_mut());
        values.iter_mut().zip(flat).for_each(|(value, probability)| *value = probability);
    }
    values
}

fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

fn softmax(mut logits: ArrayViewMut1<'_, f64>) {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    logits.mapv_inplace(|logit| (logit - largest).exp());
    let sum = logits.sum();
    logits.mapv_inplace(|exponential| exponential / sum);
}

/// The start of one sample, each channel of the sample's shape.
#[derive(Default)]
struct SampleStart {
    positive: ArrayD<f64>,
    negative: ArrayD<f64>,
    target: Option<usize>,
    assumed: Option<&'static str>,
}

fn sample_start(
    given: ArrayViewD<'_, f64>,
    sample: usize,
    samples: usize,
    options: &StartOptions,
) -> Result<SampleStart> {
    let given = given.as_standard_layout().into_owned();
    let a = values(&given, options);
    if options.target == Target::All && options.mode == Mode::Contrastive {
        return Err(Error::Start("all outputs together have no contrastive start; choose one unit".into()));
    }
    if options.task == Task::BoundingBox && options.mode == Mode::Contrastive && a.len() == 1 {
        return Err(Error::Start(
            "a regression of one number has no other output to start the channel against, so there is no contrastive \
             start; use the default mode"
                .into(),
        ));
    }
    match (options.task, &options.target) {
        (_, Target::At(coordinates)) => {
            let cells = cells::chosen(&a, coordinates, sample, samples, options.sample_axis)?;
            Ok(of_cells(&a, &cells, options))
        }
        (Task::Segmentation { threshold }, _) => segmentation::sample_start(&a, threshold, options),
        (_, Target::All) => {
            let total = a.sum();
            let factor = options.scaler.filter(|_| total != 0.0).map_or(1.0, |scaler| scaler / total);
            let positive = if options.unit { ArrayD::ones(a.raw_dim()) } else { &a * factor };
            Ok(SampleStart { positive, negative: ArrayD::zeros(a.raw_dim()), ..SampleStart::default() })
        }
        (_, Target::Argmax) => {
            let k = argmax(a.iter());
            of_unit(&given, &a, k, options)
        }
        (_, Target::Box(_) | Target::BoxOf(_)) => {
            Err(Error::Start("this output does not hold the scores of a detector's boxes; choose a unit of it instead of a box".into()))
        }
        (_, &Target::Unit(k)) if k < a.len() => of_unit(&given, &a, k, options),
        (_, Target::Unit(k)) => Err(Error::Start(format!(
            "the output has no unit {k}: it has {0} units for each sample, counted from 0",
            a.len()
        ))),
    }
}

/// a at one unit of a sample, or its difference to others.
fn of_unit(given: &ArrayD<f64>, a: &ArrayD<f64>, k: usize, options: &StartOptions) -> Result<SampleStart> {
    let Some(versus) = options.versus else { return Ok(of_cells(a, &[k], options)) };
    let (positive, assumed) = versus::difference(given, a, k, versus, options)?;
    Ok(SampleStart { positive, negative: ArrayD::zeros(a.raw_dim()), target: Some(k), assumed })
}

/// a at some cells of a sample, or a total divided evenly among them. R⁻ = a elsewhere; for a single output, 1 − a.
fn of_cells(a: &ArrayD<f64>, cells: &[usize], options: &StartOptions) -> SampleStart {
    let mut chosen = vec![false; a.len()];
    cells.iter().for_each(|&cell| chosen[cell] = true);
    let unit = options.unit.then_some(1.0);
    let even = options.scaler.map(|scaler| scaler / cells.len() as f64).or(unit);
    let one_box = options.task == Task::BoundingBox && !matches!(options.target, Target::At(_));
    let positive = match options.scaler.filter(|_| one_box) {
        Some(scaler) => ArrayD::from_elem(a.raw_dim(), scaler / a.len() as f64),
        None => by_cell(a, |cell, value| if chosen[cell] { even.unwrap_or(value) } else { 0.0 }),
    };
    let mut negative = by_cell(a, |cell, value| match chosen[cell] {
        true if a.len() == 1 => (1.0 - value).max(0.0),
        true => 0.0,
        false if cells.is_empty() => 0.0,
        false => value,
    });
    scale_to(&mut negative, options.scaler);
    let target = match cells {
        [cell] if !(one_box && options.scaler.is_some()) => Some(*cell),
        _ => None,
    };
    SampleStart { positive, negative, target, assumed: None }
}

/// An array of the shape of `a`, made of the number and the value of each cell.
fn by_cell(a: &ArrayD<f64>, value: impl Fn(usize, f64) -> f64) -> ArrayD<f64> {
    let mut cells = 0..;
    a.map(|&old| value(cells.next().unwrap_or_default(), old))
}

/// Scales to the requested total, if there is something to scale.
fn scale_to(values: &mut ArrayD<f64>, scaler: Option<f64>) {
    let total = values.sum();
    if let Some(scaler) = scaler.filter(|_| total > 0.0) {
        values.mapv_inplace(|value| value * (scaler / total));
    }
}

/// 1 at (T − 1, id) of each sample, or the difference of its score to those of others.
fn next_token<T: Tensor>(output: &T, options: &StartOptions) -> Result<Start<T>> {
    if options.mode == Mode::Contrastive {
        return Err(Error::Start(
            "the next token has no contrastive start; use the default mode, where versus (--versus) tells it from other tokens"
                .into(),
        ));
    }
    let shape = output.shape();
    let [lead @ .., positions, vocabulary] = shape.as_slice() else {
        return Err(Error::Start(format!("next-token scores are [N, T, V] or [T, V], not {shape:?}")));
    };
    if lead.len() > 1 {
        return Err(Error::Start(format!("next-token scores are [N, T, V] or [T, V], not {shape:?}")));
    }
    let mut relevance = output.zeros(&shape)?;
    let (mut targets, mut assumed) = (Vec::new(), BTreeSet::new());
    for sample in 0..lead.first().copied().unwrap_or(1) {
        let cell = |token: Range| {
            let mut region = vec![Range::span(sample, 1); lead.len()];
            region.extend([Range::span(positions - 1, 1), token]);
            region
        };
        let all = cell(Range::full(*vocabulary));
        let scores = || output.slice(&all)?.to_array();
        let token = match &options.target {
            Target::Unit(token) if token < vocabulary => *token,
            Target::Unit(token) => {
                return Err(Error::Start(format!(
                    "there is no token {token} in a vocabulary of {vocabulary}"
                )));
            }
            Target::Argmax => argmax(scores()?.iter()),
            Target::All | Target::At(_) | Target::Box(_) | Target::BoxOf(_) => {
                return Err(Error::Start("the next token is one token; choose its number or argmax".into()));
            }
        };
        let (region, start) = match options.versus {
            None => {
                let value = options.scaler.unwrap_or(1.0) * options.multiplier;
                (cell(Range::span(token, 1)), output.full(&vec![1; shape.len()], value)?)
            }
            Some(versus) => {
                let given = scores()?;
                let (start, note) =
                    versus::difference(&given, &values(&given, options), token, versus, options)?;
                assumed.extend(note);
                (all, output.floats(start.view())?.scale(options.multiplier)?)
            }
        };
        relevance = relevance.add_region(&region, &start)?;
        targets.push(token);
    }
    let earlier = (positions - 1) * vocabulary;
    Ok(Start { relevance: Relevance::default_mode(relevance), targets, earlier, blank: Vec::new(), assumed })
}

/// The first of the largest values.
fn argmax<'a>(values: impl Iterator<Item = &'a f64>) -> usize {
    let largest = values.enumerate().fold((0, None), |(best, most), (index, value)| match most {
        Some(most) if *value <= most || value.is_nan() => (best, Some(most)),
        _ => (index, Some(*value)),
    });
    largest.0
}
