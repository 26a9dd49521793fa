//! Which values depend on an explained input (rules §9): the others are constants and receive nothing.

use crate::ops::TokenArithmetic;
use crate::{DType, Family, Role, Tape, Tensor};

/// How a value depends on the explained inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Dependence {
    /// Not at all.
    Constant,
    /// Integers that come from token inputs: they carry relevance from embeddings only.
    Tokens,
    /// As a number.
    Numbers,
}

/// Marks every operand; says of every value whether it depends.
pub(super) fn mark<T: Tensor>(tape: &mut Tape<T>) -> Vec<bool> {
    let mut of_value = vec![Dependence::Constant; tape.values.len()];
    for &input in &tape.inputs {
        let dtype = tape.values[input.0].dtype;
        of_value[input.0] = match dtype {
            _ if tape.numeric_inputs.contains(&input) => Dependence::Numbers,
            DType::Int => Dependence::Tokens,
            dtype if dtype.is_float() => Dependence::Numbers,
            _ => Dependence::Constant,
        };
    }
    // Constants among them: masks and positions are made from tokens.
    let mut from_inputs: Vec<bool> =
        of_value.iter().map(|dependence| *dependence != Dependence::Constant).collect();
    for step in &mut tape.steps {
        let mut strongest = Dependence::Constant;
        let mut known = true;
        for (index, operand) in step.inputs.iter_mut().enumerate() {
            let dependence = of_value[operand.value.0];
            operand.depends = dependence != Dependence::Constant;
            known &= operand.depends || !from_inputs[operand.value.0];
            if step.op.carries(index) {
                strongest = strongest.max(dependence);
            }
        }
        let made_from_inputs = step.inputs.iter().any(|operand| from_inputs[operand.value.0]);
        let role = step.op.role(&step.inputs);
        let family = step.op.family();
        for &output in &step.outputs {
            let dtype = tape.values[output.0].dtype;
            let made = match (strongest, dtype) {
                // With what is no more than a mask or a position of tokens, they make another one of these.
                (Dependence::Tokens, DType::Int) if is_arithmetic(role) && known => Dependence::Tokens,
                _ => outcome(strongest, family, role, dtype),
            };
            of_value[output.0] = of_value[output.0].max(made);
            from_inputs[output.0] |= made_from_inputs;
        }
    }
    settle(tape, &of_value);
    of_value.into_iter().map(|dependence| dependence != Dependence::Constant).collect()
}

/// Token operands of anything but routing and embeddings are constants: a mask made from tokens is a mask, also
/// where a float meets it without a cast.
fn settle<T: Tensor>(tape: &mut Tape<T>, of_value: &[Dependence]) {
    for step in &mut tape.steps {
        let made = step.outputs.iter().map(|output| of_value[output.0]).max().unwrap_or(Dependence::Constant);
        let embeds = step.op.family() == Family::Embedding;
        if made == Dependence::Tokens && is_arithmetic(step.op.role(&step.inputs)) {
            step.op = Box::new(TokenArithmetic);
        }
        for operand in &mut step.inputs {
            operand.depends = match of_value[operand.value.0] {
                Dependence::Constant => false,
                Dependence::Tokens => made == Dependence::Tokens || (embeds && made == Dependence::Numbers),
                Dependence::Numbers => made != Dependence::Constant,
            };
        }
    }
}

/// Whether an operator computes with each element: with tokens, which are names, that makes other names.
fn is_arithmetic(role: Role) -> bool {
    matches!(role, Role::Sum { .. } | Role::Product | Role::Discrete)
}

fn outcome(inputs: Dependence, family: Family, role: Role, output: DType) -> Dependence {
    let routes = matches!(family, Family::Movement | Family::Pass | Family::Unruled)
        || matches!(role, Role::Sum { .. });
    match (inputs, output) {
        (Dependence::Constant, _) | (_, DType::Bool) => Dependence::Constant,
        (Dependence::Numbers, DType::Int) if routes => Dependence::Numbers,
        // A type the rules do not know, such as complex numbers: what comes out of an operator without a rule
        // must not pass for a constant.
        (Dependence::Numbers, DType::Other) => Dependence::Numbers,
        (Dependence::Numbers, dtype) if dtype.is_float() => Dependence::Numbers,
        (Dependence::Tokens, DType::Int) if routes => Dependence::Tokens,
        (Dependence::Tokens, dtype) if dtype.is_float() && family == Family::Embedding => Dependence::Numbers,
        _ => Dependence::Constant,
    }
}
