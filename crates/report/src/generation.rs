//! `generation.json`: what a language model wrote, and what each of its tokens is due to.

use crate::{Leader, Model, Versions};
use serde::Serialize;
use std::collections::BTreeMap;

/// The whole document. Relevance is measured in parts of a generated token: each step starts with 1.
#[derive(Debug, Clone, Serialize)]
pub struct Generation {
    /// [`SCHEMA_VERSION`](crate::SCHEMA_VERSION).
    pub schema_version: u32,
    /// What made it.
    pub versions: Versions,
    /// What generated.
    pub model: Model,
    /// The text that was generated, without special tokens.
    pub text: String,
    /// Why it ends: `stop` at a token that ends texts, `length` when there were enough tokens, `interrupted`, or `model`
    /// when the model takes no more or nothing may come.
    pub ended: &'static str,
    /// How tokens were chosen.
    pub settings: Choice,
    /// The number of tokens that were given.
    pub prompt_tokens: usize,
    /// All tokens, in the order of the rows of `relevance` in `relevance.npz`.
    pub tokens: Vec<TokenName>,
    /// The generated tokens.
    pub steps: Vec<Step>,
    /// Whether every step that was asked for is explained.
    pub complete: bool,
    /// What the reader should know.
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

/// How tokens were chosen; absent is what was not asked for.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Choice {
    /// `greedy`, `sampled` or `beams`.
    pub method: &'static str,
    /// Tokens to generate at most.
    pub max_new_tokens: u32,
    /// Tokens to generate before the text may end.
    pub min_new_tokens: u32,
    /// Numbers of the tokens that end a text.
    pub stops: Vec<u32>,
    /// What scores are divided by.
    pub temperature: Option<f64>,
    /// How many tokens are drawn from.
    pub top_k: Option<u32>,
    /// The probability of those that are drawn from.
    pub top_p: Option<f64>,
    /// The seed of the random numbers.
    pub seed: Option<u64>,
    /// How many texts are followed.
    pub beams: Option<u32>,
    /// How texts of different length are compared.
    pub length_penalty: Option<f64>,
    /// What the scores of tokens that are there already are divided by.
    pub repetition_penalty: Option<f64>,
    /// The length of the sequences that come once only.
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
    /// The model's probability of it, before penalties and temperature.
    pub probability: f64,
    /// What it is due to, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explained: Option<Explained>,
}

/// Where the relevance of a generated token went: `tokens + other_inputs + lost = 1`.
#[derive(Debug, Clone, Serialize)]
pub struct Explained {
    /// The column of `relevance` in `relevance.npz`.
    pub column: usize,
    /// What reached the tokens before it.
    pub tokens: f64,
    /// What reached other inputs of the model, such as positions.
    pub other_inputs: f64,
    /// What was lost, by reason.
    pub lost: BTreeMap<String, f64>,
    /// The tokens with the most relevance.
    pub most_relevant: Vec<Leader>,
}
