//! Which rules of a set the operators of a model take, as far as that is known without a run.

use crate::failure::{Failure, Result};
use dlbacktrace::rules::{Kind, Possible, Rule, RuleSet};
use dlbacktrace::{Error, OperatorUse};
use serde::Serialize;

/// What a rule set has for the operators of a model.
#[derive(Serialize)]
pub(super) struct ByRules<'a> {
    pub(super) set: &'a str,
    pub(super) operators: Vec<Ruled<'a>>,
}

/// What a rule set has for an operator.
#[derive(Serialize)]
pub(super) struct Ruled<'a> {
    operator: &'a str,
    /// The rules that its steps may take; empty for movement and for what carries nothing.
    rules: Vec<String>,
    /// Kinds of its steps that may be refused.
    refused: Vec<Kind>,
    /// Whether the kinds of its steps show in a run only.
    unknown: bool,
    /// Whether every step of it is refused.
    #[serde(skip)]
    none: bool,
}

impl<'a> ByRules<'a> {
    pub(super) fn of(set: &'a RuleSet, operators: &'a [OperatorUse]) -> Self {
        let ruled = |used: &'a OperatorUse| {
            let possible = |kind: &Kind| (*kind, set.possible(&used.operator, *kind));
            let possible: Vec<(Kind, Possible)> = used.kinds.iter().map(possible).collect();
            let mut rules: Vec<String> = Vec::new();
            for rule in possible.iter().flat_map(|(_, possible)| &possible.rules).map(Rule::to_string) {
                if !rules.contains(&rule) {
                    rules.push(rule);
                }
            }
            Ruled {
                operator: &used.operator,
                rules,
                refused: possible
                    .iter()
                    .filter(|(_, possible)| possible.refused)
                    .map(|(kind, _)| *kind)
                    .collect(),
                unknown: used.kinds.is_empty() && used.rule.is_some(),
                none: !possible.is_empty() && possible.iter().all(|(_, possible)| possible.none()),
            }
        };
        Self { set: &set.name, operators: operators.iter().map(ruled).collect() }
    }

    /// Fails if the set has no rule for an operator, whatever its call.
    pub(super) fn check(&self) -> Result<()> {
        let refused = |ruled: &&Ruled<'_>| ruled.none;
        let named = |ruled: &Ruled<'_>| {
            let kinds: Vec<String> = ruled.refused.iter().map(Kind::to_string).collect();
            format!("{} (of the kind {})", ruled.operator, kinds.join(" or "))
        };
        let refused: Vec<String> = self.operators.iter().filter(refused).map(named).collect();
        if refused.is_empty() {
            return Ok(());
        }
        Err(Failure::Explanation(Error::NoRule(format!(
            "the rule set {} has no rule for {}; `explain` stops there if relevance reaches it. Give the kind a rule in the set, or \
             set others = \"backtrace\"",
            self.set,
            refused.join(", ")
        ))))
    }
}

impl Ruled<'_> {
    /// Its rules in words; `family` is the kind of rule that it has.
    pub(super) fn text(&self, family: &str) -> String {
        let rules = match self.rules.as_slice() {
            [] if self.none => "REFUSED".to_owned(),
            [] if self.unknown => format!("{family}; by which rules shows in a run"),
            [] => family.to_owned(),
            rules => rules.join(" or "),
        };
        if self.refused.is_empty() || self.none {
            return rules;
        }
        let kinds: Vec<String> = self.refused.iter().map(Kind::to_string).collect();
        format!("{rules}; refused where it is {}", kinds.join(" or "))
    }
}
