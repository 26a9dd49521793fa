//! The same elements under another shape: view, reshape, flatten, squeeze, unsqueeze (rules §5).

use super::pieces::movement::{Movement, moved};
use crate::{Context, Operand, Relevance, Result, Role, Tensor, Turn};

/// Operand 0 under the shape of the output: r = R under the shape of the operand.
#[derive(Debug, Clone, Copy)]
pub struct Reshape;

impl Movement for Reshape {
    fn role(&self) -> Role {
        Role::Reshape
    }

    fn turn(&self) -> Option<Turn> {
        Some(Turn::Reshape)
    }

    fn words(&self) -> Option<String> {
        Some(format!("{self:?}"))
    }

    fn back<T: Tensor>(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        _: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        moved(operands, arriving, |relevance, shape| {
            relevance.map_conserving(|channel| channel.reshape(shape))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::pieces::testing::check_movement;

    #[test]
    fn relevance_takes_the_shape_of_the_operand() {
        for (from, to) in [(&[2, 3][..], &[6][..]), (&[1, 4], &[2, 1, 2]), (&[], &[1, 1])] {
            check_movement(&Reshape, &[from], &[], |x| vec![x[0].reshape(to).unwrap()]);
        }
    }
}
