//! Texts with the relevance of their tokens: in the terminal, as a page, as a picture; and the relevance of each token for
//! each token that was generated after it.

mod grid;
mod page;
mod picture;
mod terminal;

pub use grid::TokenGrid;
pub use page::page;
pub use picture::picture;
pub use terminal::{coloured, table};

use crate::pictures::{Scale, diverging};
use dlbacktrace_core::Amount;
use ndarray::{Array1, Axis};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// A token of a text, or several that are joined to a word.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenEntry {
    /// The part of the text it stands for; its name if it stands for none, as `[CLS]`.
    pub text: String,
    /// Names in the vocabulary.
    pub tokens: Vec<String>,
    /// Numbers in the vocabulary; empty for a text that the model reads itself.
    pub ids: Vec<u32>,
    /// The sum of their relevance.
    pub relevance: Amount,
}

impl TokenEntry {
    /// Relevance for minus relevance against.
    pub fn difference(&self) -> f64 {
        self.relevance.difference()
    }
}

/// Its fields and its difference.
impl Serialize for TokenEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entry = serializer.serialize_struct("TokenEntry", 5)?;
        entry.serialize_field("text", &self.text)?;
        entry.serialize_field("tokens", &self.tokens)?;
        entry.serialize_field("ids", &self.ids)?;
        entry.serialize_field("relevance", &self.relevance)?;
        entry.serialize_field("difference", &self.difference())?;
        entry.end()
    }
}

/// A text of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Text<'a> {
    /// The title above it.
    pub title: String,
    /// Its tokens in their order.
    pub tokens: &'a [TokenEntry],
}

/// The scale of one text.
fn scale(tokens: &[TokenEntry]) -> Scale {
    let row: Array1<f64> = tokens.iter().map(TokenEntry::difference).collect();
    Scale::of([&row.insert_axis(Axis(0))])
}

/// A background colour, and whether text on it must be white.
fn shade(value: f64) -> ([u8; 3], bool) {
    let rgb = diverging(value).0;
    let [r, g, b] = rgb.map(f64::from);
    (rgb, 0.299 * r + 0.587 * g + 0.114 * b < 140.0)
}

/// The text with its white space made visible.
fn visible(text: &str) -> String {
    let trimmed = text.trim_matches(' ');
    if trimmed.is_empty() {
        return "␣".repeat(text.chars().count().max(1));
    }
    trimmed.replace('\n', "↵").replace('\t', "⇥")
}

#[cfg(test)]
pub(crate) fn entry(text: &str, relevance: f64) -> TokenEntry {
    TokenEntry {
        text: text.to_owned(),
        tokens: vec![format!("##{text}")],
        ids: vec![7],
        relevance: Amount::default_mode(relevance),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_seen() {
        assert_eq!([" the", "\n", "  ", "", "a\tb"].map(visible), ["the", "↵", "␣␣", "␣", "a⇥b"]);
    }

    #[test]
    fn strong_relevance_has_white_text_and_none_has_black() {
        assert!(shade(1.0).1 && shade(-1.0).1 && !shade(0.0).1);
    }
}
