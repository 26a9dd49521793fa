//! Element-wise quotients (rules §4).

use super::product::{derivative, divide};
use crate::op::arrived;
use crate::ops::exactly;
use crate::rules::Rule;
use crate::{Affine, BacktraceOp, Context, Family, Operand, Relevance, Result, Role, Tensor};

/// a / b. If one operand is constant, the other takes R unchanged; otherwise the product rule of a and 1/b. Operands broadcast.
#[derive(Debug, Clone)]
pub struct Quotient;

impl<T: Tensor> BacktraceOp<T> for Quotient {
    fn family(&self) -> Family {
        Family::Product
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Quotient
    }

    fn multiplies(&self, _: usize) -> bool {
        true
    }

    fn affine(&self, operands: &[Operand<T>]) -> Result<Option<Affine<T>>> {
        let [x, Operand { data: Some(divisor), depends: false, .. }] = operands else { return Ok(None) };
        let scale = divisor.full(&divisor.shape(), 1.0)?.quotient(divisor)?.0;
        Ok(x.depends.then_some(Affine { operand: 0, shift: scale.zeros(&[])?, scale }))
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let inverse = |b: &Operand<T>| -> Result<T> {
            let divisor = b.data()?;
            Ok(divisor.full(&divisor.shape(), 1.0)?.quotient(divisor)?.0)
        };
        match context.rule() {
            // By a: R/b. By b: −R·a/b².
            Rule::Gradient => {
                let [a, b] = exactly(operands)?;
                let inverse = inverse(b)?;
                let by_a = arrived(arriving)?.first().mul(&inverse)?;
                let to_b = derivative(b, || by_a.mul(a.data()?)?.mul(&inverse)?.scale(-1.0))?;
                Ok(vec![derivative(a, || Ok(by_a))?, to_b])
            }
            _ => divide(operands, arrived(arriving)?, context, |a, b| {
                Ok(Some((a.data()?.clone(), inverse(b)?)))
            }),
        }
    }
}
