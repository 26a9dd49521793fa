//! The result of an explanation.

use super::ModuleRelevance;
use crate::rules::Kind;
use crate::start::Versus;
use crate::{Amount, Family, Ledger, Place, RandomUse, Relevance};
use std::collections::BTreeSet;
use std::time::Duration;

/// Relevance of one input tensor.
#[derive(Debug)]
pub struct InputRelevance<T> {
    /// The argument's name, with the path into lists, tuples and dictionaries: `x`, `feats[0]`, `batch.ids`.
    pub name: String,
    /// The input itself.
    pub tensor: T,
    /// Its relevance, in its shape; zeros if none reached it.
    pub relevance: Relevance<T>,
}

/// The relevance of a recorded value, kept on request.
#[derive(Debug)]
pub struct ValueRelevance<T> {
    /// The operator that made the value.
    pub operator: String,
    /// Where it ran.
    pub place: Place,
    /// Its relevance.
    pub relevance: Relevance<T>,
}

/// How often an operator ran (or stands in the code), and its rule.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct OperatorUse {
    /// Its name in the framework.
    pub operator: String,
    /// How often.
    pub count: usize,
    /// The kinds of rule that it takes; empty if it has none.
    #[serde(skip)]
    pub families: BTreeSet<Family>,
    /// These kinds in words; absent if there is none.
    pub rule: Option<String>,
    /// The kinds of its steps, by which rule sets select them. Before a run, those that they may have; empty if that is not known.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub kinds: BTreeSet<Kind>,
}

impl OperatorUse {
    /// The use of an operator whose steps are of these kinds.
    pub fn new(operator: impl Into<String>, count: usize, families: impl Into<BTreeSet<Family>>) -> Self {
        let mut families: BTreeSet<Family> = families.into();
        families.remove(&Family::Unruled);
        let words: Vec<String> = families.iter().map(Family::to_string).collect();
        let rule = (!words.is_empty()).then(|| words.join(", "));
        Self { operator: operator.into(), count, families, rule, kinds: BTreeSet::new() }
    }

    /// The same with the kinds of its steps.
    #[must_use]
    pub fn of_kinds(self, kinds: impl IntoIterator<Item = Kind>) -> Self {
        Self { kinds: kinds.into_iter().collect(), ..self }
    }
}

/// The share of uses with a rule, 0 to 1.
pub fn coverage(uses: &[OperatorUse]) -> f64 {
    let all: usize = uses.iter().map(|operator| operator.count).sum();
    let ruled: usize =
        uses.iter().filter(|operator| operator.rule.is_some()).map(|operator| operator.count).sum();
    if all == 0 { 1.0 } else { ruled as f64 / all as f64 }
}

/// How long each part took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timings {
    /// Running the model under the recorder.
    pub forward: Duration,
    /// From the recording to the relevance of the inputs.
    pub relevance: Duration,
}

/// Why a model decided as it did.
#[derive(Debug)]
pub struct Explanation<T> {
    /// The explained inputs, in order.
    pub inputs: Vec<InputRelevance<T>>,
    /// The explained output's name.
    pub output_name: String,
    /// The explained output.
    pub output: T,
    /// The explained unit of each sample, counted over its flattened output; empty if the start is not a single unit.
    pub targets: Vec<usize>,
    /// How many cells of a sample's flattened output lie before those that the units count: those of earlier positions, for the next
    /// token.
    pub earlier: usize,
    /// What this unit is told apart from; `None` unless the start is a difference.
    pub versus: Option<Versus>,
    /// The axis of the output that counts samples; `None` if the whole output is one sample.
    pub sample_axis: Option<usize>,
    /// Whether the first axis of the inputs counts the same samples.
    pub samples_in_inputs: bool,
    /// What was assumed because the model does not say it, one sentence each.
    pub assumed: Vec<String>,
    /// Total of the start.
    pub start: Amount,
    /// The account of every step.
    pub ledger: Ledger,
    /// The relevance of every recorded value, on request, in the order of the walk.
    pub values: Vec<ValueRelevance<T>>,
    /// The relevance that passed through each module, on request. A module follows the one that contains it; apart from that,
    /// modules stand in the order in which they ran.
    pub modules: Vec<ModuleRelevance>,
    /// The operators that ran and that relevance can reach, by name.
    pub operators: Vec<OperatorUse>,
    /// The operators whose results depend on random numbers.
    pub random: Vec<RandomUse>,
    /// How long each part took.
    pub timings: Timings,
    /// Warnings for the reader.
    pub warnings: Vec<String>,
}

impl<T> Explanation<T> {
    /// The share of the executed operators that can carry relevance and have a rule, 0 to 1.
    pub fn coverage(&self) -> f64 {
        coverage(&self.operators)
    }
}
