//! Which activation gates which weighted sum (rules §2 and §9).

use super::graph::{Consumers, receivers};
use crate::{Family, Function, Gate, Role, Tape, Tensor, ValueId};
use std::collections::HashMap;

/// Attaches gates: the activation must be the only consumer; dropout, identity and casts may stand between,
/// movement may not.
pub(super) fn attach<T: Tensor>(tape: &mut Tape<T>, chosen: &HashMap<String, Option<Gate>>) {
    let consumers = Consumers::new(tape);
    for index in 0..tape.steps.len() {
        let step = &tape.steps[index];
        let (Role::Linear { .. } | Role::Convolution { .. }) = step.op.role(&step.inputs) else { continue };
        let Some(&output) = step.outputs.first() else { continue };
        let after = activation_after(tape, &consumers, output);
        let gate = match chosen.get(&step.place.module.path) {
            Some(gate) => *gate,
            None => after.as_ref().and_then(|(function, _)| Gate::of(*function)),
        };
        let step = &mut tape.steps[index];
        step.gate = gate;
        step.result = after.and_then(|(_, argument)| argument).filter(|_| gate.is_some());
    }
}

/// The function that a value goes to and nothing else, and what it was applied to: if known, and not if a value between
/// was of lower precision than the rules compute in.
fn activation_after<T: Tensor>(
    tape: &Tape<T>,
    consumers: &Consumers,
    mut value: ValueId,
) -> Option<(Function, Option<T>)> {
    let mut exact = true;
    loop {
        let dtype = tape.meta(value).dtype;
        exact &= dtype == dtype.compute();
        let step = &tape.steps[consumers.only(value)?];
        match step.op.role(&step.inputs) {
            Role::Function(function) => {
                let argument = receivers(step).next().and_then(|operand| operand.data.clone());
                return Some((function, argument.filter(|_| exact)));
            }
            Role::Identity => value = *step.outputs.first()?,
            _ => return None,
        }
    }
}

/// What activations were applied to is of use to the gates alone.
pub(super) fn release<T: Tensor>(tape: &mut Tape<T>) {
    for step in &mut tape.steps {
        if let (Family::Pass, Role::Function(_)) = (step.op.family(), step.op.role(&step.inputs)) {
            step.inputs.iter_mut().for_each(|operand| operand.data = None);
        }
    }
}
