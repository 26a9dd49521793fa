//! Several results of one operator that was followed into its parts (rules §5).

use super::movement::deliver;
use crate::{BacktraceOp, Context, Error, Family, Operand, Relevance, Result, Role, Tensor};

/// Output `k` is operand `k`.
#[derive(Debug, Clone, Copy)]
pub struct Bundle;

impl<T: Tensor> BacktraceOp<T> for Bundle {
    fn family(&self) -> Family {
        Family::Movement
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Movement
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        if operands.len() != arriving.len() {
            return Err(Error::Uncovered(format!("{} results of {} parts", arriving.len(), operands.len())));
        }
        let mut hand_on = |(operand, relevance): (&Operand<T>, &Option<Relevance<T>>)| match relevance {
            Some(relevance) => deliver(operand, relevance.clone(), context),
            None => Ok(None),
        };
        operands.iter().zip(arriving).map(&mut hand_on).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{backtrace, check_movement, relevances, shape_only};

    #[test]
    fn each_result_goes_back_to_its_part() {
        check_movement(&Bundle, &[&[2, 3], &[4]], &[], <[_]>::to_vec);
        let second = relevances(&[4])[0].clone();
        let (shares, _) = backtrace(&Bundle, &[shape_only(&[2]), shape_only(&[4])], &[None, Some(second)]);
        assert!(shares[0].is_none() && shares[1].is_some());
    }
}
