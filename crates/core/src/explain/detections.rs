//! One box of a detector, chosen by its number or by its class.

use super::{Options, Output, Port, Samples, listed};
use crate::start::{Coordinate, Target};
use crate::{Error, Result, Tensor};

/// Words in the names of the outputs that hold the scores and the classes of boxes.
const SCORES: [&str; 1] = ["score"];
const CLASSES: [&str; 2] = ["label", "class"];

/// Replaces a requested box by a start at its score; other options stay as they are.
///
/// # Errors
/// [`Error::Start`] if no output holds scores or classes of boxes, or if there is no such box.
pub(super) fn resolved<T: Tensor>(outputs: &[Port<T>], options: &Options) -> Result<Option<Options>> {
    let class = match options.start.target {
        Target::Box(_) => None,
        Target::BoxOf(class) => Some(class),
        _ => return Ok(None),
    };
    let scores = match &options.output {
        Output::First => named(outputs, &SCORES).next(),
        choice => Some(super::start::chosen(outputs, choice)?),
    };
    let names = || listed(outputs.iter().map(|port| port.name.as_str()));
    let scores = scores.ok_or_else(|| {
        Error::Start(format!(
            "no output is named as the scores of boxes; name the output that holds them (--output), or choose a cell by its coordinates \
             (--target). The outputs are {}",
            names()
        ))
    })?;
    let shape = outputs[scores].tensor.shape();
    let number = match (&options.start.target, class) {
        (Target::Box(number), _) => *number,
        (_, Some(class)) => {
            let classes = named(outputs, &CLASSES).find(|&number| outputs[number].tensor.shape() == shape);
            let classes = classes.ok_or_else(|| {
                Error::Start(format!(
                    "no output holds a class for each of {}; choose the box by its number. The outputs are {}",
                    outputs[scores].name,
                    names()
                ))
            })?;
            of_class(&outputs[scores], &outputs[classes], class)?
        }
        _ => return Ok(None),
    };
    let mut coordinates = vec![Coordinate::All; shape.len().saturating_sub(1)];
    coordinates.push(Coordinate::At(number as isize));
    let mut options = options.clone();
    options.output = Output::Index(scores);
    options.start.target = Target::At(coordinates);
    if options.samples == Samples::Auto {
        options.samples = if shape.len() > 1 { Samples::Axis(0) } else { Samples::One };
    }
    Ok(Some(options))
}

/// The numbers of the outputs whose own name holds one of these words.
fn named<'a, T>(outputs: &'a [Port<T>], words: &'a [&str]) -> impl Iterator<Item = usize> + 'a {
    outputs.iter().enumerate().filter_map(|(number, port)| {
        let own = port.name.rsplit('.').next().unwrap_or_default().to_lowercase();
        words.iter().any(|word| own.contains(word)).then_some(number)
    })
}

/// The number of the box of this class that has the highest score.
fn of_class<T: Tensor>(scores: &Port<T>, classes: &Port<T>, class: i64) -> Result<usize> {
    let shape = scores.tensor.shape();
    let boxes = shape.last().copied().unwrap_or(1);
    if shape.iter().product::<usize>() != boxes {
        return Err(Error::Start(format!(
            "{} of shape {shape:?} holds the boxes of several samples; explain one sample, or choose the box by its number",
            scores.name
        )));
    }
    let dtype = scores.tensor.dtype().compute();
    let (values, given) = (scores.tensor.to_array()?, classes.tensor.cast(dtype)?.to_array()?);
    let of_it = given.iter().enumerate().filter(|(_, found)| **found == class as f64);
    let values: Vec<f64> = values.into_iter().collect();
    let best =
        of_it.map(|(number, _)| number).max_by(|a, b| values[*a].total_cmp(&values[*b]).then(b.cmp(a)));
    best.ok_or_else(|| {
        let mut there: Vec<String> = given.iter().map(f64::to_string).collect();
        there.sort();
        there.dedup();
        Error::Start(format!(
            "no box has the class {class}; the classes in {} are {}",
            classes.name,
            listed(there.iter().map(String::as_str))
        ))
    })
}
