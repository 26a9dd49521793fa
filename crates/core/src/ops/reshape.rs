//! The same elements under another shape: view, reshape, flatten, squeeze, unsqueeze (rules §5).

use super::movement::moved;
use crate::{BacktraceOp, Context, Family, Operand, Relevance, Result, Role, Tensor, Turn};

/// Operand 0, of any shape, under the shape of the output: r = R under the shape of the operand.
#[derive(Debug, Clone, Copy)]
pub struct Reshape;

impl<T: Tensor> BacktraceOp<T> for Reshape {
    fn family(&self) -> Family {
        Family::Movement
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Reshape
    }

    fn turn(&self) -> Option<Turn> {
        Some(Turn::Reshape)
    }

    fn carries(&self, input: usize) -> bool {
        input == 0
    }

    fn movement(&self) -> Option<String> {
        Some(format!("{self:?}"))
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        moved(operands, arriving, context, |relevance, shape| {
            relevance.map_conserving(|channel| channel.reshape(shape))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::check_movement;

    #[test]
    fn relevance_takes_the_shape_of_the_operand() {
        for (from, to) in [(&[2, 3][..], &[6][..]), (&[1, 4], &[2, 1, 2]), (&[], &[1, 1])] {
            check_movement(&Reshape, &[from], &[], |x| vec![x[0].reshape(to).unwrap()]);
        }
    }
}
