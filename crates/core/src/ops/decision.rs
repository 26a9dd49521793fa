//! Comparisons, thresholds, bins, signs, flags, places of winners: what is decided about numbers (rules §9).

use crate::op::arrived;
use crate::{BacktraceOp, Context, Family, Loss, Operand, Relevance, Result, Role, Tensor};

/// What was decided has no part of the number that decided it. Relevance goes to the number all the same where it is one
/// number, and ends here where it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Each element is decided by the elements that stand where it does: by which operand is settled by
    /// [`Tape::prepare`](crate::Tape::prepare).
    Each,
    /// Decided by the elements of this operand alone, which broadcasts.
    By(usize),
    /// Decided by several numbers.
    Among,
}

impl<T: Tensor> BacktraceOp<T> for Decision {
    fn family(&self) -> Family {
        Family::Decision
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        match self {
            Self::Each | Self::By(_) => Role::Comparison,
            Self::Among => Role::Other,
        }
    }

    fn carries(&self, input: usize) -> bool {
        !matches!(self, Self::By(operand) if *operand != input)
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let by = |operand: &usize| matches!(self, Self::By(by) if by == operand);
        if let Some(operand) = (0..operands.len()).find(by) {
            let shape = &operands[operand].meta.shape;
            let mut shares = vec![None; operands.len()];
            shares[operand] = Some(arrived(arriving)?.map(|channel| channel.sum_to(shape))?);
            return Ok(shares);
        }
        for relevance in arriving.iter().flatten() {
            context.lose(Loss::Decision, relevance.amount()?);
        }
        Ok(vec![None; operands.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Amount;
    use crate::ops::pieces::testing::{backtrace, constant, moving, numbers, relevances, values};

    #[test]
    fn what_one_number_decides_is_that_numbers() {
        let inputs = [constant(numbers(&[3], 1)), moving(numbers(&[2, 1], 2))];
        for relevance in relevances(&[2, 3]) {
            let (shares, lost) = backtrace(&Decision::By(1), &inputs, &[Some(relevance.clone())]);
            assert!(lost.is_empty() && shares[0].is_none());
            let rows = relevance.first().sum(&[1], true).unwrap();
            assert_eq!(values(shares[1].as_ref().unwrap().first()), values(&rows));
        }
    }

    #[test]
    fn what_several_decide_ends() {
        let inputs = [moving(numbers(&[2], 1)), moving(numbers(&[2], 2))];
        for relevance in relevances(&[2]) {
            let (shares, lost) = backtrace(&Decision::Among, &inputs, &[Some(relevance.clone())]);
            assert!(shares.iter().all(Option::is_none));
            let expected: Amount = relevance.amount().unwrap();
            assert_eq!(lost[&Loss::Decision], expected);
        }
    }
}
