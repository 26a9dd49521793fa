//! Real numbers as complex ones (rules, "Complex numbers").

use super::pieces::movement::{Movement, operand};
use crate::op::arrived;
use crate::{Context, Error, Loss, Operand, Range, Relevance, Result, Role, Tensor};

/// Operand 0 with imaginary parts of 0: r is the real part of R. What lands on the filled-in parts is lost.
#[derive(Debug, Clone, Copy)]
pub struct AsComplex;

impl Movement for AsComplex {
    fn role(&self) -> Role {
        Role::AsComplex
    }

    fn back<T: Tensor>(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let (x, relevance) = (operand(operands, 0)?, arrived(arriving)?);
        let shape = relevance.shape();
        let Some((2, lead)) = shape.split_last().map(|(parts, lead)| (*parts, lead)) else {
            return Err(Error::Uncovered(format!("{shape:?} is not a shape of complex numbers")));
        };
        let part = |index| [&Range::whole(lead)[..], &[Range::span(index, 1)]].concat();
        let (real, imaginary) = (part(0), part(1));
        context.lose(Loss::Padding, relevance.measure(|channel| channel.slice(&imaginary)?.total())?);
        let share = relevance.map(|channel| channel.slice(&real)?.reshape(&x.meta.shape))?;
        Ok(vec![Some(share)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::pieces::testing::{backtrace, numbers, shape_only, values};

    #[test]
    fn imaginary_parts_are_lost() {
        let relevance = numbers(&[2, 3, 2], 1);
        let (shares, lost) = backtrace(
            &AsComplex,
            &[shape_only(&[2, 3])],
            &[Some(Relevance::default_mode(relevance.clone()))],
        );
        let parts = values(&relevance);
        let real: Vec<f64> = parts.iter().copied().step_by(2).collect();
        assert_eq!(values(shares[0].as_ref().unwrap().first()), real);
        let imaginary: f64 = parts.iter().skip(1).step_by(2).sum();
        assert!((lost[&Loss::Padding].positive - imaginary).abs() < 1e-12);
    }
}
