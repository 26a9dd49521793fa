//! Which values depend on an explained input (rules, "What depends"). The others are constants and receive nothing.

use crate::ops::TokenArithmetic;
use crate::{DType, Family, Role, Tape, Tensor};

/// How a value depends on the explained inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dependence {
    /// Not at all.
    Constant,
    /// Computed from inputs, but carrying no relevance: masks and positions made from tokens, shapes.
    Derived,
    /// Computed from comparisons of numbers.
    Decided,
    /// A name that comes from token inputs, mostly an integer: it carries relevance from embeddings only.
    Tokens,
    /// As a number.
    Numbers,
}

impl Dependence {
    /// The dependence of an input on itself.
    fn of(dtype: DType, numeric: bool) -> Self {
        match dtype {
            _ if numeric => Self::Numbers,
            DType::Int => Self::Tokens,
            dtype if dtype.is_float() => Self::Numbers,
            _ => Self::Derived,
        }
    }

    /// Whether it carries relevance.
    pub(super) fn carries(self) -> bool {
        self >= Self::Decided
    }

    /// The dependence of a result on an operand that only says how, where or whether.
    fn unread(self, family: Family) -> Self {
        match self {
            Self::Decided | Self::Numbers if family != Family::Constant => Self::Decided,
            other => other.min(Self::Derived),
        }
    }
}

/// Marks every operand; returns how every value depends.
pub(super) fn mark<T: Tensor>(tape: &mut Tape<T>) -> Vec<Dependence> {
    let mut of_value = vec![Dependence::Constant; tape.values.len()];
    for &input in &tape.inputs {
        of_value[input.0] = Dependence::of(tape.values[input.0].dtype, tape.numeric_inputs.contains(&input));
    }
    for step in &mut tape.steps {
        let family = step.op.family();
        let mut operands = Operands { strongest: Dependence::Constant, masked: false, integers: false };
        for (input, operand) in step.inputs.iter_mut().enumerate() {
            let dependence = of_value[operand.value.0];
            operand.depends = dependence.carries();
            operands.masked |= matches!(dependence, Dependence::Derived | Dependence::Decided);
            if step.op.carries(input) {
                operands.strongest = operands.strongest.max(dependence);
                operands.integers |= operand.depends && operand.meta.dtype == DType::Int;
            } else {
                operands.strongest = operands.strongest.max(dependence.unread(family));
            }
        }
        for value in &step.chosen_by {
            operands.strongest = operands.strongest.max(of_value[value.0].unread(family));
        }
        let role = step.op.role(&step.inputs);
        for &output in &step.outputs {
            let made = operands.make(family, role, tape.values[output.0].dtype);
            of_value[output.0] = of_value[output.0].max(made);
        }
    }
    settle(tape, &of_value);
    of_value
}

/// Makes token operands constants, except in embeddings and in steps that hand tokens on: a mask made from tokens is a mask,
/// even if it meets a float without a cast. A decision that is a factor of a number becomes a constant too.
fn settle<T: Tensor>(tape: &mut Tape<T>, of_value: &[Dependence]) {
    for step in &mut tape.steps {
        let made = step.outputs.iter().map(|output| of_value[output.0]).max().unwrap_or(Dependence::Constant);
        let embeds = step.op.family() == Family::Embedding;
        if made == Dependence::Tokens && computes(step.op.role(&step.inputs)) {
            step.op = Box::new(TokenArithmetic);
        }
        for (input, operand) in step.inputs.iter_mut().enumerate() {
            operand.depends = match of_value[operand.value.0] {
                Dependence::Constant | Dependence::Derived => false,
                Dependence::Decided => {
                    made == Dependence::Decided || (made == Dependence::Numbers && !step.op.multiplies(input))
                }
                Dependence::Tokens => made == Dependence::Tokens || (embeds && made == Dependence::Numbers),
                Dependence::Numbers => made.carries(),
            };
        }
    }
}

/// Whether an operator computes with each element. Tokens are names, and computing with them makes other names.
pub(super) fn computes(role: Role) -> bool {
    matches!(role, Role::Sum { .. } | Role::Product | Role::Discrete)
}

/// What matters about a step's operands.
struct Operands {
    /// The strongest dependence among them.
    strongest: Dependence,
    /// Whether one of them is only a mask, a position or a decision.
    masked: bool,
    /// Whether integers are among those that carry relevance.
    integers: bool,
}

impl Operands {
    /// How an output depends.
    fn make(&self, family: Family, role: Role, output: DType) -> Dependence {
        let hands_on = matches!(family, Family::Movement | Family::Pass | Family::Unruled);
        let picks = matches!(family, Family::Movement | Family::Winner);
        let keeps = family == Family::Movement || matches!(role, Role::Movement | Role::Identity);
        match (self.strongest, output) {
            (Dependence::Constant | Dependence::Derived | Dependence::Decided, _) => self.strongest,
            (Dependence::Tokens, _) if family == Family::Decision => Dependence::Derived,
            (Dependence::Tokens, DType::Bool) => Dependence::Derived,
            (Dependence::Numbers, DType::Bool) => Dependence::Decided,
            (Dependence::Numbers, _) if family == Family::Decision => Dependence::Decided,
            // The place of a picked number, returned beside it.
            (Dependence::Numbers, DType::Int) if picks && !self.integers => Dependence::Decided,
            // This includes types that the rules do not know, such as complex numbers: the result of an operator without a rule must
            // not pass for a constant.
            (Dependence::Numbers, _) => Dependence::Numbers,
            // This includes tokens cast to a floating-point type, which are not numbers yet.
            (Dependence::Tokens, _) if keeps => Dependence::Tokens,
            (Dependence::Tokens, _) if family == Family::Embedding => Dependence::Numbers,
            // A token plus a mask stays a token; a token times a mask is a mask or a position.
            (Dependence::Tokens, DType::Int) if hands_on || matches!(role, Role::Sum { .. }) => {
                Dependence::Tokens
            }
            (Dependence::Tokens, DType::Int) if computes(role) && !self.masked => Dependence::Tokens,
            (Dependence::Tokens, _) => Dependence::Derived,
        }
    }
}
