//! Repetition by broadcasting: expand, expand_as, broadcast_to (rules §5).

use super::movement::moved;
use crate::{BacktraceOp, Context, Family, Operand, Relevance, Result, Role, Tensor};

/// Operand 0 broadcast to the shape of the output: r = R summed over the copies.
#[derive(Debug, Clone, Copy)]
pub struct Expand;

impl<T: Tensor> BacktraceOp<T> for Expand {
    fn family(&self) -> Family {
        Family::Movement
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Movement
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
        moved(operands, arriving, context, |relevance, shape| relevance.map(|channel| channel.sum_to(shape)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::check_movement;

    #[test]
    fn copies_add_up() {
        for (from, to) in
            [(&[2, 1][..], &[2, 3][..]), (&[3], &[2, 2, 3]), (&[], &[2]), (&[1, 2, 1], &[4, 2, 3])]
        {
            check_movement(&Expand, &[from], &[], |x| vec![x[0].broadcast_to(to).unwrap()]);
        }
    }
}
