//! Products of complex numbers (rules, "Complex numbers"): sums and products of their parts.

use super::{Sum, exactly};
use crate::op::arrived;
use crate::rules::Rule;
use crate::{BacktraceOp, Context, Error, Family, Operand, Range, Relevance, Result, Role, Tensor, ValueId};

/// A product of two tensors.
pub trait Multiply<T: Tensor>: BacktraceOp<T> {
    /// The product.
    ///
    /// # Errors
    /// [`Error::Tensor`] or [`Error::Uncovered`] if the factors do not fit.
    fn multiply(&self, a: &T, b: &T) -> Result<T>;
}

/// (a + ib)(c + id) = (ac − bd) + i(ad + bc). Operands: a + ib and c + id, with real and imaginary parts along the last axis.
#[derive(Debug, Clone)]
pub struct ComplexProduct<P> {
    /// The product of the parts.
    pub of_parts: P,
}

impl<T: Tensor, P: Multiply<T>> Multiply<T> for ComplexProduct<P> {
    fn multiply(&self, x: &T, y: &T) -> Result<T> {
        let ([a, b], [c, d]) = (parts(x)?, parts(y)?);
        let of = |a, b| self.of_parts.multiply(a, b);
        joined(&of(&a, &c)?.sub(&of(&b, &d)?)?, &of(&a, &d)?.add(&of(&b, &c)?)?)
    }
}

/// The real and the imaginary parts of complex numbers.
fn parts<T: Tensor>(x: &T) -> Result<[T; 2]> {
    let shape = x.shape();
    let Some((2, own)) = shape.split_last().map(|(parts, own)| (*parts, own)) else {
        return Err(Error::Uncovered(format!("{shape:?} is not a shape of complex numbers")));
    };
    let mut region = Range::whole(&shape);
    let mut part = |index| {
        region[own.len()] = Range::span(index, 1);
        x.slice(&region)?.reshape(own)
    };
    Ok([part(0)?, part(1)?])
}

/// Complex numbers with these parts.
fn joined<T: Tensor>(real: &T, imaginary: &T) -> Result<T> {
    let shape = [&real.shape()[..], &[1]].concat();
    T::concat(&[real.reshape(&shape)?, imaginary.reshape(&shape)?], shape.len() - 1)
}

impl<T: Tensor, P: Multiply<T>> BacktraceOp<T> for ComplexProduct<P> {
    fn family(&self) -> Family {
        self.of_parts.family()
    }

    fn role(&self, operands: &[Operand<T>]) -> Role {
        match self.of_parts.role(operands) {
            Role::Product => Role::ComplexProduct,
            _ => Role::Other,
        }
    }

    fn multiplies(&self, _: usize) -> bool {
        true
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let [x, y] = exactly(operands)?;
        // Parts are other values than the whole, and than each other.
        let of = |x: &Operand<T>, first: usize| -> Result<[Operand<T>; 2]> {
            let [real, imaginary] = parts(x.data()?)?;
            let part =
                |data, place| Operand { value: ValueId(usize::MAX - first - place), ..x.holding(data) };
            Ok([part(real, 0), part(imaginary, 1)])
        };
        let ([a, b], [c, d]) = (of(x, 0)?, of(y, 2)?);
        let relevance = arrived(arriving)?;
        let [to_real, to_imaginary] = of_parts(relevance)?;
        let minus = Sum { factors: vec![1.0, -1.0], constant: 0.0 };
        let [to_a, to_c, to_b, to_d] = self.shares([&a, &c, &b, &d], &minus, to_real, context)?;
        let [also_a, also_d, also_b, also_c] =
            self.shares([&a, &d, &b, &c], &Sum::add(), to_imaginary, context)?;
        let both = |first: Option<Relevance<T>>, second: Option<Relevance<T>>| match (first, second) {
            (Some(first), Some(second)) => first.accumulate(&second).map(Some),
            (first, second) => Ok(first.or(second)),
        };
        Ok(vec![
            whole(both(to_a, also_a)?, both(to_b, also_b)?)?,
            whole(both(to_c, also_c)?, both(to_d, also_d)?)?,
        ])
    }
}

impl<P> ComplexProduct<P> {
    /// The shares of all four factors in a sum of two products of parts.
    fn shares<T: Tensor>(
        &self,
        [a, b, c, d]: [&Operand<T>; 4],
        sum: &Sum,
        relevance: Relevance<T>,
        context: &mut Context<'_, T>,
    ) -> Result<[Option<Relevance<T>>; 4]>
    where
        P: Multiply<T>,
    {
        let product = |a: &Operand<T>, b: &Operand<T>| -> Result<Operand<T>> {
            let data = self.of_parts.multiply(a.data()?, b.data()?)?;
            Ok(Operand { depends: a.depends || b.depends, ..Operand::new(ValueId(usize::MAX), data) })
        };
        // A rule of products leaves the sum of two to ε.
        let mut of_sum = match context.rule() {
            Rule::Half | Rule::Magnitude | Rule::First(_) | Rule::Second(_) => {
                context.part().with_rule(Rule::Epsilon(1e-6))
            }
            _ => context.part(),
        };
        let to_products =
            sum.backtrace(&[product(a, b)?, product(c, d)?], &[Some(relevance)], &mut of_sum)?;
        of_sum.lost().iter().for_each(|(&loss, &amount)| context.lose(loss, amount));
        let mut found = [const { None }; 4];
        for (product, (place, factors)) in to_products.into_iter().zip([(0, [a, b]), (2, [c, d])]) {
            let Some(product) = product else { continue };
            let shares = self.of_parts.backtrace(&factors.map(Clone::clone), &[Some(product)], context)?;
            found[place..].iter_mut().zip(shares).take(2).for_each(|(slot, share)| *slot = share);
        }
        Ok(found)
    }
}

/// The relevance of the real and of the imaginary parts.
fn of_parts<T: Tensor>(relevance: &Relevance<T>) -> Result<[Relevance<T>; 2]> {
    let part = |index: usize| relevance.map(|channel| Ok(parts(channel)?[index].clone()));
    Ok([part(0)?, part(1)?])
}

/// The relevance of complex numbers from that of their parts.
fn whole<T: Tensor>(
    real: Option<Relevance<T>>,
    imaginary: Option<Relevance<T>>,
) -> Result<Option<Relevance<T>>> {
    real.zip(imaginary).map(|(real, imaginary)| real.zip(&imaginary, |a, b| joined(&a, b))).transpose()
}
