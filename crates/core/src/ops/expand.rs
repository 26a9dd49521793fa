//! Repetition by broadcasting: expand, expand_as, broadcast_to (rules §5).

use super::pieces::movement::{Movement, moved};
use crate::{Context, Operand, Relevance, Result, Tensor};

/// Operand 0, broadcast to the shape of the output: r = R summed over the copies.
#[derive(Debug, Clone, Copy)]
pub struct Expand;

impl Movement for Expand {
    fn words(&self) -> Option<String> {
        Some(format!("{self:?}"))
    }

    fn back<T: Tensor>(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        _: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        moved(operands, arriving, |relevance, shape| relevance.map(|channel| channel.sum_to(shape)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::pieces::testing::check_movement;

    #[test]
    fn copies_add_up() {
        for (from, to) in
            [(&[2, 1][..], &[2, 3][..]), (&[3], &[2, 2, 3]), (&[], &[2]), (&[1, 2, 1], &[4, 2, 3])]
        {
            check_movement(&Expand, &[from], &[], |x| vec![x[0].broadcast_to(to).unwrap()]);
        }
    }
}
