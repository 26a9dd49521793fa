//! Constant padding (rules §5): what lands on it is lost.

use super::pieces::movement::{Movement, operand};
use crate::op::arrived;
use crate::{Amount, Context, Error, Loss, Operand, Range, Relevance, Result, Tensor, Turn};

/// Operand 0 with constants around it: r is the inner part of R. Negative padding is a slice instead.
#[derive(Debug, Clone)]
pub struct Pad {
    /// Constants before the operand along each axis.
    pub before: Vec<usize>,
    /// Constants after it.
    pub after: Vec<usize>,
}

impl Movement for Pad {
    fn turn(&self) -> Option<Turn> {
        Some(Turn::Border)
    }

    fn back<T: Tensor>(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let (x, relevance) = (operand(operands, 0)?, arrived(arriving)?);
        let shape = &x.meta.shape;
        if [&self.before, &self.after].iter().any(|padding| padding.len() != shape.len()) {
            return Err(Error::Uncovered(format!("{self:?} needs one extent for each axis of {shape:?}")));
        }
        // The border is taken off axis by axis and summed by itself, not as a difference of totals: so a border without relevance
        // loses exactly nothing.
        let mut region = Range::whole(&relevance.shape());
        let mut lost = Amount::default();
        for (axis, &extent) in shape.iter().enumerate() {
            let inner = Range::span(self.before[axis], extent);
            for border in
                [Range::span(0, self.before[axis]), Range::span(inner.start + extent, self.after[axis])]
            {
                if border.len > 0 {
                    region[axis] = border;
                    lost += relevance.measure(|channel| channel.slice(&region)?.total())?;
                }
            }
            region[axis] = inner;
        }
        context.lose(Loss::Padding, lost);
        Ok(vec![Some(relevance.map(|channel| channel.slice(&region))?)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::pieces::testing::{backtrace, check_movement, moving, numbers, relevances};

    #[test]
    fn the_inner_part_goes_back() {
        let op = Pad { before: vec![1, 0, 2], after: vec![0, 3, 1] };
        check_movement(&op, &[&[2, 3, 2]], &[], |x| {
            let inner = [Range::span(1, 2), Range::span(0, 3), Range::span(2, 2)];
            vec![x[0].zeros(&[3, 6, 5]).unwrap().add_region(&inner, &x[0]).unwrap()]
        });
    }

    #[test]
    fn a_border_without_relevance_loses_exactly_nothing() {
        let op = Pad { before: vec![2], after: vec![1] };
        let relevance = numbers(&[6], 1)
            .zeros(&[6])
            .unwrap()
            .add_region(&[Range::span(2, 3)], &numbers(&[3], 2))
            .unwrap();
        let (_, lost) =
            backtrace(&op, &[moving(numbers(&[3], 3))], &[Some(Relevance::default_mode(relevance))]);
        assert!(lost.is_empty());
    }

    #[test]
    fn what_lands_on_the_border_is_booked() {
        let op = Pad { before: vec![1], after: vec![1] };
        for relevance in relevances(&[4]) {
            let (_, lost) = backtrace(&op, &[moving(numbers(&[2], 3))], &[Some(relevance.clone())]);
            let ends = relevance.measure(|channel| {
                let values = channel.to_array()?;
                Ok(values[[0]] + values[[3]])
            });
            assert!((lost[&Loss::Padding] - ends.unwrap()).magnitude() < 1e-15);
        }
    }
}
