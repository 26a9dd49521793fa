//! The operators that have rules.

use dlbacktrace_core::Family;

/// One operator of a framework and its rule.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct OperatorRule {
    /// The framework.
    pub framework: &'static str,
    /// The operator's name there.
    pub operator: String,
    /// The kind of rule.
    pub rule: String,
    /// A note for the reader.
    pub note: String,
}

/// The known operators with their rules.
pub fn operators() -> Vec<OperatorRule> {
    let mut rules = Vec::new();
    let mut add = |framework, operator: &str, family: Family| {
        let note = match family {
            Family::Unruled => "an error that names it",
            Family::Statistic => "an error outside a normaliser",
            _ => "",
        };
        let (operator, rule, note) = (operator.to_owned(), family.to_string(), note.to_owned());
        rules.push(OperatorRule { framework, operator, rule, note });
    };
    #[cfg(feature = "torch")]
    dlbacktrace_torch::operators().iter().for_each(|rule| add("torch", rule.operator, rule.family));
    #[cfg(feature = "tensorflow")]
    dlbacktrace_tensorflow::operators().iter().for_each(|rule| add("tensorflow", rule.operator, rule.family));
    rules
}
