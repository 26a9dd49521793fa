//! One row of a rule set.

use super::{Finding, Kind, Rule};
use crate::names::did_you_mean;
use crate::{Step, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use wildmatch::WildMatch;

/// Some steps and their rule. All that is given must hold of a step. In texts, `*` stands for any characters.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The step is of one of these kinds; of any, if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<Kind>,
    /// Its operator, by the framework's name, such as `aten::conv2d` or `Conv2D`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Its module's path, such as `encoder.layer.*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// Its module's class, such as `Conv2d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// It is at this end of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<Layer>,
    /// This was found about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<Finding>,
    /// The rule.
    pub rule: Rule,
}

/// An end of the model. A layer is a weighted sum with constant weights: a linear layer or a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// On some way from the inputs to it there is no other layer.
    First,
    /// On some way from it to the start there is no other layer.
    Last,
}

impl Row {
    /// A rule for steps of these kinds.
    pub fn of(kinds: impl Into<Vec<Kind>>, rule: Rule) -> Self {
        Self { kinds: kinds.into(), rule, ..Self::default() }
    }

    /// The same for one end of the model.
    #[must_use]
    pub fn at(self, layer: Layer) -> Self {
        Self { layer: Some(layer), ..self }
    }

    /// What is wrong with it, whatever the model.
    pub(super) fn check(&self) -> Result<(), String> {
        self.rule.check()?;
        let found = self.finding.map(Finding::kind);
        match self.kinds.iter().copied().chain(found).find(|kind| !self.rule.serves(*kind)) {
            None => Ok(()),
            Some(kind) => Err(unfit(&self.rule, kind)),
        }
    }

    /// Whether it may select a step of this kind.
    pub(super) fn may_select(&self, kind: Kind) -> bool {
        (self.kinds.is_empty() || self.kinds.iter().any(|named| kind.is(*named)))
            && self.finding.is_none_or(|finding| finding.kind() == kind)
    }

    /// Whether it may select steps of an operator of this name.
    pub(super) fn names(&self, operator: &str) -> bool {
        self.operator.as_ref().is_none_or(|pattern| WildMatch::new(pattern).matches(operator))
    }

    /// Whether it selects by what shows in a run only.
    pub(super) fn asks_for_a_run(&self) -> bool {
        self.module.is_some() || self.class.is_some() || self.layer.is_some() || self.finding.is_some()
    }

    /// Whether it selects a step that is at the first or the last end of the model, or at neither, and about which this was found.
    pub(super) fn selects<T: Tensor>(
        &self,
        step: &Step<T>,
        kind: Kind,
        [first, last]: [bool; 2],
        is: impl Fn(Finding) -> bool,
    ) -> bool {
        self.may_select(kind)
            && self.texts(step).all(|(_, pattern, text)| WildMatch::new(pattern).matches(text))
            && match self.layer {
                None => true,
                Some(Layer::First) => first,
                Some(Layer::Last) => last,
            }
            && self.finding.is_none_or(is)
    }

    /// Whether it names parts of a model, so that it should select something.
    pub(super) fn names_parts(&self) -> bool {
        [&self.operator, &self.module, &self.class].into_iter().any(Option::is_some)
    }

    /// What it says of names, the text that it gives, and that of a step.
    fn texts<'a, T: Tensor>(
        &'a self,
        step: &'a Step<T>,
    ) -> impl Iterator<Item = (&'static str, &'a str, &'a str)> {
        let module = &step.place.module;
        let given =
            |what, pattern: &'a Option<String>, text: &'a str| Some((what, pattern.as_deref()?, text));
        let texts = [
            given("operator", &self.operator, &step.operator),
            given("module", &self.module, &module.path),
            given("class", &self.class, &module.class),
        ];
        texts.into_iter().flatten()
    }

    /// Why it selects nothing of these steps.
    pub(super) fn idle<T: Tensor>(&self, steps: &[Step<T>]) -> String {
        let mut missing: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
        let all = || steps.iter().flat_map(|step| self.texts(step));
        all().for_each(|(what, pattern, text)| {
            missing.entry((what, pattern)).or_default().insert(text);
        });
        missing.retain(|(_, pattern), texts| !texts.iter().any(|text| WildMatch::new(pattern).matches(text)));
        match missing.pop_first() {
            Some(((what, pattern), texts)) => {
                let meant = did_you_mean(pattern, texts);
                format!(
                    "{what} {pattern}: it selects nothing of this model; `dlbacktrace inspect` lists what it has{meant}"
                )
            }
            None => {
                let named: Vec<&str> = [&self.operator, &self.module, &self.class]
                    .into_iter()
                    .flatten()
                    .map(String::as_str)
                    .collect();
                format!(
                    "{}: it selects nothing of these kinds that relevance reaches and that no earlier step selected",
                    named.join(", ")
                )
            }
        }
    }
}

/// Why a step of this kind cannot take the rule.
pub(super) fn unfit(rule: &Rule, kind: Kind) -> String {
    let rules: Vec<String> = Rule::of(kind).map(|rule| rule.to_string()).collect();
    format!("{rule} is no rule for steps of the kind {kind}; there is {}", rules.join(", "))
}
