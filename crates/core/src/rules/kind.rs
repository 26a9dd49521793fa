//! The kinds of step that a rule set tells apart.

use crate::{BacktraceOp, Family, Function, Operand, Role, Step, Tensor};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a step computes, as far as rules differ by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// Wx + b with constant W: a linear layer.
    Linear,
    /// A convolution with a constant kernel, transposed or not.
    Convolution,
    /// Sums and differences of values.
    Sum,
    /// Other weighted sums: averages, reductions, interpolations, fixed maps.
    Average,
    /// A matrix product whose two factors depend on the input.
    MatrixProduct,
    /// Attention in one operator.
    Attention,
    /// An element-wise product or quotient.
    Product,
    /// Softmax.
    Softmax,
    /// A norm.
    Norm,
    /// A function of each element. A row for these also selects rectifiers.
    Activation,
    /// max(x, 0), the rectified linear unit.
    Rectifier,
    /// The largest or smallest element takes it.
    Winner,
    /// Rows looked up by tokens.
    Embedding,
    /// A recurrent layer.
    Recurrent,
    /// Elements that move, or that pass unchanged.
    Movement,
    /// What numbers decide, and what carries nothing.
    Other,
}

impl Kind {
    /// The kinds.
    pub const ALL: [Self; 16] = [
        Self::Linear,
        Self::Convolution,
        Self::Sum,
        Self::Average,
        Self::MatrixProduct,
        Self::Attention,
        Self::Product,
        Self::Softmax,
        Self::Norm,
        Self::Activation,
        Self::Rectifier,
        Self::Winner,
        Self::Embedding,
        Self::Recurrent,
        Self::Movement,
        Self::Other,
    ];

    /// The kind of a function.
    pub fn of_function(function: Function) -> Self {
        match function {
            Function::Softmax => Self::Softmax,
            Function::Rectifier => Self::Rectifier,
            _ => Self::Activation,
        }
    }

    /// The kind of an operator on its operands.
    pub fn of<T: Tensor>(op: &dyn BacktraceOp<T>, operands: &[Operand<T>]) -> Self {
        match (op.family(), op.role(operands)) {
            _ if op.detaches() => Self::Activation,
            (_, Role::Recurrent) => Self::Recurrent,
            (Family::WeightedSum, _) if multiplied(op, operands) => Self::MatrixProduct,
            (Family::WeightedSum, Role::Linear { .. }) => Self::Linear,
            (Family::WeightedSum, Role::Convolution { .. }) => Self::Convolution,
            (Family::WeightedSum, Role::Sum { .. }) => Self::Sum,
            (Family::WeightedSum, _) => Self::Average,
            (Family::Product, Role::Attention) => Self::Attention,
            (Family::Product, _) => Self::Product,
            (Family::Pass, Role::Function(function)) => Self::of_function(function),
            (Family::Pass, Role::Norm) => Self::Norm,
            (Family::Pass, Role::Identity) | (Family::Movement, _) | (Family::Embedding, Role::Movement) => {
                Self::Movement
            }
            (Family::Pass, _) => Self::Activation,
            (Family::Winner, _) => Self::Winner,
            (Family::Embedding, _) => Self::Embedding,
            _ => Self::Other,
        }
    }

    /// The kind of a step of a prepared tape. The steps of a written-out norm are norms.
    pub(crate) fn of_step<T: Tensor>(step: &Step<T>) -> Self {
        match (step.op.family(), step.op.role(&step.inputs)) {
            (Family::Pass, Role::Other) if step.written.is_some() => Self::Norm,
            _ => Self::of(&*step.op, &step.inputs),
        }
    }

    /// Whether steps of this kind may take different rules. What moves, and what carries nothing, has one way.
    pub(super) fn has_rules(self) -> bool {
        !matches!(self, Self::Movement | Self::Other)
    }

    /// Whether a row for steps of the kind `named` selects a step of this kind.
    pub(super) fn is(self, named: Self) -> bool {
        self == named || (self == Self::Rectifier && named == Self::Activation)
    }

    /// Whether it is a layer: a weighted sum whose weights are learned.
    pub fn is_layer(self) -> bool {
        matches!(self, Self::Linear | Self::Convolution)
    }

    /// Whether its rule shares R among the terms of a sum. Those of an average are known up to its divisor, which cancels.
    pub fn is_sum(self) -> bool {
        matches!(self, Self::Linear | Self::Convolution | Self::Sum | Self::Average)
    }
}

/// Whether it sums products of two factors that both depend on the input.
fn multiplied<T: Tensor>(op: &dyn BacktraceOp<T>, operands: &[Operand<T>]) -> bool {
    let factor = |input: usize| op.multiplies(input) && operands.get(input).is_some_and(|x| x.depends);
    factor(0) && factor(1)
}

/// The name that rule sets write.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
