//! What a set does with steps of a kind, as far as that is known without a run.

use super::{Kind, Others, Rule, RuleSet};

/// The rules that a set may have for steps of a kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Possible {
    /// Those that they may take, in the order of the set. Movement, and what carries nothing, needs none.
    pub rules: Vec<Rule>,
    /// Whether the set may refuse them.
    pub refused: bool,
}

impl RuleSet {
    /// What the set has for an operator's steps of this kind. Their module and class, whether they are at an end of the model and what is
    /// found about them shows in a run only, so rows that ask for these may select them or not.
    pub fn possible(&self, operator: &str, kind: Kind) -> Possible {
        let mut possible = Possible { rules: Vec::new(), refused: false };
        if !kind.has_rules() {
            return possible;
        }
        for row in self.rows.iter().filter(|row| row.names(operator) && row.may_select(kind)) {
            possible.add(&row.rule, kind);
            if !row.asks_for_a_run() {
                return possible;
            }
        }
        match self.others {
            Others::Backtrace => possible.add(&Rule::Backtrace, kind),
            Others::Refused => possible.refused = true,
        }
        possible
    }
}

impl Possible {
    fn add(&mut self, rule: &Rule, kind: Kind) {
        if !rule.serves(kind) {
            self.refused = true;
        } else if !self.rules.contains(rule) {
            self.rules.push(rule.clone());
        }
    }

    /// Whether there is no rule.
    pub fn none(&self) -> bool {
        self.refused && self.rules.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Finding, Layer, Row};

    #[test]
    fn rows_that_a_run_decides_leave_the_next_ones_open() {
        let set = |rows: Vec<Row>| RuleSet { others: Others::Refused, rows, ..RuleSet::default() };
        let (ends, flat) = (Row::of([Kind::Linear], Rule::ZPlus), Row::of([Kind::Linear], Rule::Flat));
        let found = |rows: Vec<Row>| set(rows).possible("aten::linear", Kind::Linear);
        assert_eq!(found(vec![]), Possible { rules: vec![], refused: true });
        assert!(found(vec![]).none());
        let first = ends.clone().at(Layer::First);
        assert_eq!(found(vec![first.clone()]), Possible { rules: vec![Rule::ZPlus], refused: true });
        let both = Possible { rules: vec![Rule::ZPlus, Rule::Flat], refused: false };
        assert_eq!(found(vec![first, flat.clone(), ends.clone()]), both);
        let other = Row { operator: Some("aten::conv*".into()), ..ends.clone() };
        assert_eq!(found(vec![other, flat]).rules, [Rule::Flat]);
        let gates = Row { finding: Some(Finding::Gate), ..Row::of([], Rule::Signal) };
        assert_eq!(found(vec![gates, ends]).rules, [Rule::ZPlus]);
        assert_eq!(RuleSet::default().possible("aten::linear", Kind::Linear).rules, [Rule::Backtrace]);
        assert!(set(vec![]).possible("aten::view", Kind::Movement).rules.is_empty());
        assert!(!set(vec![]).possible("aten::view", Kind::Movement).refused);
    }

    #[test]
    fn a_rule_that_does_not_serve_the_kind_is_a_refusal() {
        let set = RuleSet { rows: vec![Row::of([], Rule::ZPlus)], ..RuleSet::default() };
        assert!(set.possible("aten::softmax", Kind::Softmax).none());
    }
}
