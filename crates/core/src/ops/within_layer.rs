//! Movement that is part of a layer (rules, "Gates").

use super::Reshape;
use crate::{BacktraceOp, Context, Family, Operand, Relevance, Result, Role, Tensor, Turn};

/// A movement between a weighted sum and its bias. What follows the bias also follows the sum.
#[derive(Debug)]
pub(crate) struct WithinLayer<T> {
    movement: Box<dyn BacktraceOp<T>>,
}

impl<T: Tensor> WithinLayer<T> {
    /// Makes a step's movement part of the layer before it.
    pub(crate) fn take(op: &mut Box<dyn BacktraceOp<T>>) {
        let movement = std::mem::replace(op, Box::new(Reshape));
        *op = Box::new(Self { movement });
    }
}

impl<T: Tensor> BacktraceOp<T> for WithinLayer<T> {
    fn family(&self) -> Family {
        self.movement.family()
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Identity
    }

    fn turn(&self) -> Option<Turn> {
        self.movement.turn()
    }

    fn carries(&self, input: usize) -> bool {
        self.movement.carries(input)
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        self.movement.backtrace(operands, arriving, context)
    }
}
