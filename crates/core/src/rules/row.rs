//! One row of a rule set.

use super::{Kind, Rule};
use crate::{Step, Tensor};
use serde::{Deserialize, Serialize};
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
        match self.kinds.iter().find(|kind| !self.rule.serves(**kind)) {
            None => Ok(()),
            Some(kind) => Err(unfit(&self.rule, *kind)),
        }
    }

    /// Whether it selects a step that is at the first or the last end of the model, or at neither.
    pub(super) fn selects<T: Tensor>(&self, step: &Step<T>, kind: Kind, [first, last]: [bool; 2]) -> bool {
        let fits = |pattern: &Option<String>, text: &str| {
            pattern.as_ref().is_none_or(|pattern| WildMatch::new(pattern).matches(text))
        };
        (self.kinds.is_empty() || self.kinds.iter().any(|named| kind.is(*named)))
            && fits(&self.operator, &step.operator)
            && fits(&self.module, &step.place.module.path)
            && fits(&self.class, &step.place.module.class)
            && match self.layer {
                None => true,
                Some(Layer::First) => first,
                Some(Layer::Last) => last,
            }
    }

    /// Whether its rule goes by derivatives, or by what only a norm's own rule reads.
    pub(super) fn reads_all(&self) -> bool {
        let norms = self.kinds.is_empty() || self.kinds.contains(&Kind::Norm);
        self.rule.differentiates() || (norms && matches!(self.rule, Rule::Epsilon(_)))
    }

    /// Whether it names parts of a model, so that it should select something.
    pub(super) fn names(&self) -> Option<&str> {
        [&self.operator, &self.module, &self.class].into_iter().flatten().map(String::as_str).next()
    }
}

/// Why a step of this kind cannot take the rule.
pub(super) fn unfit(rule: &Rule, kind: Kind) -> String {
    let rules: Vec<String> = Rule::of(kind).map(|rule| rule.to_string()).collect();
    format!("{rule} is no rule for steps of the kind {kind}; there is {}", rules.join(", "))
}
