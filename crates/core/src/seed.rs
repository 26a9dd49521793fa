//! Starting relevance (rules §1).

use crate::{Error, Mode, Range, Relevance, Result, Tensor};
use ndarray::{Array2, ArrayD};

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
    /// A mask: cells above the threshold are explained, sample by sample.
    Segmentation {
        /// The threshold τ.
        threshold: f64,
    },
    /// Scores `[N, T, V]` or `[T, V]` of the token after each position; the last position is explained.
    NextToken,
}

/// The explained unit k of each sample, counted over the sample's flattened output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Target {
    /// The largest output.
    #[default]
    Argmax,
    /// A unit of one's own choice.
    Unit(usize),
    /// Every output with its own value.
    All,
}

/// How to start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeedOptions {
    /// One or two channels.
    pub mode: Mode,
    /// What the output means.
    pub task: Task,
    /// The explained unit.
    pub target: Target,
    /// The total to start with, in place of the output's own value.
    pub scaler: Option<f64>,
    /// Scales the start.
    pub multiplier: f64,
    /// Take the softmax (several outputs) or sigmoid (one) of the output first.
    pub from_logits: bool,
    /// Number of samples, when known from the inputs: tells `[N]` (one score for each sample) from `[C]`.
    pub batch: Option<usize>,
}

impl Default for SeedOptions {
    fn default() -> Self {
        Self {
            mode: Mode::Default,
            task: Task::Classification,
            target: Target::Argmax,
            scaler: None,
            multiplier: 1.0,
            from_logits: false,
            batch: None,
        }
    }
}

/// A starting relevance.
#[derive(Debug)]
pub struct Seed<T> {
    /// Of the output's shape, in its compute type.
    pub relevance: Relevance<T>,
    /// The explained unit of each sample; empty when there is no single one.
    pub targets: Vec<usize>,
}

/// The start for an output.
///
/// # Errors
/// [`Error::Seed`] when the output is empty, has no such unit, or the task has no contrastive start.
pub fn seed<T: Tensor>(output: &T, options: &SeedOptions) -> Result<Seed<T>> {
    if !output.dtype().is_float() {
        return Err(Error::Seed(format!(
            "output of type {:?} carries no relevance; choose a floating output",
            output.dtype()
        )));
    }
    let output = output.cast(output.dtype().compute())?;
    let shape = output.shape();
    if shape.contains(&0) {
        return Err(Error::Seed(format!(
            "the output of shape {shape:?} is empty; there is nothing to explain"
        )));
    }
    if options.task == Task::NextToken {
        return next_token(&output, options);
    }
    let samples = samples(&output, options)?;
    let starts =
        samples.outer_iter().map(|row| start(&row.to_vec(), options)).collect::<Result<Vec<Start>>>()?;
    let tensor = |channel: fn(&Start) -> &Vec<f64>| {
        let values = starts.iter().flat_map(channel).map(|value| value * options.multiplier).collect();
        let values = ArrayD::from_shape_vec(shape.clone(), values)
            .map_err(|error| Error::Seed(format!("start of shape {shape:?}: {error}")))?;
        output.floats(values.view())
    };
    let positive = tensor(|start| &start.positive)?;
    let relevance = match options.mode {
        Mode::Default => Relevance::default_mode(positive),
        Mode::Contrastive => Relevance::contrastive(positive, tensor(|start| &start.negative)?),
    };
    Ok(Seed { relevance, targets: starts.iter().filter_map(|start| start.target).collect() })
}

/// The output as `[samples, units]`, probabilities when asked.
fn samples<T: Tensor>(output: &T, options: &SeedOptions) -> Result<Array2<f64>> {
    let shape = output.shape();
    let single_axis = match options.task {
        Task::Segmentation { .. } => shape.len() <= 2,
        _ => shape.len() <= 1 && !(options.batch == shape.first().copied() && shape.first() != Some(&1)),
    };
    let rows = if single_axis { 1 } else { shape[0] };
    let values = output.to_array()?;
    let columns = values.len() / rows;
    let mut samples = values
        .into_shape_with_order((rows, columns))
        .map_err(|error| Error::Seed(format!("output of shape {shape:?}: {error}")))?;
    if options.from_logits {
        for mut row in samples.outer_iter_mut() {
            let probabilities = probabilities(&row.to_vec(), options.task);
            row.assign(&ndarray::ArrayView1::from(&probabilities));
        }
    }
    Ok(samples)
}

/// Softmax of several logits; sigmoid of one, or of each cell of a mask.
fn probabilities(logits: &[f64], task: Task) -> Vec<f64> {
    if logits.len() == 1 || matches!(task, Task::Segmentation { .. }) {
        return logits.iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect();
    }
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exponentials: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.iter().map(|exponential| exponential / sum).collect()
}

/// The start of one sample.
struct Start {
    positive: Vec<f64>,
    negative: Vec<f64>,
    target: Option<usize>,
}

fn start(a: &[f64], options: &SeedOptions) -> Result<Start> {
    if let Task::Segmentation { threshold } = options.task {
        return Ok(segmentation(a, threshold, options.scaler));
    }
    let k = match options.target {
        Target::Argmax => argmax(a),
        Target::Unit(k) if k < a.len() => k,
        Target::Unit(k) => {
            return Err(Error::Seed(format!(
                "the output has {} units for each sample; there is no unit {k}. Units count from 0",
                a.len()
            )));
        }
        Target::All if options.mode == Mode::Contrastive => {
            return Err(Error::Seed("all outputs at once have no contrastive start; choose one unit".into()));
        }
        Target::All => {
            let total: f64 = a.iter().sum();
            let factor = options.scaler.filter(|_| total != 0.0).map_or(1.0, |scaler| scaler / total);
            let positive = a.iter().map(|value| value * factor).collect();
            return Ok(Start { positive, negative: Vec::new(), target: None });
        }
    };
    let mut positive = vec![0.0; a.len()];
    let mut target = Some(k);
    match (options.task, options.scaler) {
        (Task::BoundingBox, Some(scaler)) => {
            positive.fill(scaler / a.len() as f64);
            target = None;
        }
        (_, scaler) => positive[k] = scaler.unwrap_or(a[k]),
    }
    let mut negative = a.to_vec();
    negative[k] = if a.len() == 1 { (1.0 - a[k]).max(0.0) } else { 0.0 };
    scale_to(&mut negative, options.scaler);
    Ok(Start { positive, negative, target })
}

/// a where a > τ. R⁻ = 1 − a on these cells (0 when max a > 1) and a elsewhere.
fn segmentation(a: &[f64], threshold: f64, scaler: Option<f64>) -> Start {
    let chosen = |value: f64| value > threshold;
    let count = a.iter().filter(|&&value| chosen(value)).count().max(1) as f64;
    let probabilities = a.iter().all(|&value| value <= 1.0);
    let positive = a
        .iter()
        .map(|&value| if chosen(value) { scaler.map_or(value, |scaler| scaler / count) } else { 0.0 });
    let mut negative: Vec<f64> = a
        .iter()
        .map(|&value| match (chosen(value), probabilities) {
            (true, true) => 1.0 - value,
            (true, false) => 0.0,
            (false, _) => value,
        })
        .collect();
    scale_to(&mut negative, scaler);
    Start { positive: positive.collect(), negative, target: None }
}

/// Scales to a total, when one is asked and there is something to scale.
fn scale_to(values: &mut [f64], scaler: Option<f64>) {
    let total: f64 = values.iter().sum();
    if let Some(scaler) = scaler.filter(|_| total > 0.0) {
        values.iter_mut().for_each(|value| *value *= scaler / total);
    }
}

/// 1 at (T − 1, id) of each sample.
fn next_token<T: Tensor>(output: &T, options: &SeedOptions) -> Result<Seed<T>> {
    if options.mode == Mode::Contrastive {
        return Err(Error::Seed("the next token has no contrastive start; use the default mode".into()));
    }
    let shape = output.shape();
    let [lead @ .., positions, vocabulary] = shape.as_slice() else {
        return Err(Error::Seed(format!("next-token scores are [N, T, V] or [T, V], not {shape:?}")));
    };
    if lead.len() > 1 {
        return Err(Error::Seed(format!("next-token scores are [N, T, V] or [T, V], not {shape:?}")));
    }
    let mut relevance = output.zeros(&shape)?;
    let value = options.scaler.unwrap_or(1.0) * options.multiplier;
    let mut targets = Vec::new();
    for sample in 0..lead.first().copied().unwrap_or(1) {
        let cell = |token: Range| {
            let mut region = vec![Range::span(sample, 1); lead.len()];
            region.extend([Range::span(positions - 1, 1), token]);
            region
        };
        let token = match options.target {
            Target::Unit(token) if token < *vocabulary => token,
            Target::Unit(token) => {
                return Err(Error::Seed(format!(
                    "there is no token {token} in a vocabulary of {vocabulary}"
                )));
            }
            Target::Argmax => {
                let last = output.slice(&cell(Range::full(*vocabulary)))?;
                argmax(&last.to_array()?.iter().copied().collect::<Vec<_>>())
            }
            Target::All => {
                return Err(Error::Seed("the next token is one token; choose it or argmax".into()));
            }
        };
        let region = cell(Range::span(token, 1));
        let one = output.full(&vec![1; shape.len()], value)?;
        relevance = relevance.add_region(&region, &one)?;
        targets.push(token);
    }
    Ok(Seed { relevance: Relevance::default_mode(relevance), targets })
}

/// The first of the largest values.
fn argmax(values: &[f64]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}
