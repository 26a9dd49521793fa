//! Gives each step its rule.

use super::finding::Findings;
use super::row::unfit;
use super::{Bounded, Kind, Others, Row, Rule, RuleSet};
use crate::derivative::adjoins;
use crate::ops::{SoftmaxExpansion, Unruled};
use crate::{Error, Family, Operand, Result, Role, Step, Tensor, ValueId};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;

/// Gives each step of a prepared tape the rule that the set has for it. The walk begins at `starts`.
pub(crate) fn assign<T: Tensor>(steps: &mut [Step<T>], set: &RuleSet, starts: &[ValueId]) -> Result<()> {
    set.check_complete()?;
    let mut reached = vec![false; steps.len()];
    if !set.is_backtrace() {
        let ends = Ends::of(steps, starts);
        let mut idle: Vec<bool> = set.rows.iter().map(Row::names_parts).collect();
        let mut boxed = Vec::new();
        let asks = |row: &Row| row.finding.is_some() || row.rule == Rule::Signal;
        let found =
            if set.rows.iter().any(asks) { Findings::of(steps, &ends.kinds) } else { Findings::default() };
        let ruled = |index: &usize| ends.reached[*index] && ends.kinds[*index] != Kind::Movement;
        for (index, step) in steps.iter_mut().enumerate().filter(|(index, _)| ruled(index)) {
            let (kind, ends) = (ends.kinds[index], [ends.first[index], ends.last[index]]);
            if let Some(number) = set
                .rows
                .iter()
                .position(|row| row.selects(step, kind, ends, |finding| found.is(index, finding)))
            {
                idle[number] = false;
                let rule = &set.rows[number].rule;
                if !rule.serves(kind) {
                    let reason = format!("{} ({})", unfit(rule, kind), step.place);
                    return Err(set.wrong(number, &format!("{}: {reason}", step.operator)));
                }
                boxed.extend(
                    matches!(rule, Rule::Box(bounds) if bounds.of == Bounded::Input)
                        .then_some((number, index)),
                );
                step.rule = match (rule, found.signal(index)) {
                    (Rule::Signal, Some(0)) => Rule::First(PRODUCT_EPSILON),
                    (Rule::Signal, Some(_)) => Rule::Second(PRODUCT_EPSILON),
                    (Rule::Signal, None) => {
                        let reason = "neither factor is known to scale the other, so there is no signal; select gates or routers (finding)";
                        return Err(
                            set.wrong(number, &format!("{} ({}): {reason}", step.operator, step.place))
                        );
                    }
                    (rule, _) => rule.clone(),
                };
            } else if set.others == Others::Refused && kind.has_rules() {
                let rules: Vec<String> = Rule::of(kind).map(|rule| rule.to_string()).collect();
                return Err(Error::Unsupported {
                    operator: step.operator.clone(),
                    message: format!(
                        "the rule set {} has no rule for steps of the kind {kind}; a set of your own may give it {}",
                        set.name,
                        rules.join(", ")
                    ),
                    place: Box::new(step.place.clone()),
                });
            }
        }
        if let Some(number) = idle.iter().position(|idle| *idle) {
            return Err(set.wrong(number, &set.rows[number].idle(steps)));
        }
        for (number, index) in boxed {
            let list = matches!(&steps[index].rule, Rule::Box(bounds) if bounds.has_lists());
            moved_input(steps, index, list).map_err(|reason| set.wrong(number, &reason))?;
        }
        reached = ends.reached;
    }
    settle(steps, &reached);
    Ok(())
}

/// The ε of products of elements, which do not read it.
const PRODUCT_EPSILON: f64 = 1e-6;

/// Checks that a step's operand is an input, moved at most, so that bounds of inputs are those of the operand. A movement that may
/// exchange channels takes no list of bounds.
fn moved_input<T: Tensor>(steps: &[Step<T>], index: usize, list: bool) -> Result<(), String> {
    let layer = &steps[index];
    let mut open: Vec<ValueId> = moving(layer).collect();
    // Each value is made before it is read.
    for step in steps[..index].iter().rev() {
        if !step.outputs.iter().any(|value| open.contains(value)) {
            continue;
        }
        let moves = Kind::of_step(step) == Kind::Movement
            && (!list || step.op.turn().is_some() || step.op.role(&step.inputs) == Role::Identity);
        if !moves {
            return Err(format!(
                "the bounds of the input are not those of {} ({}), which reads what {} ({}) made of it. Give the bounds of what \
                 the layer reads, as low and high without of = \"input\": rule = {{ box = {{ low = …, high = … }} }} \
                 (`dlbacktrace rules NAME` prints a set to edit)",
                layer.operator, layer.place, step.operator, step.place
            ));
        }
        open.extend(moving(step));
    }
    Ok(())
}

/// Lets each rule act on what it goes by: the step as it was recorded, or what it was found to be part of. Only DLBacktrace's own
/// rules walk several steps together.
fn settle<T: Tensor>(steps: &mut [Step<T>], reached: &[bool]) {
    let mut follows_own = false;
    for step in steps.iter_mut().rev() {
        let own = step.rule == Rule::Backtrace;
        step.joined &= own && follows_own;
        follows_own = own;
        match (step.rule.clone(), step.written.take()) {
            // A norm with fixed statistics is the sums in it; its products and scales pass.
            (Rule::Epsilon(_), Some(written)) if Kind::of(&*written.op, &written.inputs) == Kind::Sum => {
                (step.op, step.inputs) = (written.op, written.inputs);
            }
            (Rule::Epsilon(_), Some(_)) if step.op.family() == Family::Pass => step.rule = Rule::Pass,
            (Rule::Gradient, Some(written)) => (step.op, step.inputs) = (written.op, written.inputs),
            (Rule::Taylor, Some(written)) => {
                if let Ok([numerator, denominator]) = <[Operand<T>; 2]>::try_from(written.inputs) {
                    step.op = Box::new(SoftmaxExpansion { numerator, denominator });
                }
            }
            _ => {}
        }
    }
    unite(steps, reached);
}

/// A call that several steps carry out has one derivative. If one of the steps needs it, and all go by gradients, the last step
/// stands for all of them.
fn unite<T: Tensor>(steps: &mut [Step<T>], reached: &[bool]) {
    let at: BTreeMap<usize, usize> =
        steps.iter().enumerate().map(|(index, step)| (step.place.step, index)).collect();
    let mut calls: Vec<RangeInclusive<usize>> =
        steps.iter().filter_map(|step| Some(step.call.as_ref()?.first..=step.place.step)).collect();
    // Of calls within calls, the outer ones first.
    calls.sort_by_key(|call| (*call.start(), Reverse(*call.end())));
    let mut whole = HashSet::new();
    for call in calls.into_iter().filter(|call| call.start() < call.end()) {
        let parts: Vec<usize> = at.range(call).map(|(_, &index)| index).collect();
        if parts.iter().any(|part| whole.contains(part)) {
            continue;
        }
        let ruled = |index: &&usize| reached[**index] && Kind::of_step(&steps[**index]) != Kind::Movement;
        let by_gradients = parts.iter().filter(ruled).all(|&index| steps[index].rule == Rule::Gradient);
        // Where a token's row is not known, it has no derivative.
        let needs = |step: &Step<T>| {
            !adjoins(step) || (Kind::of_step(step) == Kind::Embedding && step.result.is_none())
        };
        let needed = parts.iter().filter(ruled).any(|&index| needs(&steps[index]));
        let Some(&last) = parts.last().filter(|&&last| by_gradients && needed && steps[last].call.is_some())
        else {
            continue;
        };
        whole.extend(parts.iter().copied());
        let made: HashSet<ValueId> =
            parts.iter().flat_map(|&index| std::mem::take(&mut steps[index].outputs)).collect();
        let mut inputs: Vec<Operand<T>> = Vec::new();
        for operand in parts.iter().flat_map(|&index| std::mem::take(&mut steps[index].inputs)) {
            match inputs.iter_mut().find(|known| known.value == operand.value) {
                Some(known) => known.depends |= operand.depends,
                None if made.contains(&operand.value) => {}
                None => inputs.push(Operand { data: None, ..operand }),
            }
        }
        let step = &mut steps[last];
        step.outputs = step.call.as_ref().map(|call| call.outputs.clone()).unwrap_or_default();
        (step.op, step.inputs, step.rule) = (Box::new(Unruled::default()), inputs, Rule::Gradient);
    }
}

/// Which steps the walk can reach, and which of them are at an end of the model.
struct Ends {
    kinds: Vec<Kind>,
    reached: Vec<bool>,
    first: Vec<bool>,
    last: Vec<bool>,
}

impl Ends {
    fn of<T: Tensor>(steps: &[Step<T>], starts: &[ValueId]) -> Self {
        let kinds: Vec<Kind> = steps.iter().map(Kind::of_step).collect();
        let reached = backward(steps, starts, |_| false);
        let last = backward(steps, starts, |index| kinds[index].is_layer());
        let first = first(steps, &kinds);
        Self { kinds, reached, first, last }
    }
}

/// The steps to which some way leads back from the start that passes no step at which it `ends`.
fn backward<T: Tensor>(steps: &[Step<T>], starts: &[ValueId], ends: impl Fn(usize) -> bool) -> Vec<bool> {
    let mut open: HashSet<ValueId> = starts.iter().copied().collect();
    let mut found = vec![false; steps.len()];
    for (index, step) in steps.iter().enumerate().rev() {
        found[index] = step.outputs.iter().any(|value| open.contains(value));
        if found[index] && !ends(index) {
            open.extend(moving(step));
        }
    }
    found
}

/// The steps to which some way leads from the inputs that passes no layer.
fn first<T: Tensor>(steps: &[Step<T>], kinds: &[Kind]) -> Vec<bool> {
    let mut layered: HashSet<ValueId> = HashSet::new();
    let mut found = Vec::with_capacity(steps.len());
    for (step, kind) in steps.iter().zip(kinds) {
        let bare = moving(step).any(|value| !layered.contains(&value));
        if kind.is_layer() || !bare {
            layered.extend(&step.outputs);
        }
        found.push(bare);
    }
    found
}

/// The operands to which relevance can flow.
fn moving<T: Tensor>(step: &Step<T>) -> impl Iterator<Item = ValueId> + '_ {
    let written = step.written.iter().flat_map(|written| &written.inputs);
    step.inputs.iter().chain(written).filter(|operand| operand.depends).map(|operand| operand.value)
}
