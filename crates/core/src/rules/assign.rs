//! Gives each step its rule.

use super::row::unfit;
use super::{Kind, RuleSet};
use crate::{Result, Step, Tensor, ValueId};
use std::collections::HashSet;

/// Gives each step of a prepared tape the rule that the set has for it. The walk begins at `starts`.
pub(crate) fn assign<T: Tensor>(steps: &mut [Step<T>], set: &RuleSet, starts: &[ValueId]) -> Result<()> {
    set.check()?;
    if set.rows.is_empty() {
        return Ok(());
    }
    let kinds: Vec<Kind> = steps.iter().map(|step| Kind::of(&*step.op, &step.inputs)).collect();
    let (first, last) = (first(steps, &kinds), last(steps, &kinds, starts));
    let mut idle: Vec<bool> = set.rows.iter().map(|row| row.names().is_some()).collect();
    for (index, step) in steps.iter_mut().enumerate() {
        let kind = kinds[index];
        let ends = [first[index], last[index]];
        let Some(number) = set.rows.iter().position(|row| row.selects(step, kind, ends)) else { continue };
        idle[number] = false;
        let rule = set.rows[number].rule;
        if !rule.serves(kind) {
            let reason = format!("{} ({})", unfit(rule, kind), step.place);
            return Err(set.wrong(number, &format!("{}: {reason}", step.operator)));
        }
        step.rule = rule;
    }
    match idle.iter().position(|idle| *idle) {
        None => Ok(()),
        Some(number) => {
            let named = set.rows[number].names().unwrap_or_default();
            let others = "it selects nothing of this model, or nothing that an earlier step did not select";
            Err(set.wrong(number, &format!("{named}: {others}")))
        }
    }
}

/// The layers that read something which no layer made.
fn first<T: Tensor>(steps: &[Step<T>], kinds: &[Kind]) -> Vec<bool> {
    let mut layered: HashSet<ValueId> = HashSet::new();
    let mut found = Vec::with_capacity(steps.len());
    for (step, kind) in steps.iter().zip(kinds) {
        let bare = step.inputs.iter().any(|operand| operand.depends && !layered.contains(&operand.value));
        if kind.is_layer() || !bare {
            layered.extend(&step.outputs);
        }
        found.push(kind.is_layer() && bare);
    }
    found
}

/// The layers whose result reaches the start on a way without another layer.
fn last<T: Tensor>(steps: &[Step<T>], kinds: &[Kind], starts: &[ValueId]) -> Vec<bool> {
    let mut open: HashSet<ValueId> = starts.iter().copied().collect();
    let mut found = vec![false; steps.len()];
    for (index, step) in steps.iter().enumerate().rev() {
        if !step.outputs.iter().any(|value| open.contains(value)) {
            continue;
        }
        if kinds[index].is_layer() {
            found[index] = true;
        } else {
            open.extend(step.inputs.iter().filter(|operand| operand.depends).map(|operand| operand.value));
        }
    }
    found
}
