//! What an explanation reports about its inputs.

use super::{Port, Run, listed};
use crate::analysis::{PixelRange, Scaling, scaling_of};
use crate::names::did_you_mean;
use crate::{DType, Error, Mode, Relevance, Result, Tape, Tensor, ValueId};

/// The values of the inputs of these names.
pub(super) fn named<T>(inputs: &[Port<T>], names: &[String]) -> Result<Vec<ValueId>> {
    names
        .iter()
        .map(|name| {
            let port = inputs.iter().find(|port| port.name == *name);
            port.map(|port| port.value).ok_or_else(|| Error::NoInput {
                asked: name.clone(),
                found: listed(inputs.iter().map(|port| port.name.as_str()))
                    + &did_you_mean(name, inputs.iter().map(|port| port.name.as_str())),
            })
        })
        .collect()
}

/// Zero relevance in a tensor's shape; for tokens, in the compute type of the output.
pub(super) fn nothing<T: Tensor>(tensor: &T, output: &T, mode: Mode) -> Result<Relevance<T>> {
    let like = if tensor.dtype().is_float() { tensor } else { output };
    let dtype = if like.dtype().is_float() { like.dtype().compute() } else { DType::F32 };
    let zeros = like.cast(dtype)?.zeros(&tensor.shape())?;
    Ok(match mode {
        Mode::Default => Relevance::default_mode(zeros),
        Mode::Contrastive => Relevance::contrastive(zeros.clone(), zeros),
    })
}

/// How the model of a run scales each input before anything else.
pub fn scalings<T: Tensor>(run: &Run<'_, T>) -> Vec<(String, Scaling)> {
    run.inputs.iter().map(|port| (port.name.clone(), scaling_of(&run.tape, port.value))).collect()
}

/// Warns that an input looks like pictures of another range than the model scales.
pub(super) fn unscaled<T: Tensor>(tape: &Tape<T>, port: &Port<T>) -> Option<String> {
    let shape = port.tensor.shape();
    if !port.tensor.dtype().is_float() || shape.len() < 3 || shape.contains(&0) {
        return None;
    }
    // Few models show a range; the numbers are read only for those.
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
        "the numbers of {} lie between {least:.3} and {most:.3}, but the model scales them as if they were {expected}; give it \
         pixels of that range",
        port.name
    ))
}
