//! The tokenizer: from texts to tokens and back.

use crate::failure::{Failure, Result};
use std::fs;
use std::path::Path;
use tokenizers::{Encoding, PaddingDirection, Tokenizer as Inner};

/// Usual names of the padding token, for a file that does not say.
const PADDING: [&str; 4] = ["[PAD]", "<pad>", "<|pad|>", "<|endoftext|>"];

/// A tokenizer that neither cuts texts nor pads them to a length of its own.
pub struct Tokenizer {
    inner: Inner,
    /// The token that pads the shorter texts of a batch.
    pub padding: u32,
    /// Whether padding goes to the left.
    pub pads_left: bool,
}

/// One token of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// The part of the text it stands for; its name if it stands for none, as `[CLS]`.
    pub text: String,
    /// Its name in the vocabulary.
    pub name: String,
    /// Its number in the vocabulary.
    pub id: u32,
    /// Whether it continues the word of the token before.
    pub joins: bool,
}

/// A text as tokens.
#[derive(Debug)]
pub struct Encoded {
    pub tokens: Vec<Token>,
    /// The text of a pair that each token belongs to.
    pub types: Vec<u32>,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// [`Failure::Usage`] if there is no such file, [`Failure::Inputs`] if it is not a tokenizer.
    pub fn load(path: &Path) -> Result<Self> {
        let content =
            fs::read(path).map_err(|e| Failure::Usage(format!("cannot read {}: {e}", path.display())))?;
        let mut inner = Inner::from_bytes(content).map_err(|e| {
            let path = path.display();
            Failure::Inputs(format!(
                "{path} is not a tokenizer.json as the library `tokenizers` writes it: {e}"
            ))
        })?;
        let set = inner.get_padding().map(|padding| (padding.pad_id, padding.direction));
        let named = || PADDING.iter().find_map(|name| inner.token_to_id(name));
        let (padding, direction) = set.unwrap_or_else(|| (named().unwrap_or(0), PaddingDirection::Right));
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|e| Failure::Inputs(e.to_string()))?;
        Ok(Self { inner, padding, pads_left: matches!(direction, PaddingDirection::Left) })
    }

    /// The tokens of a text or of a pair of texts.
    ///
    /// # Errors
    /// [`Failure::Inputs`] if the tokenizer cannot do it.
    pub fn encode(&self, text: &str, pair: Option<&str>, special: bool) -> Result<Encoded> {
        let encoding = match pair {
            Some(pair) => self.inner.encode((text, pair), special),
            None => self.inner.encode(text, special),
        };
        let encoding =
            encoding.map_err(|e| Failure::Inputs(format!("the tokenizer cannot encode `{text}`: {e}")))?;
        let tokens = tokens(&encoding, [text, pair.unwrap_or_default()]);
        Ok(Encoded { tokens, types: encoding.get_type_ids().to_vec() })
    }

    /// The number of a token by its name.
    pub fn id(&self, name: &str) -> Option<u32> {
        self.inner.token_to_id(name)
    }

    /// The text of a token by itself, or its name if it has none.
    pub fn shown(&self, id: u32) -> String {
        let name = self.name(id);
        match self.inner.decode(&[id], false) {
            Ok(text) if !text.is_empty() && !text.contains('\u{fffd}') => text,
            _ => name,
        }
    }

    /// The name of a token; its number if the vocabulary does not have it.
    pub fn name(&self, id: u32) -> String {
        self.inner.id_to_token(id).unwrap_or_else(|| format!("<{id}>"))
    }

    /// The text of several tokens, special ones left out.
    ///
    /// # Errors
    /// [`Failure::Inputs`] if the tokenizer cannot do it.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.inner.decode(ids, true).map_err(|e| Failure::Inputs(format!("the tokenizer cannot decode: {e}")))
    }
}

/// The tokens with the part of the text that each stands for. A word is a piece into which the tokenizer first split the
/// text; as some split nothing, white space ends a word too.
fn tokens(encoding: &Encoding, texts: [&str; 2]) -> Vec<Token> {
    let sequences = encoding.get_sequence_ids();
    let mut before = None;
    let mut tokens = Vec::with_capacity(encoding.len());
    for (index, (name, id)) in encoding.get_tokens().iter().zip(encoding.get_ids()).enumerate() {
        let (start, end) = encoding.get_offsets().get(index).copied().unwrap_or_default();
        let sequence = sequences.get(index).copied().flatten();
        let word = encoding.get_word_ids().get(index).copied().flatten();
        let slice = sequence.and_then(|sequence| texts.get(sequence)?.get(start..end)).unwrap_or_default();
        let place = sequence.zip(word);
        let joins = !slice.is_empty()
            && !slice.starts_with(char::is_whitespace)
            && place.is_some()
            && before.is_some_and(|(last, last_end)| last == place && start <= last_end);
        before = Some((place, end));
        let text = if slice.is_empty() { name } else { slice };
        tokens.push(Token { text: text.to_owned(), name: name.clone(), id: *id, joins });
    }
    tokens
}
