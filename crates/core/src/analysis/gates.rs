//! Which activation gates which weighted sum (rules §2 and §9).

use super::graph::Consumers;
use crate::{Family, Gate, Role, Tape, Tensor, ValueId};
use std::collections::HashMap;

/// Attaches gates: the activation must be the only consumer; dropout, identity and casts may stand between,
/// movement may not.
pub(super) fn attach<T: Tensor>(tape: &mut Tape<T>, chosen: &HashMap<String, Option<Gate>>) {
    let consumers = Consumers::new(tape);
    for index in 0..tape.steps.len() {
        let step = &tape.steps[index];
        let (Role::Linear { .. } | Role::Convolution { .. }) = step.op.role(&step.inputs) else { continue };
        let Some(&output) = step.outputs.first() else { continue };
        let gate = match chosen.get(&step.place.module.path) {
            Some(gate) => *gate,
            None => activation_after(tape, &consumers, output),
        };
        if gate.is_some() {
            tape.steps[index].result = read_of(tape, &consumers, output);
        }
        tape.steps[index].gate = gate;
    }
}

/// A value as its only consumer read it, unless that was in lower precision than the rules compute in.
fn read_of<T: Tensor>(tape: &Tape<T>, consumers: &Consumers, value: ValueId) -> Option<T> {
    let dtype = tape.meta(value).dtype;
    let reader = consumers.only(value).filter(|_| dtype.compute() == dtype)?;
    tape.steps[reader].inputs.iter().find(|operand| operand.value == value)?.data.clone()
}

/// What activations were applied to is of use to the gates alone.
pub(super) fn release<T: Tensor>(tape: &mut Tape<T>) {
    for step in &mut tape.steps {
        if let (Family::Pass, Role::Function(_)) = (step.op.family(), step.op.role(&step.inputs)) {
            step.inputs.iter_mut().for_each(|operand| operand.data = None);
        }
    }
}

fn activation_after<T: Tensor>(tape: &Tape<T>, consumers: &Consumers, mut value: ValueId) -> Option<Gate> {
    loop {
        let step = &tape.steps[consumers.only(value)?];
        match step.op.role(&step.inputs) {
            Role::Function(function) => return Gate::of(function),
            Role::Identity => value = *step.outputs.first()?,
            _ => return None,
        }
    }
}
