//! Finds steps that map row i to row i, so that the walk can take them together, a block of rows at a time.

use super::graph::{Consumers, producers};
use crate::{Rows, Step, Tape, Tensor};

/// Joins the steps that make the left factor of a matrix product, as far back as rows stay apart: attention from its result to
/// its scores. The steps of such a run are placed one right after the other. Nothing between them minds, because each result
/// is read by the next step only.
pub(super) fn join<T: Tensor>(tape: &mut Tape<T>) {
    let (consumers, producers) = (Consumers::new(tape), producers(tape));
    let mut before = vec![None; tape.steps.len()];
    for last in (0..tape.steps.len()).rev() {
        if tape.steps[last].joined || rows(&tape.steps[last], 0) != Some(Rows::Left) {
            continue;
        }
        let mut reader = last;
        while let Some(step) = step_before(tape, &consumers, &producers, reader) {
            before[reader] = Some(step);
            tape.steps[step].joined = true;
            reader = step;
            if rows(&tape.steps[step], 0) == Some(Rows::Left) {
                break;
            }
        }
    }
    let mut order = Vec::with_capacity(tape.steps.len());
    for last in 0..tape.steps.len() {
        if !tape.steps[last].joined {
            let run: Vec<usize> = std::iter::successors(Some(last), |&step| before[step]).collect();
            order.extend(run.into_iter().rev());
        }
    }
    let mut steps: Vec<Option<Step<T>>> = tape.steps.drain(..).map(Some).collect();
    tape.steps.extend(order.into_iter().filter_map(|step| steps[step].take()));
}

/// The step that made a table for this reader only.
fn step_before<T: Tensor>(
    tape: &Tape<T>,
    consumers: &Consumers,
    producers: &[Option<usize>],
    reader: usize,
) -> Option<usize> {
    let step = &tape.steps[reader];
    let &[result] = step.outputs.as_slice() else { return None };
    let makes = |(input, operand): (usize, &crate::Operand<T>)| {
        let kept = match rows(step, input)? {
            Rows::Same => operand.meta.shape == tape.meta(result).shape,
            Rows::Left => true,
            Rows::Right { .. } => false,
        };
        let producer = producers[operand.value.0]?;
        let made = &tape.steps[producer];
        let alone = consumers.only(operand.value) == Some(reader) && made.outputs.len() == 1;
        (kept && alone && rows(made, 0).is_some()).then_some(producer)
    };
    step.inputs.iter().enumerate().find_map(makes)
}

fn rows<T: Tensor>(step: &Step<T>, input: usize) -> Option<Rows> {
    step.op.rows(&step.inputs, input)
}
