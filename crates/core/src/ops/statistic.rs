//! Norms, variances, standard deviations and logsumexp in one operator, with the same relevance as when written out (rules,
//! "Statistics that are not part of a norm").

use super::{Extremum, Permute, Reduce, Sum, Unruled, exactly};
use crate::{BacktraceOp, Context, Family, Operand, Relevance, Result, Role, Tensor};

/// Which statistic. A root or logarithm of it changes nothing, because these pass relevance on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measure {
    /// Σ|x|ᵖ: r = |x|ᵖ / Σ|x|ᵖ · R. For p = ±∞ the largest or smallest |x| takes R.
    Norm(f64),
    /// Σ(x − x̄)²: the differences share R by their squares, and each difference is a sum of x and −x̄.
    Spread,
    /// Σeˣ: r = softmax(x) · R.
    LogSumExp,
    /// Another statistic, which has a rule only as part of a normaliser.
    Other,
}

/// A statistic of operand 0 over some axes, which the outputs keep or not; a second output is the mean. As part of a
/// normaliser, which the analysis recognises, it is a constant.
#[derive(Debug, Clone)]
pub struct Statistic {
    /// All axes that are reduced.
    pub axes: Vec<usize>,
    /// The statistic.
    pub measure: Measure,
}

/// In higher powers, nothing but the largest element counts.
const HIGHEST: f64 = 16.0;

impl<T: Tensor> BacktraceOp<T> for Statistic {
    fn family(&self) -> Family {
        match self.measure {
            Measure::Norm(order) if order.is_infinite() => Family::Winner,
            Measure::Norm(_) if self.power().is_none() => Family::Statistic,
            Measure::Norm(_) | Measure::Spread | Measure::LogSumExp => Family::WeightedSum,
            Measure::Other => Family::Statistic,
        }
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        if self.measure == Measure::LogSumExp { Role::LogSumExp } else { Role::Reduction }
    }

    fn uncovered(&self) -> Option<&str> {
        (<Self as BacktraceOp<T>>::family(self) == Family::Statistic).then_some(
            "outside a normaliser, vector norms have a rule only for whole orders from 1 to 16 and for infinite order",
        )
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let [x] = exactly(operands)?;
        let mut share = None;
        if let Some(Some(relevance)) = arriving.first() {
            share = self.of_measure(x, relevance, context)?;
        }
        if let Some(Some(relevance)) = arriving.get(1) {
            let of_mean = self.shared_by(x, relevance, context)?;
            share = match (share, of_mean) {
                (Some(share), Some(of_mean)) => Some(share.accumulate(&of_mean)?),
                (share, of_mean) => share.or(of_mean),
            };
        }
        Ok(vec![share])
    }
}

impl Statistic {
    /// The power of a norm, if it has a rule.
    fn power(&self) -> Option<u32> {
        match self.measure {
            Measure::Norm(order) if (1.0..=HIGHEST).contains(&order) && order.fract() == 0.0 => {
                Some(order as u32)
            }
            _ => None,
        }
    }

    fn of_measure<T: Tensor>(
        &self,
        x: &Operand<T>,
        relevance: &Relevance<T>,
        context: &mut Context<'_, T>,
    ) -> Result<Option<Relevance<T>>> {
        match self.measure {
            Measure::Norm(order) if order.is_infinite() => {
                let size = x.holding(x.data()?.abs()?);
                let extremum = Extremum { axes: self.axes.clone(), largest: order > 0.0 };
                alone(&extremum, &size, relevance, context)
            }
            Measure::Spread => {
                let count: usize = self.axes.iter().map(|&axis| x.meta.shape[axis]).product();
                let mean = x.data()?.sum(&self.axes, true)?.scale(1.0 / count.max(1) as f64)?;
                let difference = x.holding(x.data()?.sub(&mean)?);
                let squares = x.holding(self.to_power(difference.data()?, 2)?);
                let Some(to_difference) = self.shared_by(&squares, relevance, context)? else {
                    return Ok(None);
                };
                let subtraction = Sum { factors: vec![1.0, -1.0], constant: 0.0 };
                let terms = [x.clone(), x.holding(mean)];
                let mut shares = subtraction.backtrace(&terms, &[Some(to_difference)], context)?;
                let (to_mean, to_x) = (shares.pop().flatten(), shares.pop().flatten());
                let (Some(to_mean), Some(to_x)) = (to_mean, to_x) else { return Ok(None) };
                let of_mean = self.shared_by(x, &to_mean, context)?;
                of_mean.map(|of_mean| to_x.accumulate(&of_mean)).transpose()
            }
            Measure::LogSumExp => {
                let weights = x.holding(self.softmax(x.data()?)?);
                self.shared_by(&weights, relevance, context)
            }
            Measure::Norm(_) | Measure::Other => {
                let Some(power) = self.power() else {
                    return alone(&Unruled::default(), x, relevance, context);
                };
                let powers = x.holding(self.to_power(x.data()?, power)?);
                self.shared_by(&powers, relevance, context)
            }
        }
    }

    /// The rule of a sum of such terms.
    fn shared_by<T: Tensor>(
        &self,
        terms: &Operand<T>,
        relevance: &Relevance<T>,
        context: &mut Context<'_, T>,
    ) -> Result<Option<Relevance<T>>> {
        alone(&Reduce { axes: self.axes.clone() }, terms, relevance, context)
    }

    /// |x|ᵖ relative to the largest |x|, so that no power overflows.
    fn to_power<T: Tensor>(&self, x: &T, power: u32) -> Result<T> {
        let size = x.abs()?;
        let (relative, _) = size.quotient(&size.max_over(&self.axes)?)?;
        (1..power).try_fold(relative.clone(), |product, _| product.mul(&relative))
    }

    /// Softmax over all the axes together.
    fn softmax<T: Tensor>(&self, x: &T) -> Result<T> {
        let shape = x.shape();
        let stay = (0..shape.len()).filter(|axis| !self.axes.contains(axis));
        let moving = Permute { order: stay.chain(self.axes.iter().copied()).collect() };
        let moved = x.permute(&moving.order)?;
        let extents = moved.shape();
        let (rows, reduced) = extents.split_at(extents.len() - self.axes.len());
        let table = moved.reshape(&[rows, &[reduced.iter().product()]].concat())?;
        table.softmax()?.reshape(&extents)?.permute(&moving.inverse()?)
    }
}

/// The share that an operator's rule gives its only operand.
fn alone<T: Tensor>(
    op: &dyn BacktraceOp<T>,
    operand: &Operand<T>,
    relevance: &Relevance<T>,
    context: &mut Context<'_, T>,
) -> Result<Option<Relevance<T>>> {
    let mut shares = op.backtrace(std::slice::from_ref(operand), &[Some(relevance.clone())], context)?;
    Ok(shares.pop().flatten())
}
