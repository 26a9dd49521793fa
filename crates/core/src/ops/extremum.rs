//! Largest and smallest elements over axes: amax, amin, max, min (rules §3).

use super::pieces::movement::{deliver, operand};
use super::pieces::winner::per_winner;
use super::reduce::kept;
use crate::op::arrived;
use crate::{BacktraceOp, Context, Family, Loss, Operand, Relevance, Result, Role, Tensor};

/// The largest (smallest) element of operand 0 over some axes, which the output keeps or not. The elements equal to it share
/// its R.
#[derive(Debug, Clone)]
pub struct Extremum {
    /// All axes that are reduced.
    pub axes: Vec<usize>,
    /// Whether the largest element wins, or the smallest.
    pub largest: bool,
}

impl<T: Tensor> BacktraceOp<T> for Extremum {
    fn family(&self) -> Family {
        Family::Winner
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Reduction
    }

    fn carries(&self, input: usize) -> bool {
        input == 0
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let operand = operand(operands, 0)?;
        let shape = kept(&operand.meta.shape, &self.axes);
        let relevance = arrived(arriving)?.map_conserving(|channel| channel.reshape(&shape))?;
        let x = if self.largest { operand.data()?.clone() } else { operand.data()?.scale(-1.0)? };
        let wins = x.equal(&x.max_over(&self.axes)?)?;
        // NaN equals nothing, so nobody wins.
        let share = per_winner(&relevance, &wins.sum(&self.axes, true)?, Loss::ZeroDenominator, context)?;
        let share = share.map(|channel| channel.mul(&wins))?;
        let mut shares = vec![None; operands.len()];
        shares[0] = deliver(operand, share, context)?;
        Ok(shares)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::ops::pieces::testing::{assert_close, backtrace, channels, moving, relevances, values};

    fn x() -> Operand<Array> {
        moving(Array::from_slice(&[2, 3], &[1.0, 4.0, 4.0, -2.0, -2.0, 4.0]))
    }

    /// Checks the part that each element takes of the relevance of its row, its column or the whole.
    fn check(axes: &[usize], largest: bool, output: &[usize], parts: [(usize, f64); 6]) {
        for relevance in relevances(output) {
            let op = Extremum { axes: axes.to_vec(), largest };
            let (shares, lost) = backtrace(&op, &[x()], &[Some(relevance.clone())]);
            assert!(lost.is_empty());
            let found = channels(shares[0].as_ref().unwrap());
            for (relevance, found) in channels(&relevance).into_iter().map(values).zip(found) {
                assert_close(&values(found), &parts.map(|(cell, part)| part * relevance[cell]), 1e-15);
            }
        }
    }

    #[test]
    fn equal_winners_share() {
        let (none, third) = ((0, 0.0), (0, 1.0 / 3.0));
        let rows = [none, (0, 0.5), (0, 0.5), none, none, (1, 1.0)];
        for output in [&[2][..], &[2, 1]] {
            check(&[1], true, output, rows);
        }
        check(&[0], true, &[3], [(0, 1.0), (1, 1.0), (2, 0.5), none, none, (2, 0.5)]);
        for output in [&[][..], &[1, 1]] {
            check(&[0, 1], true, output, [none, third, third, none, none, third]);
        }
        check(&[0, 1], false, &[], [none, none, none, (0, 0.5), (0, 0.5), none]);
        check(&[1], false, &[2], [(0, 1.0), none, none, (1, 0.5), (1, 0.5), none]);
    }

    #[test]
    fn nobody_wins_among_nan() {
        let relevance = relevances(&[])[0].clone();
        let op = Extremum { axes: vec![0], largest: true };
        let nan = moving(Array::from_slice(&[2], &[1.0, f64::NAN]));
        let (_, lost) = backtrace(&op, &[nan], &[Some(relevance.clone())]);
        assert_eq!(lost[&Loss::ZeroDenominator], relevance.amount().unwrap());
    }
}
