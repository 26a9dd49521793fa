//! Which axis of the output counts samples (rules §1).

use super::{Options, Port, Samples};
use crate::start::{Target, Task};
use crate::{DType, Error, Result, Tensor};
use ndarray::{ArrayD, Axis};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// What earlier runs of a model showed about its samples, by the ranks of its inputs and output.
#[derive(Debug, Default)]
pub struct SampleCache(Mutex<HashMap<Signature, Option<usize>>>);

/// The number of axes of each input, and the output's name and number of axes.
type Signature = (Vec<usize>, String, usize);

/// Runs a model again, with one change to its inputs: each input whose first axis has the given extent holds its last row in
/// every row. Returns the outputs in their order.
pub struct Again<'a, T> {
    /// What earlier runs showed.
    pub known: &'a SampleCache,
    /// The run.
    pub run: Box<dyn Fn(usize) -> Result<Vec<T>> + 'a>,
}

impl<T> fmt::Debug for Again<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Again").field("known", self.known).finish_non_exhaustive()
    }
}

/// The axis that counts samples, and how it was found.
pub(super) struct Found {
    /// The axis; `None` if the whole output is one sample.
    pub(super) axis: Option<usize>,
    /// Whether the first axis of the inputs counts samples too.
    pub(super) in_inputs: bool,
    /// A note for the reader.
    pub(super) assumed: Option<String>,
}

impl Found {
    fn new(axis: Option<usize>, in_inputs: bool, assumed: Option<String>) -> Self {
        Self { axis, in_inputs, assumed }
    }
}

/// Finds the axis that counts the samples of output `number`.
///
/// # Errors
/// [`Error::Start`] if it cannot be found.
pub(super) fn found<T: Tensor>(
    outputs: &[Port<T>],
    number: usize,
    inputs: &[Port<T>],
    again: Option<&Again<'_, T>>,
    options: &Options,
) -> Result<Found> {
    let shape = outputs[number].tensor.shape();
    let first = inputs.iter().find_map(|port| Some((port, *port.tensor.shape().first()?)));
    let count = first.map_or(1, |(_, count)| count);
    let rows = |axis: usize| Found::new(Some(axis), shape.get(axis) == Some(&count), None);
    match options.samples {
        Samples::Axis(axis) => return Ok(rows(axis)),
        Samples::One => return Ok(Found::new(None, false, None)),
        Samples::Auto => {}
    }
    // In the task of the next token, the first axis of scores counts samples.
    if options.start.task == Task::NextToken && shape.len() == 3 {
        return Ok(rows(0));
    }
    let candidates: Vec<usize> = (0..shape.len()).filter(|&axis| shape[axis] == count).collect();
    let needed = options.own_start.is_none() && options.start.target != Target::All;
    let Some((input, _)) = first.filter(|_| count > 1 && !candidates.is_empty() && needed) else {
        let axis = candidates.first().filter(|axis| **axis == 0).copied();
        let assumed = (axis.is_none() && needed && count > 1).then(|| {
            format!(
                "the whole {} is one sample, because no axis of its shape {shape:?} has as many entries as {} has rows ({count})",
                outputs[number].name,
                first.map_or("the input", |(port, _)| &port.name)
            )
        });
        return Ok(Found::new(axis, axis.is_some(), assumed));
    };
    let Some(again) = again else { return by_convention(&outputs[number], input, &candidates) };
    let signature = (
        inputs.iter().map(|port| port.tensor.shape().len()).collect(),
        outputs[number].name.clone(),
        shape.len(),
    );
    let known = again.known.0.lock().unwrap_or_else(PoisonError::into_inner).get(&signature).copied();
    let axis = match known {
        // A finding for other extents holds as long as it can.
        Some(axis) if axis.is_none_or(|axis| candidates.contains(&axis)) => axis,
        _ => independent(again, &outputs[number].tensor, number, count, &candidates)?,
    };
    again.known.0.lock().unwrap_or_else(PoisonError::into_inner).insert(signature, axis);
    Ok(Found::new(axis, axis.is_some(), Some(told(axis, &outputs[number], input, count))))
}

fn told<T: Tensor>(axis: Option<usize>, output: &Port<T>, input: &Port<T>, count: usize) -> String {
    match axis {
        Some(axis) => format!(
            "axis {axis} of {} counts samples ({count}), because each entry depends on one row of {} only",
            output.name, input.name
        ),
        None => format!(
            "the whole {} is one sample, because its entries depend on more than one row of {}; name the sample axis, \
             if there is one (--sample-axis)",
            output.name, input.name
        ),
    }
}

/// The axis along which every entry depends on one row of the inputs only: with the last row in place of all, every entry
/// equals what the last one was.
fn independent<T: Tensor>(
    again: &Again<'_, T>,
    output: &T,
    number: usize,
    count: usize,
    candidates: &[usize],
) -> Result<Option<usize>> {
    let outputs = (again.run)(count).map_err(|error| match error {
        Error::Cancelled(_) => error,
        error => unknown(&error.to_string()),
    })?;
    let repeated = outputs.get(number).filter(|repeated| repeated.shape() == output.shape());
    let Some(repeated) = repeated else { return Ok(None) };
    let (before, after) = (output.to_array()?, repeated.to_array()?);
    let largest = before.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
    let tolerance = largest * rounding(output.dtype());
    let holds = |axis: &&usize| rows_equal(&before, &after, Axis(**axis), tolerance);
    Ok(candidates.iter().find(holds).copied())
}

fn unknown(why: &str) -> Error {
    Error::Start(format!(
        "it is not clear whether an axis of the output counts samples: {why}. Name the axis (--sample-axis 0), or say \
         that the whole output is one sample (--sample-axis none)"
    ))
}

fn rows_equal(before: &ArrayD<f64>, after: &ArrayD<f64>, axis: Axis, tolerance: f64) -> bool {
    let last = before.index_axis(axis, before.len_of(axis) - 1);
    let near = |a: &f64, b: &f64| a == b || (a - b).abs() <= tolerance || (a.is_nan() && b.is_nan());
    after.axis_iter(axis).all(|row| row.iter().zip(&last).all(|(a, b)| near(a, b)))
}

/// How far rows may differ by rounding between two runs, relative to the largest value.
fn rounding(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => 1e-9,
        DType::F32 => 1e-4,
        _ => 3e-2,
    }
}

/// The sample axis of a run that cannot be repeated, or that differs each time: the first of several axes.
fn by_convention<T: Tensor>(output: &Port<T>, input: &Port<T>, candidates: &[usize]) -> Result<Found> {
    let shape = output.tensor.shape();
    if shape.len() == 1 {
        return Err(Error::Start(format!(
            "{} of shape {shape:?} may hold the scores of one sample, or one score for each row of {}; say which by the \
             sample axis",
            output.name, input.name
        )));
    }
    let axis = candidates.first().filter(|axis| **axis == 0).copied();
    let assumed = match axis {
        Some(_) => format!("axis 0 of {} counts samples, because nothing shows otherwise", output.name),
        None => format!("the whole {} is one sample", output.name),
    };
    Ok(Found::new(axis, axis.is_some(), Some(assumed)))
}
