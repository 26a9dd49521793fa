//! The logarithm of a sum of two exponentials, element by element: logaddexp (rules §2, §5).

use crate::op::arrived;
use crate::ops::{by_parts, exactly};
use crate::rules::Rule;
use crate::{BacktraceOp, Context, Error, Family, Mode, Operand, Relevance, Result, Tensor, Unary};

/// log(eᵃ + eᵇ), with the same relevance as when written out: a takes σ(a − b), b the rest. In contrastive mode a constant
/// operand only decides the sign, and the other operand takes all. Operands broadcast.
#[derive(Debug, Clone, Copy)]
pub struct LogAddExp;

impl<T: Tensor> BacktraceOp<T> for LogAddExp {
    fn family(&self) -> Family {
        Family::WeightedSum
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let operands: &[Operand<T>; 2] = exactly(operands)?;
        let relevance = arrived(arriving)?;
        // Both exponentials are positive, and to positive contributions the rules of sums give the same.
        if context.rule() == Rule::Gradient {
            return Err(Error::Uncovered("its derivative was not kept".into()));
        }
        let dtype = relevance.first().dtype();
        // eˣ = 0 is written as x = −∞.
        let [a, b] = operands;
        let (a, b) = (a.data()?.cast(dtype)?.bounded()?, b.data()?.cast(dtype)?.bounded()?);
        let mut parts = [a.sub(&b)?.unary(Unary::Sigmoid)?, b.sub(&a)?.unary(Unary::Sigmoid)?];
        if relevance.mode() == Mode::Contrastive && !operands.iter().all(|operand| operand.depends) {
            for (operand, part) in operands.iter().zip(&mut parts) {
                *part = part.full(&[], f64::from(u8::from(operand.depends)))?;
            }
        }
        by_parts(operands, parts, relevance, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::ops::Sum;
    use crate::ops::pieces::testing::{
        assert_close, backtrace, channels, constant, moving, numbers, relevances, values,
    };
    use crate::{Amount, Loss};
    use std::collections::BTreeMap;

    /// The written-out form is a sum of exponentials between functions that pass.
    #[test]
    fn shares_are_those_of_a_sum_of_exponentials() {
        let (a, b) = (numbers(&[2, 3], 1).scale(4.0).unwrap(), numbers(&[3], 2).scale(4.0).unwrap());
        let exp = |x: &Array| {
            let values = x.to_array().unwrap().mapv(f64::exp);
            x.floats(values.view()).unwrap()
        };
        let forms: [fn(Array) -> Operand<Array>; 2] = [moving, constant];
        for form in forms {
            for relevance in relevances(&[2, 3]) {
                let outputs = [Some(relevance)];
                let (found, lost) = backtrace(&LogAddExp, &[moving(a.clone()), form(b.clone())], &outputs);
                let sum = Sum::add();
                let (expected, gone) = backtrace(&sum, &[moving(exp(&a)), form(exp(&b))], &outputs);
                for (found, expected) in found.iter().zip(&expected) {
                    assert_eq!(found.is_some(), expected.is_some());
                    let all = |share: &Option<Relevance<Array>>| -> Vec<f64> {
                        share.iter().flat_map(channels).flat_map(values).collect()
                    };
                    assert_close(&all(found), &all(expected), 1e-12);
                }
                let constant = |lost: &BTreeMap<Loss, Amount>| {
                    lost.get(&Loss::Constant).map_or(0.0, |amount| amount.positive)
                };
                assert_close(&[constant(&lost)], &[constant(&gone)], 1e-12);
            }
        }
    }

    #[test]
    fn what_is_infinitely_small_takes_nothing() {
        let (a, b) = (
            Array::from_slice(&[2], &[f64::NEG_INFINITY, 1.0]),
            Array::from_slice(&[2], &[3.0, f64::NEG_INFINITY]),
        );
        let relevance = relevances(&[2])[0].clone();
        let (shares, _) = backtrace(&LogAddExp, &[moving(a), moving(b)], &[Some(relevance.clone())]);
        let r = values(relevance.first());
        let [of_a, of_b] = [0, 1].map(|k| values(shares[k].as_ref().unwrap().first()));
        assert_eq!((of_a, of_b), (vec![0.0, r[1]], vec![r[0], 0.0]));
    }
}
