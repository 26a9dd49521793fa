//! Constants added to the embedding of a token, such as its position or segment (rules, "What is added to an embedding").

use super::dependence::Dependence;
use crate::ops::Pass;
use crate::{BacktraceOp, Context, Family, Function, Operand, Relevance, Result, Role, Step, Tape, Tensor};

/// Marks the sums that add constants to the embeddings of tokens. With `whole`, the tokens take the constants' shares.
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
        if let (true, Some(operand)) = (whole && step.adds, first) {
            if step.inputs.iter().filter(|operand| operand.depends).count() == 1 {
                step.op = Box::new(Pass { operand, role: Role::Identity });
            } else {
                step.op =
                    Box::new(OfMoving { sum: std::mem::replace(&mut step.op, Box::new(Pass::identity())) });
            }
            step.adds = false;
        }
    }
}

/// A sum whose constant operands take nothing.
#[derive(Debug)]
struct OfMoving<T: Tensor> {
    sum: Box<dyn BacktraceOp<T>>,
}

impl<T: Tensor> BacktraceOp<T> for OfMoving<T> {
    fn family(&self) -> Family {
        self.sum.family()
    }

    fn role(&self, operands: &[Operand<T>]) -> Role {
        self.sum.role(operands)
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let counted = operands.iter().map(|operand| match operand.depends {
            true => Ok(operand.clone()),
            false => Ok(operand.holding(operand.data()?.zeros(&operand.meta.shape)?)),
        });
        self.sum.backtrace(&counted.collect::<Result<Vec<_>>>()?, arriving, context)
    }
}

/// Whether a step looks up rows of a constant table by tokens.
fn is_embedding<T: Tensor>(step: &Step<T>, role: Role, of_value: &[Dependence]) -> bool {
    let tokens = step.inputs.iter().any(|operand| of_value[operand.value.0] == Dependence::Tokens);
    step.op.family() == Family::Embedding && role == Role::Other && tokens
}
