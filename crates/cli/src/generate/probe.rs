//! Checks whether a model can generate, by running it on texts of two lengths.

use crate::failure::{Failure, Result};
use dlbacktrace::core::DType;
use dlbacktrace::{Error, OutputTensor};

/// Lengths that models are often traced with.
const USUAL: [usize; 9] = [4, 8, 16, 32, 64, 128, 256, 512, 1024];
const LONGEST: usize = 4096;

type Run<'a> = &'a dyn Fn(&[u32]) -> Result<Vec<OutputTensor>>;

/// The number of the output with the scores of the next token.
///
/// # Errors
/// [`Failure::Usage`] if there is no such output; [`Failure::Inputs`] if the model takes texts of one length only, or if
/// later tokens change the scores of earlier ones.
pub fn output(run: Run<'_>, wanted: Option<&str>, ids: &[u32], precision: Option<DType>) -> Result<usize> {
    let short = match run(ids) {
        Err(Failure::Explanation(Error::Inputs(said))) => return Err(refused(run, ids, &said)),
        outputs => outputs?,
    };
    let index = chosen(&short, wanted)?;
    let longer: Vec<u32> = ids.iter().chain(ids.last()).copied().collect();
    let long = match run(&longer) {
        Err(Failure::Explanation(Error::Inputs(_))) => return Err(fixed(ids.len())),
        outputs => outputs?,
    };
    let scores = |outputs: &[OutputTensor], length: usize| match outputs
        .get(index)
        .map(OutputTensor::shape)
        .as_deref()
    {
        Some([1, positions, _] | [positions, _]) if *positions == length => Ok(()),
        Some([1, positions, _] | [positions, _]) => Err(fixed(*positions)),
        shape => Err(Failure::Inputs(format!(
            "output {index} has the shape {:?} for a text of {length} tokens, but scores of the next token are [1, tokens, \
             vocabulary]; choose another output with --output",
            shape.unwrap_or_default()
        ))),
    };
    scores(&short, ids.len())?;
    scores(&long, longer.len())?;
    let place = ids.len().saturating_sub(1);
    let pair = short.get(index).zip(long.get(index));
    let agree = match pair {
        Some((short, long)) => agree(&at(short, place)?, &at(long, place)?, precision),
        None => true,
    };
    if agree {
        return Ok(index);
    }
    Err(Failure::Inputs(
        "the scores of a token change with what comes after it, so this model does not generate texts from left to right"
            .to_owned(),
    ))
}

/// The output of this number or name, else the first that can hold scores of tokens.
fn chosen(outputs: &[OutputTensor], wanted: Option<&str>) -> Result<usize> {
    let names = || outputs.iter().map(|output| output.name.as_str()).collect::<Vec<_>>().join(", ");
    let found = match wanted {
        Some(wanted) => {
            let named = |output: &OutputTensor| {
                output.name == wanted || output.name.rsplit(['.', '[']).next() == Some(wanted)
            };
            let number = wanted.parse().ok().filter(|number| *number < outputs.len());
            number.or_else(|| outputs.iter().position(named))
        }
        None => outputs.iter().position(|output| output.is_floating() && output.shape().len() == 3),
    };
    found.ok_or_else(|| match wanted {
        Some(wanted) => Failure::Usage(format!("there is no output {wanted}; the outputs are {}", names())),
        None => Failure::Inputs(format!(
            "no output has scores for each token, [1, tokens, vocabulary]; the outputs are {}; name one with --output",
            names()
        )),
    })
}

/// The scores of the token after this position.
pub(super) fn at(scores: &OutputTensor, place: usize) -> Result<Vec<f64>> {
    let axis = scores.shape().len().saturating_sub(2);
    Ok(scores.at(axis, place)?.iter().copied().collect())
}

fn agree(a: &[f64], b: &[f64], precision: Option<DType>) -> bool {
    let tolerance = if matches!(precision, Some(DType::F16 | DType::BF16)) { 0.05 } else { 1e-3 };
    let size = a.iter().filter(|x| x.is_finite()).fold(1e-6, |most: f64, x| most.max(x.abs()));
    a.iter().zip(b).all(|(a, b)| a == b || (a - b).abs() <= tolerance * size || a.is_nan())
}

/// The error for a model that does not take this length: it names a length that the model takes, if one can be found.
fn refused(run: Run<'_>, ids: &[u32], said: &str) -> Failure {
    let takes = |length: usize| {
        let text: Vec<u32> = ids.iter().copied().cycle().take(length).collect();
        length > 0 && run(&text).is_ok()
    };
    let named = said.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok());
    let lengths = named.chain(USUAL).filter(|length| (1..=LONGEST).contains(length) && *length != ids.len());
    let Some(length) = lengths.into_iter().find(|length| takes(*length)) else {
        return Failure::Inputs(said.to_owned());
    };
    if takes(length + 1) || takes(length - 1) {
        return Failure::Inputs(format!(
            "the model does not take the {} tokens of the prompt, though it takes {length}: {said}",
            ids.len()
        ));
    }
    fixed(length)
}

fn fixed(length: usize) -> Failure {
    Failure::Inputs(format!(
        "the model was traced with {length} tokens and takes no other number of them, so it cannot generate; \
         python_shims/trace_hf.py traces models in such a way that they take texts of any length"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_agree_up_to_rounding() {
        assert!(agree(&[1.0, -30.0], &[1.0, -30.01], None));
        assert!(!agree(&[1.0, -30.0], &[1.0, -30.1], None));
        assert!(agree(&[1.0, -30.0], &[1.0, -30.1], Some(DType::BF16)));
        assert!(agree(&[1.0, f64::NEG_INFINITY], &[1.0, f64::NEG_INFINITY], None));
    }
}
