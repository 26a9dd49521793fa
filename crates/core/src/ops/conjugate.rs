//! The conjugate of complex numbers (rules, "Complex numbers"). Relevance passes; a derivative changes its sign with the
//! imaginary parts.

use super::exactly;
use crate::op::arrived;
use crate::rules::Rule;
use crate::{BacktraceOp, Context, Family, Function, Operand, Relevance, Result, Role, Rows, Tensor};
use ndarray::aview1;

/// a + bi ↦ a − bi, by parts along the last axis. Operand: z.
#[derive(Debug, Clone, Copy)]
pub struct Conjugate;

impl Conjugate {
    /// The conjugate of z.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor).
    pub fn of<T: Tensor>(z: &T) -> Result<T> {
        z.mul(&z.floats(aview1(&[1.0, -1.0]).into_dyn())?)
    }
}

impl<T: Tensor> BacktraceOp<T> for Conjugate {
    fn family(&self) -> Family {
        Family::Pass
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Function(Function::Other)
    }

    fn rows(&self, _: &[Operand<T>], _: usize) -> Option<Rows> {
        Some(Rows::Same)
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let [_] = exactly(operands)?;
        let relevance = arrived(arriving)?;
        Ok(vec![Some(match context.rule() {
            Rule::Gradient => relevance.map(Self::of)?,
            _ => relevance.clone(),
        })])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WeightCache;
    use crate::array::Array;
    use crate::ops::pieces::testing::{moving, values};

    #[test]
    fn a_derivative_changes_its_sign_with_the_imaginary_parts() {
        let z = moving(Array::from_slice(&[2, 2], &[1.0, 2.0, -3.0, 0.5]));
        let r = [5.0, 7.0, 1.0, -4.0];
        let arriving = [Some(Relevance::default_mode(Array::from_slice(&[2, 2], &r)))];
        let weights = WeightCache::new(0);
        for (rule, expected) in [(Rule::Backtrace, r), (Rule::Gradient, [5.0, -7.0, 1.0, 4.0])] {
            let mut context = Context::new(&weights).with_rule(rule);
            let shares = Conjugate.backtrace(std::slice::from_ref(&z), &arriving, &mut context).unwrap();
            assert_eq!(values(shares[0].as_ref().unwrap().first()), expected);
        }
    }
}
