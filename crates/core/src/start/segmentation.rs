//! Starts of segmentations: a mask, or a map of scores for each class.

use super::{SampleStart, StartOptions, Target, Task, argmax, by_cell, scale_to};
use crate::{Error, Result};
use ndarray::{ArrayD, Axis};

/// The axis that counts classes in the output of a segmentation. A sample with up to two axes is one mask and has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Classes {
    /// The first axis of each sample, `[N, C, H, W]`.
    #[default]
    First,
    /// The last axis, `[N, H, W, C]`.
    Last,
    /// This axis of the output.
    Axis(usize),
}

/// The axis of a sample that counts classes; `None` if the sample is one mask.
pub(crate) fn class_axis(sample: &[usize], options: &StartOptions) -> Option<usize> {
    let maps = sample.len() > 2;
    let axis = match options.classes.unwrap_or_default() {
        Classes::First => maps.then_some(0),
        Classes::Last => maps.then(|| sample.len() - 1),
        Classes::Axis(axis) => match options.sample_axis {
            Some(samples) if samples == axis => None,
            Some(samples) if samples < axis => Some(axis - 1),
            _ => Some(axis),
        },
    };
    axis.filter(|axis| sample.get(*axis).is_some_and(|&classes| classes > 1))
}

/// a at the chosen cells. R⁻ = 1 − a there (0 if max a > 1) and a elsewhere.
///
/// # Errors
/// [`Error::Start`] if there is no such class.
pub(super) fn sample_start(a: &ArrayD<f64>, threshold: f64, options: &StartOptions) -> Result<SampleStart> {
    let asked = asked(a, options)?;
    let chosen = |cell: usize, value: f64| asked[cell] && value > threshold;
    let count = a.iter().enumerate().filter(|&(cell, &value)| chosen(cell, value)).count().max(1) as f64;
    let probabilities = a.iter().all(|&value| value <= 1.0);
    let positive = by_cell(a, |cell, value| match chosen(cell, value) {
        true => options.scaler.map(|scaler| scaler / count).unwrap_or(if options.unit { 1.0 } else { value }),
        false => 0.0,
    });
    let mut negative = by_cell(a, |cell, value| match (chosen(cell, value), probabilities) {
        (true, true) => 1.0 - value,
        (true, false) => 0.0,
        (false, _) => value,
    });
    scale_to(&mut negative, options.scaler);
    Ok(SampleStart { positive, negative, ..SampleStart::default() })
}

/// Whether each cell is requested: those of the named class, or of the largest class at their place.
fn asked(a: &ArrayD<f64>, options: &StartOptions) -> Result<Vec<bool>> {
    let classes = class_axis(a.shape(), options);
    match (&options.target, classes) {
        (Target::Argmax, None) | (Target::All, _) => Ok(vec![true; a.len()]),
        (Target::Unit(class), Some(axis)) if *class < a.len_of(Axis(axis)) => {
            Ok(a.indexed_iter().map(|(index, _)| index[axis] == *class).collect())
        }
        (Target::Unit(class), Some(axis)) => Err(Error::Start(format!(
            "the output has maps of {} classes, on axis {axis} of a sample of shape {:?}, but no class {class}. \
             Classes count from 0; if another axis counts them, name it (--class-axis)",
            a.len_of(Axis(axis)),
            a.shape()
        ))),
        (Target::Unit(class), None) => Err(Error::Start(format!(
            "each sample of the output, of shape {:?}, is one mask without classes, so there is no class {class}. \
             Leave the target out, or name the axis that counts classes (--class-axis)",
            a.shape()
        ))),
        (Target::Argmax, Some(axis)) => {
            let winners = a.map_axis(Axis(axis), |scores| argmax(scores.iter()));
            let winner = |index: &ndarray::IxDyn| {
                let mut place = ndarray::Dimension::slice(index).to_vec();
                let class = place.remove(axis);
                winners[place.as_slice()] == class
            };
            Ok(a.indexed_iter().map(|(index, _)| winner(&index)).collect())
        }
        (Target::At(_) | Target::Box(_) | Target::BoxOf(_), _) => Ok(vec![false; a.len()]),
    }
}

/// The samples that start with nothing.
///
/// # Errors
/// [`Error::Start`] if all samples do.
pub(super) fn blank(starts: &[SampleStart], options: &StartOptions) -> Result<Vec<usize>> {
    let Task::Segmentation { threshold } = options.task else { return Ok(Vec::new()) };
    if matches!(options.target, Target::At(_)) {
        return Ok(Vec::new());
    }
    let empty =
        |(sample, start): (usize, &SampleStart)| start.positive.iter().all(|&r| r == 0.0).then_some(sample);
    let blank: Vec<usize> = starts.iter().enumerate().filter_map(empty).collect();
    if blank.len() < starts.len() {
        return Ok(blank);
    }
    let of = match options.target {
        Target::Unit(class) => format!("of class {class} "),
        _ => String::new(),
    };
    Err(Error::Start(format!(
        "no cell {of}is above the threshold {threshold}, so there is nothing to explain. Lower the threshold, choose \
         another class, or use --from-logits if the output holds logits"
    )))
}
