//! The kinds of an operator's steps, as they are known before a run and as they are in it.

use dlbacktrace_core::explain::OperatorUse;
use dlbacktrace_core::rules::Kind;

/// How many operators of a run have kinds that were known before, and those whose steps are of others too. Movement, and what carries
/// nothing, need no rules, so they do not count.
pub fn unforeseen(known: &[OperatorUse], ran: &[OperatorUse]) -> (usize, Vec<String>) {
    let mut pairs: Vec<(&OperatorUse, &OperatorUse)> = Vec::new();
    for used in ran {
        let before = known.iter().find(|before| before.operator == used.operator);
        pairs.extend(before.filter(|before| !before.kinds.is_empty()).map(|before| (before, used)));
    }
    let wrong = pairs.iter().filter_map(|(before, used)| {
        let ruled = |kind: &&Kind| !matches!(kind, Kind::Movement | Kind::Other);
        let others: Vec<&Kind> = used.kinds.difference(&before.kinds).filter(ruled).collect();
        (!others.is_empty()).then(|| format!("{} is also {others:?}", used.operator))
    });
    (pairs.len(), wrong.collect())
}
