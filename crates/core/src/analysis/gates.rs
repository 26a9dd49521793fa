//! Decides which activation gates which weighted sum (rules §2 and "Gates").

use super::graph::{Consumers, producers, receivers};
use super::turns::{Moved, between, takes_back};
use crate::{Family, Function, Gate, Role, Tape, Tensor, Turn};
use std::collections::HashMap;

/// Attaches gates. The activation must be the only consumer. Dropout, identities and casts may stand between; movement may not.
pub(super) fn attach<T: Tensor>(tape: &mut Tape<T>, chosen: &HashMap<String, Option<Gate>>) {
    let (consumers, producers) = (Consumers::new(tape), producers(tape));
    for index in 0..tape.steps.len() {
        let step = &tape.steps[index];
        let (Role::Linear { .. } | Role::Convolution { .. }) = step.op.role(&step.inputs) else { continue };
        let after = activation_after(tape, &consumers, &producers, index);
        let gate = match chosen.get(&step.place.module.path) {
            Some(gate) => *gate,
            None => after.as_ref().and_then(|(function, _)| Gate::of(*function)),
        };
        let argument = after.and_then(|(_, argument)| argument).filter(|_| gate.is_some());
        // Between the layer and its activation the result may take another shape.
        let shape = step.outputs.first().map(|output| tape.meta(*output).shape.clone()).unwrap_or_default();
        let argument = argument.and_then(|argument| argument.reshape(&shape).ok());
        let step = &mut tape.steps[index];
        step.gate = gate;
        step.result = argument.or_else(|| step.result.take());
    }
}

/// The function that is the only consumer of a step's result, and its argument if that is known: as the step made it, and
/// not rounded to a lower precision than the rules compute in. Movement before the step, and the movement behind it that
/// takes it back, are part of the layer.
fn activation_after<T: Tensor>(
    tape: &Tape<T>,
    consumers: &Consumers,
    producers: &[Option<usize>],
    layer: usize,
) -> Option<(Function, Option<T>)> {
    let mut value = *tape.steps[layer].outputs.first()?;
    let mut moved = movements_before(tape, producers, layer).into_iter();
    let mut as_made = true;
    loop {
        let dtype = tape.meta(value).dtype;
        as_made &= dtype == dtype.compute();
        let reader = consumers.only(value)?;
        let step = &tape.steps[reader];
        match step.op.role(&step.inputs) {
            Role::Function(function) => {
                let argument = receivers(step).next().and_then(|operand| operand.data.clone());
                return Some((function, argument.filter(|_| as_made)));
            }
            Role::Identity => as_made &= step.op.turn().is_none_or(|turn| turn == Turn::Reshape),
            _ => {
                let back = between(tape, reader)?;
                let earlier = moved.find(|(turn, ..)| *turn != Turn::Border)?;
                if !takes_back(&back, &earlier) {
                    return None;
                }
                as_made = false;
            }
        }
        value = *step.outputs.first()?;
    }
}

/// How the operand of a layer was moved, the last movement first.
fn movements_before<'t, T: Tensor>(
    tape: &'t Tape<T>,
    producers: &[Option<usize>],
    layer: usize,
) -> Vec<Moved<'t>> {
    let before = |&step: &usize| producers[receivers(&tape.steps[step]).next()?.value.0];
    let Some(first) = before(&layer) else { return Vec::new() };
    std::iter::successors(Some(first), before).map_while(|step| between(tape, step)).collect()
}

/// Drops the arguments of activations, which only the gates read, unless rules may go by derivatives.
pub(super) fn release<T: Tensor>(tape: &mut Tape<T>) {
    if tape.reads.more() {
        return;
    }
    for step in &mut tape.steps {
        if let (Family::Pass, Role::Function(_)) = (step.op.family(), step.op.role(&step.inputs)) {
            step.inputs.iter_mut().for_each(|operand| operand.data = None);
        }
    }
}
