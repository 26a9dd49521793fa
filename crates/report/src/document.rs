//! `explanation.json`: what was explained, how, and where the relevance went.

use crate::tokens::TokenEntry;
use dlbacktrace_core::explain::ModuleRelevance;
use dlbacktrace_core::rules::{Kind, RuleSet};
use dlbacktrace_core::start::Versus;
use dlbacktrace_core::{Amount, Ledger, Loss, Mode};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The version of the document's schema. It rises when a field changes its meaning or disappears, not when one is added.
pub const SCHEMA_VERSION: u32 = 1;

/// The whole document. Relevance has no unit of its own: it is measured in that of the explained output.
#[derive(Debug, Clone, Serialize)]
pub struct Document {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The software that made the document.
    pub versions: Versions,
    /// What was explained.
    pub model: Model,
    /// How it was explained.
    pub settings: Settings,
    /// The explained output.
    pub output: OutputEntry,
    /// The axis of the output that counts samples; absent if the whole output is one sample.
    pub sample_axis: Option<usize>,
    /// The explained unit of each sample, counted over its flattened output; absent if the start is not a single unit.
    pub target: Option<Vec<usize>>,
    /// Its coordinates in the output.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target_cells: Vec<Vec<usize>>,
    /// Its name, if units have names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target_names: Vec<String>,
    /// What it is told apart from, if the start is a difference: one other unit, or all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versus: Option<Versus>,
    /// The name of that unit, if units have names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub versus_name: Option<String>,
    /// The highest units of the output for each of the first samples.
    pub prediction: Vec<Vec<Leader>>,
    /// The relevance at the start.
    pub start: Amount,
    /// The explained inputs in the model's order.
    pub inputs: Vec<InputEntry>,
    /// The relevance of the recorded values, on request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<ValueEntry>,
    /// The relevance that passed through each module, on request. A module follows the one that contains it; apart from that,
    /// modules stand in the order in which they ran.
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
    /// The most memory that the process held at any time, in bytes, if the system says so.
    pub peak_memory_bytes: Option<u64>,
    /// Which file or value went into which input.
    pub given: Vec<Given>,
    /// What the command assumed because the model does not say it, one sentence each.
    pub assumed: Vec<String>,
    /// Warnings for the reader.
    pub warnings: Vec<String>,
    /// The files written beside this one.
    pub files: Vec<String>,
}

impl Document {
    /// What the explained unit is told apart from, as words behind its name; empty unless the start is a difference.
    pub fn apart_from(&self) -> String {
        match (self.versus, &self.versus_name) {
            (None, _) => String::new(),
            (Some(Versus::Others), _) => " versus others".to_owned(),
            (Some(Versus::Unit(_)), Some(name)) => format!(" versus {name}"),
            (Some(Versus::Unit(unit)), None) => format!(" versus {unit}"),
        }
    }
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
    /// The path that was given.
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
    /// In a binary segmentation: the value above which a cell is explained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// The rules by which relevance was shared.
    pub rules: RuleSet,
    /// Whether saturated activations block relevance.
    pub gates: bool,
    /// The total that the start was scaled to.
    pub scaler: Option<f64>,
    /// The factor that multiplied the start.
    pub multiplier: f64,
    /// Whether the start is taken from the softmax or sigmoid of the output.
    pub from_logits: bool,
    /// Integer inputs explained as numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub numeric_inputs: Vec<String>,
    /// Inputs that counted as constants.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub constant_inputs: Vec<String>,
    /// Whether tokens take the share of what is added to their embeddings.
    pub whole_tokens: bool,
    /// Whether operators without a rule were let through.
    pub allow_unruled: bool,
}

/// Which file or value went into an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Given {
    /// The input, or the part of it.
    pub input: String,
    /// The file or value, as it was given.
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
    /// The argument's name, with the path to the tensor inside it.
    pub name: String,
    /// Extent of each axis of the relevance.
    pub shape: Vec<usize>,
    /// The names of its arrays in `relevance.npz`.
    pub arrays: ArrayKeys,
    /// Its total relevance.
    pub total: Amount,
    /// The total for minus that against; in default mode, the total.
    pub difference: f64,
    /// Names along the last axis, if the data have them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<String>>,
    /// For a text: the tokens of each sample with their relevance, without padding.
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
        /// Relevance for the explained output.
        positive: String,
        /// Relevance against it.
        negative: String,
        /// The first minus the second.
        difference: String,
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
                difference: format!("{value}:difference"),
            },
        }
    }

    /// The names in the order of the channels, and that of their difference.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::Default { relevance } => [Some(relevance), None, None],
            Self::Contrastive { positive, negative, difference } => {
                [Some(positive), Some(negative), Some(difference)]
            }
        }
        .into_iter()
        .flatten()
        .map(String::as_str)
    }
}

/// One of the largest elements.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Leader {
    /// The feature's name, or its indices.
    pub name: String,
    /// Its value: relevance (for minus against, in contrastive mode), or the output's value.
    pub value: f64,
}

/// An operator that ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OperatorEntry {
    /// The framework's name.
    pub operator: String,
    /// How often it ran.
    pub count: usize,
    /// Its kind of rule; absent if it has none.
    pub rule: Option<String>,
    /// The kinds of its steps, by which rule sets select them.
    pub kinds: BTreeSet<Kind>,
}

/// A recorded value's relevance.
#[derive(Debug, Clone, Serialize)]
pub struct ValueEntry {
    /// The position on the tape of the step that made it.
    pub step: usize,
    /// The framework's name of the operator.
    pub operator: String,
    /// Dotted path of the module.
    pub module: String,
    /// Extent of each axis.
    pub shape: Vec<usize>,
    /// The names of its arrays in `relevance.npz`.
    pub arrays: ArrayKeys,
}

/// Where relevance ended: `start = inputs + losses`, except for the gaps that the ledger names, and for rules that conserve nothing.
#[derive(Debug, Clone, Serialize)]
pub struct Totals {
    /// What reached the inputs.
    pub inputs: Amount,
    /// What was lost, by reason.
    pub losses: BTreeMap<Loss, Amount>,
    /// Whether every step accounts for what it received; `null` if the rules conserve nothing.
    pub closes: Option<bool>,
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
        assert_eq!(
            contrastive,
            r#"{"positive":"input:x:positive","negative":"input:x:negative","difference":"input:x:difference"}"#
        );
        Ok(())
    }
}
