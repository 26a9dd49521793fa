//! The explained texts of a document: in the terminal, on a page, and as a picture.

use crate::document::SHOWN;
use crate::failure::Result;
use dlbacktrace_report::tokens::{self, Text};
use dlbacktrace_report::{Document, Staging};
use std::io::IsTerminal;

const PAGE: &str = "tokens.html";
const PICTURE: &str = "tokens.png";
/// The largest number of texts in the terminal.
const SAID: usize = 4;

/// Writes a page of all texts and a picture of the first; returns the names of the files.
///
/// # Errors
/// If they cannot be drawn or written.
pub fn write(document: &Document, staging: &Staging) -> Result<Vec<String>> {
    let texts = of(document);
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    staging.write(PAGE, tokens::page(&document.model.path, &texts).as_bytes())?;
    staging.write_picture(PICTURE, &tokens::picture(texts.get(..SHOWN).unwrap_or(&texts))?)?;
    Ok(vec![PAGE.to_owned(), PICTURE.to_owned()])
}

/// The first texts for the terminal: in colour if it has colours and `NO_COLOR` is not set, else as tables.
pub fn shown(document: &Document) -> String {
    let colour =
        std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let draw = if colour { tokens::coloured } else { tokens::table };
    let texts = of(document);
    let titles = texts.len() > 1;
    texts.iter().take(SAID).fold(String::new(), |shown, text| {
        let title = if titles { format!("{}\n", text.title) } else { String::new() };
        shown + &title + &draw(text.tokens)
    })
}

/// The texts, each titled by its number and the explained unit.
fn of(document: &Document) -> Vec<Text<'_>> {
    let title = |sample: usize| {
        let unit = document.target.as_ref().and_then(|target| target.get(sample));
        let predicted = document.prediction.get(sample).and_then(|units| units.first());
        let unit =
            document.target_names.get(sample).cloned().or(unit.map(|unit| format!("output unit {unit}")));
        let unit =
            unit.map_or(String::new(), |unit| format!(", relevance for {unit}{}", document.apart_from()));
        let predicted = predicted.map_or(String::new(), |leader| format!(", predicted {}", leader.name));
        format!("text {sample}{predicted}{unit}")
    };
    let texts = document.inputs.iter().filter_map(|input| input.tokens.as_ref());
    texts
        .flat_map(|texts| texts.iter().enumerate())
        .map(|(sample, tokens)| Text { title: title(sample), tokens })
        .collect()
}
