//! The options of an explanation.

use super::Watch;
use crate::analysis::PrepareOptions;
use crate::rules::{BatchNorm, RuleSet};
use crate::start::{StartOptions, Task};
use crate::{Error, Mode, Result};
use ndarray::ArrayD;
use std::sync::Arc;

/// The explained output, counted over the flattened tuples and dictionaries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Output {
    /// The first with floating-point numbers.
    #[default]
    First,
    /// By position, from 0.
    Index(usize),
    /// By key, field or full name, such as `logits` or `output.logits`.
    Name(String),
}

/// The axis of the explained output that counts samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Samples {
    /// To be found. Where it matters, the model is run once more with the last sample in place of all.
    #[default]
    Auto,
    /// This axis.
    Axis(usize),
    /// No axis: the whole output is one sample.
    One,
}

/// A start of the user's own: the relevance of a value, in its shape.
#[derive(Debug, Clone)]
pub struct OwnStart {
    /// The module whose last result is the value, by its dotted path, to explain an inner unit; absent for the chosen output.
    pub module: Option<String>,
    /// The relevance; in contrastive mode, the relevance for.
    pub positive: Arc<ArrayD<f64>>,
}

/// The options of an explanation. The defaults explain the first output's largest unit in default mode.
#[derive(Debug, Default, Clone)]
pub struct Options {
    /// The explained output.
    pub output: Output,
    /// The axis that counts samples in it.
    pub samples: Samples,
    /// Task, target, mode, scaler, multiplier. Its sample axis is replaced by the one that `samples` leads to.
    pub start: StartOptions,
    /// A start of the user's own, in place of task and target.
    pub own_start: Option<OwnStart>,
    /// What that start is against, in contrastive mode; zeros if absent.
    pub negative_start: Option<Arc<ArrayD<f64>>>,
    /// The rules.
    pub rules: RuleSet,
    /// Gates.
    pub prepare: PrepareOptions,
    /// Keeps the relevance of every recorded value.
    pub all_values: bool,
    /// Reports the relevance that passed through each module.
    pub modules: bool,
    /// Integer inputs to explain as numbers, by name.
    pub numeric_inputs: Vec<String>,
    /// Inputs that are not evidence, by name: they are not explained, and what is computed from them alone is constant.
    pub constant_inputs: Vec<String>,
    /// Books relevance that reaches an operator without a rule as lost, instead of failing.
    pub allow_unruled: bool,
    /// The seed of the framework's random numbers, for models that draw some.
    pub random_seed: Option<u64>,
    /// Is told the progress, and may stop it.
    pub watch: Watch,
}

impl Options {
    /// Refuses what contradicts itself or is no number; whatever would do nothing is named by [`Options::idle`].
    ///
    /// # Errors
    /// [`Error::Start`].
    pub(super) fn check(&self) -> Result<()> {
        self.rules.check_complete()?;
        let refused = |message: String| Err(Error::Start(message));
        if self.negative_start.is_some() && self.own_start.is_none() {
            return refused(
                "there is a start against (negative_start), but no start for; give that too (start, --start)"
                    .into(),
            );
        }
        if matches!(self.start.task, Task::Segmentation { threshold } if threshold.is_nan()) {
            return refused("the threshold is NaN; give a number".into());
        }
        let numbers =
            [("scaler", self.start.scaler.unwrap_or_default()), ("multiplier", self.start.multiplier)];
        if let Some((name, number)) = numbers.iter().find(|(_, number)| !number.is_finite()) {
            return refused(format!("the {name} is {number}; give a finite number"));
        }
        if self.start.from_logits && self.starts_with_one() {
            let versus = if self.start.versus.is_some() { " versus another unit" } else { "" };
            return refused(format!(
                "the rule set {} starts{versus} with 1 at the output itself, so probabilities (from_logits, --from-logits) are no start; \
                 leave that out",
                self.rules.name
            ));
        }
        if self.own_start.is_some() && self.start.versus.is_some() {
            return refused(
                "a start of your own (start, --start) says itself what is for and what is against; leave versus (--versus) out"
                    .into(),
            );
        }
        for (module, gate) in
            self.prepare.gate_of.iter().filter_map(|(module, gate)| Some((module, (*gate)?)))
        {
            if [gate.lower, gate.upper, gate.swish].iter().flatten().any(|bound| bound.is_nan()) {
                return refused(format!("the gate of module {module} has a bound that is no number"));
            }
            if let (Some(lower), Some(upper)) = (gate.lower, gate.upper)
                && lower >= upper
            {
                return refused(format!(
                    "the gate of module {module} opens above {lower} and below {upper}, so never; give a lower bound below the upper one"
                ));
            }
        }
        Ok(())
    }

    /// Whether batch norms become parts of layers. To a derivative they are operators like others.
    pub(super) fn folds_batch_norms(&self) -> bool {
        self.asks_to_fold() && self.rules.conserves()
    }

    fn asks_to_fold(&self) -> bool {
        self.prepare.batch_norm.unwrap_or(self.rules.batch_norm) == BatchNorm::Fold
    }

    /// The options of the analyses, for the rule set.
    pub(super) fn analyses(&self) -> PrepareOptions {
        let batch_norm = if self.folds_batch_norms() { BatchNorm::Fold } else { BatchNorm::Pass };
        PrepareOptions { batch_norm: Some(batch_norm), ..self.prepare.clone() }
    }

    /// Whether the walk starts with 1 in place of the output's own value (rules §1). Gradients are the derivative of the output
    /// itself. DLBacktrace's own rules give different units much the same map, so only equal starts of both signs cancel what
    /// these share.
    pub(super) fn starts_with_one(&self) -> bool {
        !self.rules.conserves() || (self.start.versus.is_some() && self.rules.is_backtrace())
    }

    /// Warnings about options that do nothing here.
    pub(super) fn idle(&self) -> impl Iterator<Item = String> {
        let contrastive = self.start.mode == Mode::Contrastive;
        let against = (self.negative_start.is_some() && !contrastive).then(|| {
            "the start against (negative_start) counts only in contrastive mode, so it does nothing"
                .to_owned()
        });
        let gates = (!self.prepare.gate_of.is_empty() && (contrastive || !self.prepare.gates)).then(|| {
            let why = if contrastive { "contrastive mode knows no gates" } else { "gates are off" };
            format!("the gates of modules (gate_of) do nothing, because {why}")
        });
        let folds = (self.asks_to_fold() && !self.folds_batch_norms()).then(|| {
            format!(
                "batch norms are not folded (batch_norm), because the rule set {} goes by derivatives, which that would not change",
                self.rules.name
            )
        });
        against.into_iter().chain(gates).chain(folds)
    }
}
