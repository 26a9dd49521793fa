//! `generation.json`: what a language model wrote, and the tokens that explain each of its tokens.

use crate::{Leader, Model, Versions};
use dlbacktrace_core::rules::RuleSet;
use serde::Serialize;
use std::collections::BTreeMap;

/// The whole document. Each step starts with relevance 1, so relevance is a share of a generated token. A difference (`versus`) starts with
/// less, or with the unit of the scores.
#[derive(Debug, Clone, Serialize)]
pub struct Generation {
    /// [`SCHEMA_VERSION`](crate::SCHEMA_VERSION).
    pub schema_version: u32,
    /// The software that made the document.
    pub versions: Versions,
    /// The model that generated.
    pub model: Model,
    /// The text that was generated, without special tokens.
    pub text: String,
    /// Why the text ends: `stop` at a token that ends texts, `length` after the largest number of tokens, `interrupted`, or
    /// `model` if the model takes no longer text or no token may follow.
    pub ended: &'static str,
    /// How tokens were chosen.
    pub settings: Choice,
    /// The rules of the walks.
    pub rules: RuleSet,
    /// The token that each generated token is told apart from, or `others`; absent if each is explained by itself.
    pub versus: Option<String>,
    /// The number of tokens in the prompt.
    pub prompt_tokens: usize,
    /// All tokens, in the order of the rows of `relevance` in `relevance.npz`.
    pub tokens: Vec<TokenName>,
    /// The generated tokens.
    pub steps: Vec<Step>,
    /// Whether every requested step is explained.
    pub complete: bool,
    /// Warnings for the reader.
    pub warnings: Vec<String>,
    /// The files written beside this one.
    pub files: Vec<String>,
}

/// A token.
#[derive(Debug, Clone, Serialize)]
pub struct TokenName {
    /// Its number in the vocabulary.
    pub id: u32,
    /// Its name in the vocabulary.
    pub token: String,
    /// Its text.
    pub text: String,
}

/// How tokens were chosen; options that were not given are absent.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Choice {
    /// `greedy`, `sampled` or `beams`.
    pub method: &'static str,
    /// The largest number of tokens to generate.
    pub max_new_tokens: u32,
    /// The number of tokens to generate before the text may end.
    pub min_new_tokens: u32,
    /// Numbers of the tokens that end a text.
    pub stops: Vec<u32>,
    /// The number that divides the scores.
    pub temperature: Option<f64>,
    /// Draws come from this many of the most probable tokens.
    pub top_k: Option<u32>,
    /// Draws come from the most probable tokens that together have this probability.
    pub top_p: Option<f64>,
    /// The seed of the random numbers.
    pub seed: Option<u64>,
    /// The number of texts that the search follows.
    pub beams: Option<u32>,
    /// The exponent by which texts of different length are compared.
    pub length_penalty: Option<f64>,
    /// The number that makes tokens that already occur less probable.
    pub repetition_penalty: Option<f64>,
    /// The length of the sequences that may occur only once.
    pub no_repeat_ngram: Option<u32>,
}

/// A generated token.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// Counted from 1.
    pub step: usize,
    /// Its number in the vocabulary.
    pub id: u32,
    /// Its text.
    pub text: String,
    /// The probability that the model gave it, before penalties and temperature.
    pub probability: f64,
    /// Its explanation, if requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explained: Option<Explained>,
}

/// Where the relevance of a generated token went: `tokens + other_inputs + lost = start`, if its rules conserve relevance.
#[derive(Debug, Clone, Serialize)]
pub struct Explained {
    /// The column of `relevance` in `relevance.npz`.
    pub column: usize,
    /// The relevance at the start.
    pub start: f64,
    /// The relevance of the tokens before it.
    pub tokens: f64,
    /// The relevance of other inputs of the model, such as positions.
    pub other_inputs: f64,
    /// What was lost, by reason.
    pub lost: BTreeMap<String, f64>,
    /// The tokens with the most relevance.
    pub most_relevant: Vec<Leader>,
}
