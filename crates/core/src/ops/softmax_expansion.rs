//! The first-order term of a softmax that is written out (rules §10).

use super::exactly;
use crate::op::arrived;
use crate::{Amount, BacktraceOp, Context, Family, Function, Loss, Operand, Relevance, Result, Role, Tensor};

/// s = e / d with e = exp x and d its sum over an axis: r = x ⊙ (R − s·ΣR). Operand: x.
#[derive(Debug)]
pub(crate) struct SoftmaxExpansion<T> {
    /// e
    pub(crate) numerator: Operand<T>,
    /// d, with extent 1 along the axis.
    pub(crate) denominator: Operand<T>,
}

impl<T: Tensor> BacktraceOp<T> for SoftmaxExpansion<T> {
    fn family(&self) -> Family {
        Family::Pass
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Function(Function::Softmax)
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        context.rule();
        let ([x], relevance) = (exactly(operands)?, arrived(arriving)?);
        let (softmax, _) = self.numerator.data()?.quotient(self.denominator.data()?)?;
        let sums = &self.denominator.meta.shape;
        let share = first_order(x.data()?, &softmax, relevance.first(), sums)?;
        let handed = Amount::default_mode(share.total()?);
        context.lose(Loss::Remainder, relevance.amount()? - handed);
        Ok(vec![Some(Relevance::default_mode(share))])
    }
}

/// x ⊙ (R − s·ΣR), with sums of the shape `sums`: each Rⱼ goes by the derivative of sⱼ, as Rⱼ / sⱼ · ∂sⱼ/∂xᵢ · xᵢ.
pub(super) fn first_order<T: Tensor>(x: &T, softmax: &T, relevance: &T, sums: &[usize]) -> Result<T> {
    let sum = relevance.sum_to(sums)?;
    x.bounded()?.mul(&relevance.sub(&softmax.mul(&sum)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::ops::pieces::testing::{assert_close, backtrace, moving, values};

    #[test]
    fn each_share_goes_by_the_derivative_of_its_unit() {
        let (x, r) = ([0.5, -1.0, 2.0], [1.0, -0.25, 0.5]);
        let e = x.map(f64::exp);
        let d: f64 = e.iter().sum();
        let part = |values: &[f64]| moving(Array::from_slice(&[1, values.len()], values));
        let op = SoftmaxExpansion { numerator: part(&e), denominator: part(&[d]) };
        let arriving = Relevance::default_mode(Array::from_slice(&[1, 3], &r));
        let (found, lost) = backtrace(&op, &[part(&x)], &[Some(arriving)]);
        // Rⱼ / sⱼ · ∂sⱼ/∂xᵢ · xᵢ with ∂sⱼ/∂xᵢ = sⱼ·([i = j] − sᵢ)
        let share = |i: usize| {
            let by = |j: usize| r[j] * (f64::from(u8::from(i == j)) - e[i] / d) * x[i];
            (0..3).map(by).sum::<f64>()
        };
        let expected = [0, 1, 2].map(share);
        assert_close(&values(found[0].as_ref().unwrap().first()), &expected, 1e-12);
        let rest = 1.25 - expected.iter().sum::<f64>();
        assert_close(&[lost[&Loss::Remainder].positive], &[rest], 1e-12);
    }
}
