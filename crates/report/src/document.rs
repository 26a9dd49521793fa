//! `explanation.json`: what was explained, how, and where the relevance went.

use crate::tokens::TokenEntry;
use dlbacktrace_core::explain::ModuleRelevance;
use dlbacktrace_core::{Amount, Ledger, Loss, Mode};
use serde::Serialize;
use std::collections::BTreeMap;

/// The version of the document's schema. It rises when a field changes its meaning or goes away, not when one
/// is added.
pub const SCHEMA_VERSION: u32 = 1;

/// The whole document. Relevance has no unit of its own: it is measured in that of the explained output.
#[derive(Debug, Clone, Serialize)]
pub struct Document {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What made it.
    pub versions: Versions,
    /// What was explained.
    pub model: Model,
    /// How it was explained.
    pub settings: Settings,
    /// The explained output.
    pub output: OutputEntry,
    /// The axis of the output that counts samples; absent where all of it is one sample.
    pub sample_axis: Option<usize>,
    /// The explained unit of each sample, counted over its flattened output; absent where the start is no single unit.
    pub target: Option<Vec<usize>>,
    /// Its place in the output.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target_cells: Vec<Vec<usize>>,
    /// Its name, where units have names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target_names: Vec<String>,
    /// The highest units of the output for each of the first samples.
    pub prediction: Vec<Vec<Leader>>,
    /// Relevance at the start.
    pub start: Amount,
    /// The explained inputs in the model's order.
    pub inputs: Vec<InputEntry>,
    /// Relevance of the recorded values, when all of them were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<ValueEntry>,
    /// What passed through each module, when asked for: each after the one it is in, else in the order they ran.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<ModuleRelevance>,
    /// Where relevance ended.
    pub totals: Totals,
    /// Relevance of each step.
    pub ledger: Ledger,
    /// The part of the executed operators that have a rule, 0 to 1.
    pub coverage: f64,
    /// The operators that ran and that relevance can reach.
    pub operators: Vec<OperatorEntry>,
    /// How long each part took.
    pub timings: Timings,
    /// The most memory the process held at any time, in bytes, where the system tells.
    pub peak_memory_bytes: Option<u64>,
    /// Which file or value went into which input.
    pub given: Vec<Given>,
    /// What was assumed where the model does not tell: a sentence each.
    pub assumed: Vec<String>,
    /// What the reader should know.
    pub warnings: Vec<String>,
    /// The files written beside this one.
    pub files: Vec<String>,
}

/// Versions of the software.
#[derive(Debug, Clone, Serialize)]
pub struct Versions {
    /// This program.
    pub dlbacktrace: String,
    /// The framework that ran the model, such as `libtorch 2.13.0`.
    pub framework: String,
}

/// The explained model.
#[derive(Debug, Clone, Serialize)]
pub struct Model {
    /// As it was named.
    pub path: String,
    /// SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
}

/// The options in force.
#[derive(Debug, Clone, Serialize)]
pub struct Settings {
    /// One channel of relevance or two.
    pub mode: Mode,
    /// What the output means; absent when the start was given as an array.
    pub task: Option<String>,
    /// Of binary segmentation: what counts as chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// Whether saturated activations block relevance.
    pub gates: bool,
    /// The total that the start was scaled to.
    pub scaler: Option<f64>,
    /// What the start was multiplied with.
    pub multiplier: f64,
    /// Whether the start was made of softmax or sigmoid of the output.
    pub from_logits: bool,
    /// Integer inputs explained as numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub numeric_inputs: Vec<String>,
    /// Inputs that counted as constants.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub constant_inputs: Vec<String>,
    /// Whether tokens took what is added to their embeddings.
    pub whole_tokens: bool,
    /// Whether operators without a rule were let through.
    pub allow_unruled: bool,
}

/// Which file or value went into an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Given {
    /// The input, or the part of it.
    pub input: String,
    /// The file or value, as it was named.
    pub source: String,
}

/// The explained output.
#[derive(Debug, Clone, Serialize)]
pub struct OutputEntry {
    /// Its name or its number among the flattened outputs.
    pub name: String,
    /// Extent of each axis.
    pub shape: Vec<usize>,
}

/// One explained input.
#[derive(Debug, Clone, Serialize)]
pub struct InputEntry {
    /// The argument's name, with what leads to the tensor inside it.
    pub name: String,
    /// Extent of each axis of the relevance.
    pub shape: Vec<usize>,
    /// Where its relevance stands in `relevance.npz`.
    pub arrays: ArrayKeys,
    /// Its total relevance.
    pub total: Amount,
    /// Names along the last axis, where the data had them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<String>>,
    /// The tokens of each sample with their relevance, where a text was given; without padding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Vec<Vec<TokenEntry>>>,
    /// The elements with the most relevance, for each of the first samples.
    pub most_relevant: Vec<Vec<Leader>>,
}

/// Names of arrays in `relevance.npz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ArrayKeys {
    /// Default mode.
    Default {
        /// The one channel.
        relevance: String,
    },
    /// Contrastive mode.
    Contrastive {
        /// What speaks for the explained output.
        positive: String,
        /// What speaks against it.
        negative: String,
    },
}

impl ArrayKeys {
    /// The names of the arrays of one value, such as `input:x`.
    pub fn of(value: &str, mode: Mode) -> Self {
        match mode {
            Mode::Default => Self::Default { relevance: value.to_owned() },
            Mode::Contrastive => Self::Contrastive {
                positive: format!("{value}:positive"),
                negative: format!("{value}:negative"),
            },
        }
    }

    /// The names in the order of the channels.
    pub fn channels(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::Default { relevance } => [Some(relevance), None],
            Self::Contrastive { positive, negative } => [Some(positive), Some(negative)],
        }
        .into_iter()
        .flatten()
        .map(String::as_str)
    }
}

/// An element that stands out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Leader {
    /// The feature's name, or its indices.
    pub name: String,
    /// Its value: relevance (positive channel less negative channel in contrastive mode), or the output's.
    pub value: f64,
}

/// An operator that ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OperatorEntry {
    /// The framework's name.
    pub operator: String,
    /// How often it ran.
    pub count: usize,
    /// Its kind of rule; absent when it has none.
    pub rule: Option<String>,
}

/// A recorded value's relevance.
#[derive(Debug, Clone, Serialize)]
pub struct ValueEntry {
    /// Position on the tape of the step that made it.
    pub step: usize,
    /// The framework's name of the operator.
    pub operator: String,
    /// Dotted path of the module.
    pub module: String,
    /// Extent of each axis.
    pub shape: Vec<usize>,
    /// Where its relevance stands in `relevance.npz`.
    pub arrays: ArrayKeys,
}

/// Where relevance ended: `start = inputs + losses`, up to what the ledger names.
#[derive(Debug, Clone, Serialize)]
pub struct Totals {
    /// What reached the inputs.
    pub inputs: Amount,
    /// What was lost, by reason.
    pub losses: BTreeMap<Loss, Amount>,
    /// Whether every step accounts for what it received.
    pub closes: bool,
}

/// Wall-clock time of each part, in seconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Timings {
    /// Loading the model.
    pub load_seconds: f64,
    /// Running and recording it.
    pub forward_seconds: f64,
    /// Walking back.
    pub relevance_seconds: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn array_names_follow_the_mode() -> serde_json::Result<()> {
        let default = serde_json::to_string(&ArrayKeys::of("input:x", Mode::Default))?;
        assert_eq!(default, r#"{"relevance":"input:x"}"#);
        let contrastive = serde_json::to_string(&ArrayKeys::of("input:x", Mode::Contrastive))?;
        assert_eq!(contrastive, r#"{"positive":"input:x:positive","negative":"input:x:negative"}"#);
        Ok(())
    }
}
