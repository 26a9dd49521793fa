//! Reversed order of elements along axes (rules §5).

use super::pieces::movement::{Movement, moved};
use crate::{Context, Operand, Relevance, Result, Tensor};

/// Operand 0, reversed along some axes: r is R reversed along them.
#[derive(Debug, Clone)]
pub struct Flip {
    /// The axes.
    pub axes: Vec<usize>,
}

impl Movement for Flip {
    fn words(&self) -> Option<String> {
        Some(format!("{self:?}"))
    }

    fn back<T: Tensor>(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        _: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        moved(operands, arriving, |relevance, _| relevance.map_conserving(|channel| channel.flip(&self.axes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::pieces::testing::check_movement;

    #[test]
    fn relevance_is_flipped_back() {
        let op = Flip { axes: vec![0, 2] };
        check_movement(&op, &[&[2, 3, 4]], &[], |x| vec![x[0].flip(&[0, 2]).unwrap()]);
    }
}
