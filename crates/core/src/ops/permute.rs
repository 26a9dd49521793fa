//! Axes in another order: permute, transpose, movedim (rules §5).

use super::pieces::movement::{Movement, moved};
use crate::{Context, Error, Operand, Relevance, Result, Tensor, Turn};

/// Axis `i` of the output is axis `order[i]` of operand 0: r = R under the inverse order.
#[derive(Debug, Clone)]
pub struct Permute {
    /// One axis of the operand for each axis of the output.
    pub order: Vec<usize>,
}

impl Permute {
    pub(super) fn inverse(&self) -> Result<Vec<usize>> {
        (0..self.order.len())
            .map(|axis| self.order.iter().position(|&from| from == axis))
            .collect::<Option<_>>()
            .ok_or_else(|| Error::Uncovered(format!("{:?} is not an order of axes", self.order)))
    }
}

impl Movement for Permute {
    fn turn(&self) -> Option<Turn> {
        Some(Turn::Permute(self.order.clone()))
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
        let inverse = self.inverse()?;
        moved(operands, arriving, |relevance, _| {
            relevance.map_conserving(|channel| channel.permute(&inverse))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::pieces::testing::check_movement;

    #[test]
    fn the_inverse_order_brings_relevance_back() {
        for order in [[2, 0, 1], [0, 2, 1], [2, 1, 0]] {
            let op = Permute { order: order.to_vec() };
            check_movement(&op, &[&[2, 3, 4]], &[], |x| vec![x[0].permute(&order).unwrap()]);
        }
    }

    #[test]
    fn an_order_that_repeats_an_axis_is_refused() {
        assert!(matches!(Permute { order: vec![0, 0] }.inverse(), Err(Error::Uncovered(_))));
    }
}
