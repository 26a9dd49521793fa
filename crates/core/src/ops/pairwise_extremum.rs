//! The larger or smaller of two values, element by element: maximum, minimum (rules, "Winners").

use crate::op::arrived;
use crate::ops::{by_parts, exactly};
use crate::{BacktraceOp, Context, Family, Function, Operand, Relevance, Result, Role, Tensor};

/// The larger (smaller) of operands 0 and 1, which broadcast, takes R; equal ones take half each.
#[derive(Debug, Clone, Copy)]
pub struct PairwiseExtremum {
    /// Whether the larger one wins, or the smaller.
    pub largest: bool,
}

impl<T: Tensor> BacktraceOp<T> for PairwiseExtremum {
    fn family(&self) -> Family {
        Family::Winner
    }

    /// With a constant it is a clamp, as one that keeps a divisor away from 0.
    fn role(&self, operands: &[Operand<T>]) -> Role {
        match operands.iter().filter(|operand| operand.depends).count() {
            1 => Role::Function(Function::Magnitude),
            _ => Role::Other,
        }
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let operands: &[Operand<T>; 2] = exactly(operands)?;
        let relevance = arrived(arriving)?;
        let dtype = relevance.first().dtype();
        let [a, b] = operands;
        let (a, b) = (a.data()?.cast(dtype)?, b.data()?.cast(dtype)?);
        let (above, below) = (a.greater(&b)?, b.greater(&a)?);
        // 1, ½ or 0: the share of operand 0 if the larger one wins.
        let of_larger = above.sub(&below)?.affine(0.5, 0.5)?;
        let of_other = of_larger.complement()?;
        let parts = if self.largest { [of_larger, of_other] } else { [of_other, of_larger] };
        by_parts(operands, parts, relevance, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Loss;
    use crate::array::Array;
    use crate::ops::pieces::testing::{
        assert_close, backtrace, channels, constant, moving, relevances, values,
    };

    const A: [f64; 6] = [1.0, 2.0, -3.0, 0.0, 5.0, -1.0];
    const B: [f64; 3] = [1.0, 3.0, -4.0];

    fn operands() -> [Operand<Array>; 2] {
        [moving(Array::from_slice(&[2, 3], &A)), moving(Array::from_slice(&[3], &B))]
    }

    #[test]
    fn the_winner_takes_it_and_equal_ones_half_each() {
        for (largest, of_a) in
            [(true, [0.5, 0.0, 1.0, 0.0, 1.0, 1.0]), (false, [0.5, 1.0, 0.0, 1.0, 0.0, 0.0])]
        {
            for relevance in relevances(&[2, 3]) {
                let op = PairwiseExtremum { largest };
                let (shares, lost) = backtrace(&op, &operands(), &[Some(relevance.clone())]);
                assert!(lost.is_empty());
                let [to_a, to_b] = [0, 1].map(|k| channels(shares[k].as_ref().unwrap()));
                for (channel, relevance) in channels(&relevance).into_iter().enumerate() {
                    let relevance = values(relevance);
                    let for_a: Vec<f64> = relevance.iter().zip(of_a).map(|(r, part)| r * part).collect();
                    let rest: Vec<f64> = relevance.iter().zip(&for_a).map(|(r, taken)| r - taken).collect();
                    assert_close(&values(to_a[channel]), &for_a, 1e-15);
                    assert_close(
                        &values(to_b[channel]),
                        &[rest[0] + rest[3], rest[1] + rest[4], rest[2] + rest[5]],
                        1e-15,
                    );
                }
            }
        }
    }

    #[test]
    fn what_a_constant_wins_is_lost() {
        let [a, b] = operands();
        let inputs = [a, constant(b.data().unwrap().clone())];
        let relevance = &relevances(&[2, 3])[0];
        let (_, lost) = backtrace(&PairwiseExtremum { largest: true }, &inputs, &[Some(relevance.clone())]);
        let r = values(relevance.first());
        assert_close(&[lost[&Loss::Constant].positive], &[0.5 * r[0] + r[1] + r[3]], 1e-15);
    }
}
