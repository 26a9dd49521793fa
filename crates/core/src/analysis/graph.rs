//! The producer and the consumers of each value on a tape.

use crate::{Operand, Step, Tape, Tensor, ValueId};

/// The step that made each value.
pub(super) fn producers<T: Tensor>(tape: &Tape<T>) -> Vec<Option<usize>> {
    let mut producers = vec![None; tape.values.len()];
    for (index, step) in tape.steps.iter().enumerate() {
        for output in &step.outputs {
            producers[output.0] = Some(index);
        }
    }
    producers
}

/// For each value, how often relevance can flow back to it from steps that the model's outputs need. For a value that leaves
/// the model, the outside is one more consumer (rules, "Gates").
pub(super) struct Consumers {
    counts: Vec<usize>,
    only: Vec<Option<usize>>,
}

impl Consumers {
    pub(super) fn new<T: Tensor>(tape: &Tape<T>) -> Self {
        let mut counts = vec![0; tape.values.len()];
        let mut only = vec![None; tape.values.len()];
        for output in &tape.outputs {
            counts[output.0] += 1;
        }
        for (index, step) in tape.steps.iter().enumerate().rev() {
            if !step.outputs.iter().any(|output| counts[output.0] > 0) {
                continue;
            }
            for operand in receivers(step) {
                counts[operand.value.0] += 1;
                only[operand.value.0] = Some(index);
            }
        }
        Self { counts, only }
    }

    /// The step that is the value's only consumer.
    pub(super) fn only(&self, value: ValueId) -> Option<usize> {
        self.only[value.0].filter(|_| self.counts[value.0] == 1)
    }
}

/// The operands of a step to which relevance flows back.
pub(super) fn receivers<T: Tensor>(step: &Step<T>) -> impl Iterator<Item = &Operand<T>> {
    step.inputs
        .iter()
        .enumerate()
        .filter(|(index, operand)| operand.depends && step.op.carries(*index))
        .map(|(_, operand)| operand)
}
