//! One of two values by a condition: where, masked_fill, tril, triu (rules §5).

use super::pieces::movement::{deliver, operand};
use crate::op::arrived;
use crate::{BacktraceOp, Context, Family, Loss, Operand, Relevance, Result, Role, Rows, Tensor};

/// Where operand 0 holds (as truth values, or as numbers other than 0), the output is one value, elsewhere another. All
/// broadcast. Each value takes the R of the elements for which it was chosen. What lands on constants belongs to the
/// condition, if numbers decided it.
#[derive(Debug, Clone, Copy)]
pub struct Select {
    /// The operand chosen where the condition holds; `None` for a constant number.
    pub a: Option<usize>,
    /// The operand chosen elsewhere; `None` for a constant number.
    pub b: Option<usize>,
}

impl<T: Tensor> BacktraceOp<T> for Select {
    fn family(&self) -> Family {
        Family::Movement
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Choice
    }

    fn rows(&self, _: &[Operand<T>], _: usize) -> Option<Rows> {
        Some(Rows::Same)
    }

    fn carries(&self, input: usize) -> bool {
        input == 0 || [self.a, self.b].contains(&Some(input))
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let relevance = arrived(arriving)?;
        let condition = operand(operands, 0)?.data()?.cast(relevance.first().dtype())?;
        let fails = condition.equal(&condition.zeros(&[])?)?;
        let mut shares: Vec<Option<Relevance<T>>> = vec![None; operands.len()];
        for (side, chosen) in [(self.a, fails.complement()?), (self.b, fails)] {
            let landed = relevance.map(|channel| channel.mul(&chosen))?;
            let moving = |&index: &usize| operands.get(index).is_some_and(|operand| operand.depends);
            let Some(index) = side.filter(moving).or(Some(0).filter(moving)).or(side) else {
                context.lose(Loss::Padding, landed.amount()?);
                continue;
            };
            let operand = operand(operands, index)?;
            let landed = landed.map(|channel| channel.sum_to(&operand.meta.shape))?;
            let share = deliver(operand, landed, context)?;
            shares[index] = match (shares[index].take(), share) {
                (Some(other), Some(share)) => Some(other.accumulate(&share)?),
                (other, share) => other.or(share),
            };
        }
        Ok(shares)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::ops::pieces::testing::{
        assert_close, backtrace, channels, constant, relevances, shape_only, values,
    };

    fn condition() -> Array {
        Array::bools(&[2, 3], &[true, false, true, false, false, true])
    }

    /// R where the condition holds, and where it does not.
    fn sides(relevance: &Array) -> [Vec<f64>; 2] {
        let holds = condition().to_indices().unwrap();
        let masked = |side: i64| {
            values(relevance)
                .iter()
                .zip(&holds)
                .map(|(r, &holds)| if holds == side { *r } else { 0.0 })
                .collect()
        };
        [masked(1), masked(0)]
    }

    #[test]
    fn each_side_takes_the_elements_it_was_chosen_for() {
        for relevance in relevances(&[2, 3]) {
            let inputs = [constant(condition()), shape_only(&[2, 3]), shape_only(&[3])];
            let (shares, lost) =
                backtrace(&Select { a: Some(1), b: Some(2) }, &inputs, &[Some(relevance.clone())]);
            assert!(shares[0].is_none() && lost.is_empty());
            let [a, b] = [1, 2].map(|k| channels(shares[k].as_ref().unwrap()));
            for (channel, relevance) in channels(&relevance).into_iter().enumerate() {
                let [holds, fails] = sides(relevance);
                assert_close(&values(a[channel]), &holds, 0.0);
                let columns: Vec<f64> = (0..3).map(|column| fails[column] + fails[column + 3]).collect();
                assert_close(&values(b[channel]), &columns, 1e-15);
            }
        }
    }

    #[test]
    fn a_constant_side_is_padding_and_a_constant_operand_unexplained() {
        let relevance = &relevances(&[2, 3])[0];
        let outputs = [Some(relevance.clone())];
        let [holds, fails] = sides(relevance.first()).map(|side| side.iter().sum::<f64>());
        let inputs = [constant(condition()), shape_only(&[2, 3])];
        let (shares, lost) = backtrace(&Select { a: None, b: Some(1) }, &inputs, &outputs);
        assert_close(&[lost[&Loss::Padding].positive], &[holds], 1e-15);
        assert_close(&[shares[1].as_ref().unwrap().first().total().unwrap()], &[fails], 1e-15);
        let inputs = [constant(condition()), shape_only(&[2, 3]), constant(Array::from_slice(&[], &[7.0]))];
        let (_, lost) = backtrace(&Select { a: Some(1), b: Some(2) }, &inputs, &outputs);
        assert_close(&[lost[&Loss::Unexplained].positive], &[fails], 1e-15);
    }

    #[test]
    fn numbers_other_than_0_are_true_and_one_operand_may_be_both_sides() {
        let relevance = &relevances(&[2])[0];
        let inputs = [constant(Array::ints(&[2], &[255, 0])), shape_only(&[2])];
        let (shares, _) = backtrace(&Select { a: Some(1), b: Some(1) }, &inputs, &[Some(relevance.clone())]);
        assert_eq!(shares[1].as_ref().unwrap().first(), relevance.first());
    }
}
