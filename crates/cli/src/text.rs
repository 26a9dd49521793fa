//! Texts as inputs: tokens for the arguments that take them, and the relevance of each token.

mod entries;
mod labels;
mod roles;
pub mod texts;
mod tokenizer;

pub use entries::{entries, whole};
pub use labels::{Labels, beside, of as labels};
pub use roles::Roles;
pub use tokenizer::{Token, Tokenizer};

use crate::args::TextArgs;
use crate::failure::{Failure, Result};
use dlbacktrace::{Argument, Value};
use ndarray::Array2;

/// The tokens of one sample and their positions in its row; the rest of the row is padding.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub first: usize,
    pub tokens: Vec<Token>,
}

/// A batch of texts as inputs.
#[derive(Debug)]
pub struct Batch {
    /// Values by the names of the model's arguments.
    pub values: Vec<(String, Value)>,
    /// The argument that gets the tokens' numbers.
    pub ids: String,
    /// The tokens of each text.
    pub rows: Vec<Row>,
}

/// The texts of the command line in the form that the model takes; `None` if there are none.
///
/// # Errors
/// [`Failure::Usage`] for texts that make no batch, [`Failure::Inputs`] for what the tokenizer or the model does not take.
pub fn batch(args: &TextArgs, arguments: &[Argument]) -> Result<Option<Batch>> {
    let Some(file) = args.tokenizer.as_deref().filter(|_| !args.text.is_empty()) else { return Ok(None) };
    if !args.text_pair.is_empty() && args.text_pair.len() != args.text.len() {
        return Err(Failure::Usage(format!(
            "--text is given {} times and --text-pair {} times; give each text its pair",
            args.text.len(),
            args.text_pair.len()
        )));
    }
    let tokenizer = Tokenizer::load(file)?;
    let roles = Roles::of(arguments)?;
    let pairs = args.text_pair.iter().map(|pair| Some(pair.as_str())).chain(std::iter::repeat(None));
    let encode =
        |(text, pair): (&String, Option<&str>)| tokenizer.encode(text, pair, !args.no_special_tokens);
    let encoded = args.text.iter().zip(pairs).map(encode).collect::<Result<Vec<_>>>()?;
    let length = encoded.iter().map(|text| text.tokens.len()).max().unwrap_or(0);
    if length == 0 {
        return Err(Failure::Usage("the text has no tokens; give a longer one with --text".to_owned()));
    }
    let length = args.pad_to.unwrap_or(0).max(length);

    let shape = (encoded.len(), length);
    let mut ids = Array2::from_elem(shape, i64::from(tokenizer.padding));
    let (mut mask, mut types, mut positions) =
        (Array2::zeros(shape), Array2::zeros(shape), Array2::zeros(shape));
    let mut rows = Vec::with_capacity(encoded.len());
    for (sample, text) in encoded.into_iter().enumerate() {
        let first = if tokenizer.pads_left { length - text.tokens.len() } else { 0 };
        for (place, (token, kind)) in text.tokens.iter().zip(&text.types).enumerate() {
            let cell = [sample, first + place];
            ids[cell] = i64::from(token.id);
            mask[cell] = 1;
            types[cell] = i64::from(*kind);
            positions[cell] = place as i64;
        }
        rows.push(Row { first, tokens: text.tokens });
    }
    let values = roles.values(ids, mask, types, positions);
    Ok(Some(Batch { values, ids: roles.ids, rows }))
}
