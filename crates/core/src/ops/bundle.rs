//! The results of one operator that was followed into its parts (rules §5).

use super::pieces::movement::Movement;
use crate::{Context, Error, Operand, Relevance, Result, Tensor};

/// Output `k` is operand `k`.
#[derive(Debug, Clone, Copy)]
pub struct Bundle;

impl Movement for Bundle {
    const ALL: bool = true;

    fn back<T: Tensor>(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        _: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        if operands.len() != arriving.len() {
            return Err(Error::Uncovered(format!(
                "an operator with {} results has {} parts",
                arriving.len(),
                operands.len()
            )));
        }
        Ok(arriving.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::pieces::testing::{backtrace, check_movement, relevances, shape_only};

    #[test]
    fn each_result_goes_back_to_its_part() {
        check_movement(&Bundle, &[&[2, 3], &[4]], &[], <[_]>::to_vec);
        let second = relevances(&[4])[0].clone();
        let (shares, _) = backtrace(&Bundle, &[shape_only(&[2]), shape_only(&[4])], &[None, Some(second)]);
        assert!(shares[0].is_none() && shares[1].is_some());
    }
}
