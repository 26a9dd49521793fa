//! Decisions about numbers: comparisons, thresholds, bins, signs, flags, places of winners (rules, "Decisions that the model
//! takes").

use crate::op::arrived;
use crate::{BacktraceOp, Context, Family, Loss, Operand, Relevance, Result, Role, Tensor};

/// The result holds no part of the number that decided it. Relevance still goes to that number if there is just one;
/// otherwise it ends here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Each element is decided by the elements at its own place. [`Tape::prepare`](crate::Tape::prepare) finds out by which
    /// operand.
    Each,
    /// The elements of this operand alone decide; it broadcasts.
    By(usize),
    /// Several numbers decide.
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
