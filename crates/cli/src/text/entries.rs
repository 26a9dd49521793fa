//! Tokens, or words, with their relevance.

use super::Row;
use crate::samples::samples;
use dlbacktrace::Amount;
use dlbacktrace_report::tokens::TokenEntry;
use ndarray::{ArrayD, ArrayViewD};

/// The tokens of each text with their relevance, from one or two `channels` of shape `[N, T]`; joined to words on request.
/// `None` if the relevance has another shape.
pub fn entries<'a>(
    rows: &[Row],
    channels: impl Iterator<Item = &'a ArrayD<f64>>,
    words: bool,
) -> Option<Vec<Vec<TokenEntry>>> {
    let channels: Vec<&ArrayD<f64>> = channels.collect();
    let at = |channel: usize, cell: [usize; 2]| match channels.get(channel) {
        Some(channel) => channel.get(&cell[..]).copied(),
        None => Some(0.0),
    };
    let row = |(sample, row): (usize, &Row)| {
        let mut entries: Vec<TokenEntry> = Vec::with_capacity(row.tokens.len());
        for (place, token) in row.tokens.iter().enumerate() {
            let cell = [sample, row.first + place];
            let relevance = Amount::new(at(0, cell)?, at(1, cell)?);
            match entries.last_mut().filter(|_| words && token.joins) {
                Some(word) => {
                    word.text.push_str(&token.text);
                    word.tokens.push(token.name.clone());
                    word.ids.push(token.id);
                    word.relevance += relevance;
                }
                None => entries.push(TokenEntry {
                    text: token.text.clone(),
                    tokens: vec![token.name.clone()],
                    ids: vec![token.id],
                    relevance,
                }),
            }
        }
        Some(entries)
    };
    rows.iter().enumerate().map(row).collect()
}

/// Whole texts that the model reads itself, sample by sample; `channels` have their shape.
pub fn whole<'a>(
    texts: &ArrayD<String>,
    channels: impl Iterator<Item = &'a ArrayD<f64>>,
    batch: usize,
) -> Vec<Vec<TokenEntry>> {
    let channels: Vec<_> = channels.map(|channel| samples(channel, batch)).collect();
    let at = |channel: usize, sample: usize, place: usize| {
        let values = channels.get(channel).and_then(|samples| samples.get(sample));
        values.and_then(|values| values.iter().nth(place)).map_or(0.0, |value| *value)
    };
    let entry = |sample: usize, place: usize, text: &String| TokenEntry {
        text: text.clone(),
        tokens: vec![text.clone()],
        ids: Vec::new(),
        relevance: Amount::new(at(0, sample, place), at(1, sample, place)),
    };
    let texts = samples(texts, batch);
    let row = |(sample, texts): (usize, &ArrayViewD<'_, String>)| {
        texts.iter().enumerate().map(|(place, text)| entry(sample, place, text)).collect()
    };
    texts.iter().enumerate().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Token;
    use super::*;
    use ndarray::arr2;

    #[test]
    fn words_sum_their_parts_and_padding_is_left_out() {
        let token =
            |text: &str, joins| Token { text: text.to_owned(), name: format!("##{text}"), id: 3, joins };
        let rows = [
            Row { first: 1, tokens: vec![token("play", false), token("ing", true)] },
            Row { first: 0, tokens: vec![token("a", false), token("b", false), token("c", true)] },
        ];
        let relevance = arr2(&[[9.0_f64, 0.5, 0.25], [1.0, 2.0, 3.0]]).into_dyn();
        let sums = |words| {
            let entries = entries(&rows, std::iter::once(&relevance), words).unwrap_or_default();
            let text = |entry: &TokenEntry| (entry.text.clone(), entry.relevance.positive);
            entries.iter().map(|row| row.iter().map(text).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        let named =
            |pairs: &[(&str, f64)]| pairs.iter().map(|(t, r)| ((*t).to_owned(), *r)).collect::<Vec<_>>();
        assert_eq!(sums(false)[0], named(&[("play", 0.5), ("ing", 0.25)]));
        assert_eq!(sums(true), [named(&[("playing", 0.75)]), named(&[("a", 1.0), ("bc", 5.0)])]);
    }
}
