//! The results of a generation: the document, the matrix of relevance, the page and the picture.

use super::steps::Record;
use crate::failure::Result;
use crate::text::Tokenizer;
use dlbacktrace_report::generation::{Explained, Generation, Step, TokenName};
use dlbacktrace_report::tokens::TokenGrid;
use dlbacktrace_report::{ArrayFile, Error, Leader, Staging};
use ndarray::{Array1, Array2};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

pub const DOCUMENT: &str = "generation.json";
const ARRAYS: &str = "relevance.npz";
const PAGE: &str = "tokens.html";
const PICTURE: &str = "tokens.png";
const LEADERS: usize = 5;
/// The number of tokens that the terminal names for each step.
const NAMED: usize = 3;

/// All tokens of a text.
pub fn tokens(ids: &[u32], tokenizer: &Tokenizer) -> Vec<TokenName> {
    let token = |id: &u32| TokenName { id: *id, token: tokenizer.name(*id), text: tokenizer.shown(*id) };
    ids.iter().map(token).collect()
}

/// The generated tokens with all that is known of each; columns are numbered over the explained ones.
pub fn steps(
    tokens: &[TokenName],
    prompt: usize,
    probabilities: &[f64],
    records: &BTreeMap<usize, Record>,
) -> Vec<Step> {
    let step = |(index, (token, probability)): (usize, (&TokenName, &f64))| {
        let step = index + 1;
        let explained = records.get(&step).map(|record| Explained {
            column: records.range(..step).count(),
            start: record.start,
            tokens: record.relevance.iter().map(|r| f64::from(*r)).sum(),
            other_inputs: record.other_inputs,
            lost: record.lost.clone(),
            most_relevant: leaders(record, tokens),
        });
        Step { step, id: token.id, text: token.text.clone(), probability: *probability, explained }
    };
    tokens.iter().skip(prompt).zip(probabilities).enumerate().map(step).collect()
}

fn leaders(record: &Record, tokens: &[TokenName]) -> Vec<Leader> {
    let mut ranked: Vec<(&TokenName, f32)> = tokens.iter().zip(record.relevance.iter().copied()).collect();
    ranked.sort_by(|(_, a), (_, b)| b.abs().total_cmp(&a.abs()));
    let leader = |(token, value): (&TokenName, f32)| Leader {
        name: token.text.trim().to_owned(),
        value: value.into(),
    };
    ranked.into_iter().take(LEADERS).map(leader).collect()
}

/// The relevance of each token at each explained step; 0 for tokens that did not exist yet.
fn matrix(tokens: usize, records: &BTreeMap<usize, Record>) -> Array2<f32> {
    let mut matrix = Array2::zeros((tokens, records.len()));
    for (mut column, record) in matrix.columns_mut().into_iter().zip(records.values()) {
        column.iter_mut().zip(&record.relevance).for_each(|(cell, relevance)| *cell = *relevance);
    }
    matrix
}

/// Writes all results, or none.
pub fn write(document: &mut Generation, records: &BTreeMap<usize, Record>, out: &Path) -> Result<()> {
    let staging = Staging::beside(out)?;
    let relevance = matrix(document.tokens.len(), records);
    let ids: Array1<i64> = document.tokens.iter().map(|token| i64::from(token.id)).collect();
    let numbers: Array1<i64> = records.keys().map(|step| *step as i64).collect();
    let mut arrays = ArrayFile::create(&staging.path(ARRAYS))?;
    arrays.add("relevance", relevance.view().into_dyn())?;
    arrays.add("ids", ids.view().into_dyn())?;
    arrays.add("steps", numbers.view().into_dyn())?;
    arrays.finish()?;

    let texts: Vec<String> = document.tokens.iter().map(|token| token.text.clone()).collect();
    let text = |step: &usize| texts.get(document.prompt_tokens + step - 1).cloned().unwrap_or_default();
    let columns: Vec<(usize, String)> = records.keys().map(|step| (*step, text(step))).collect();
    let grid =
        TokenGrid { tokens: &texts, steps: &columns, relevance: &relevance, prompt: document.prompt_tokens };
    staging.write(
        PAGE,
        grid.page(&format!("{}: relevance of each token for each generated one", document.model.path))
            .as_bytes(),
    )?;
    document.files = vec![ARRAYS.to_owned(), PAGE.to_owned()];
    match grid.picture()? {
        Some(picture) => {
            staging.write_picture(PICTURE, &picture)?;
            document.files.push(PICTURE.to_owned());
        }
        None if !records.is_empty() => {
            document.warnings.push("there are too many tokens for a picture".to_owned());
        }
        None => {}
    }
    staging.write(DOCUMENT, &serde_json::to_vec_pretty(document).map_err(Error::from)?)?;
    Ok(staging.commit()?)
}

/// A summary of the document in a few lines.
pub fn summary(document: &Generation) -> String {
    let given: Vec<&str> =
        document.tokens.iter().take(document.prompt_tokens).map(|token| token.text.as_str()).collect();
    let mut text = format!("{:<13} {} tokens: {}\n", "prompt", given.len(), plain(&given.join("|")));
    let _ = writeln!(text, "{:<13} {}", "generated", plain(&document.text));
    let _ = writeln!(text, "{:<13} {} tokens, ended by {}", "", document.steps.len(), document.ended);
    let rows: Vec<[String; 4]> = document.steps.iter().map(row).collect();
    text.push_str(&crate::output::columns(&rows));
    for warning in &document.warnings {
        let _ = writeln!(text, "{:<13} {warning}", "warning");
    }
    text
}

fn row(step: &Step) -> [String; 4] {
    let leaders = step.explained.as_ref().map_or(String::new(), |explained| {
        let named = |leader: &Leader| format!("{} {:.3}", plain(&leader.name), leader.value);
        explained.most_relevant.iter().take(NAMED).map(named).collect::<Vec<_>>().join(", ")
    });
    [format!("{:>5}", step.step), plain(step.text.trim()), format!("{:.3}", step.probability), leaders]
}

/// The text on one line, without characters that control a terminal.
fn plain(text: &str) -> String {
    text.replace('\n', "↵").chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
