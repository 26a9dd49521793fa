//! The order of elements reversed along axes (rules §5).

use super::movement::moved;
use crate::{BacktraceOp, Context, Family, Operand, Relevance, Result, Role, Tensor};

/// Operand 0 reversed along some axes: r is R reversed along them.
#[derive(Debug, Clone)]
pub struct Flip {
    /// The axes.
    pub axes: Vec<usize>,
}

impl<T: Tensor> BacktraceOp<T> for Flip {
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
        moved(operands, arriving, context, |relevance, _| {
            relevance.map_conserving(|channel| channel.flip(&self.axes))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::check_movement;

    #[test]
    fn relevance_is_flipped_back() {
        let op = Flip { axes: vec![0, 2] };
        check_movement(&op, &[&[2, 3, 4]], &[], |x| vec![x[0].flip(&[0, 2]).unwrap()]);
    }
}
