//! What is added to the embedding of a token: where it stands, which segment it is in (rules §9).

use super::dependence::Dependence;
use crate::ops::Pass;
use crate::{Family, Function, Role, Step, Tape, Tensor};

/// Marks the sums that add constants to the embeddings of tokens. With `whole` the tokens take all of these.
pub(super) fn recognise<T: Tensor>(tape: &mut Tape<T>, of_value: &[Dependence], whole: bool) {
    let mut embedded = vec![false; tape.values.len()];
    for step in &mut tape.steps {
        let role = step.op.role(&step.inputs);
        let mut moving = step.inputs.iter().enumerate().filter(|(_, operand)| operand.depends).peekable();
        let first = moving.peek().map(|(input, _)| *input);
        let of_tokens = moving.all(|(_, operand)| embedded[operand.value.0]) && first.is_some();
        let sum = matches!(role, Role::Sum { .. });
        step.adds = sum && of_tokens && step.inputs.iter().any(|operand| !operand.depends);
        let keeps =
            sum || matches!(role, Role::Identity | Role::Reshape | Role::Function(Function::Scale(_)));
        let own = is_embedding(step, role, of_value);
        for output in step.outputs.iter().filter(|_| own || (keeps && of_tokens)) {
            embedded[output.0] = true;
        }
        let alone = step.inputs.iter().filter(|operand| operand.depends).count() == 1;
        if let (true, true, Some(operand)) = (whole && step.adds, alone, first) {
            step.op = Box::new(Pass { operand, role: Role::Identity });
            step.adds = false;
        }
    }
}

/// Whether a step looks rows of a constant table up by tokens.
fn is_embedding<T: Tensor>(step: &Step<T>, role: Role, of_value: &[Dependence]) -> bool {
    let tokens = step.inputs.iter().any(|operand| of_value[operand.value.0] == Dependence::Tokens);
    step.op.family() == Family::Embedding && role == Role::Other && tokens
}
