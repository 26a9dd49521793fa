//! Sums and differences of broadcast operands (rules §2): each takes its share |x| / Σ|x|.

use super::pieces::movement::volume;
use crate::maps::Broadcast;
use crate::op::arrived;
use crate::row_block::column_sizes;
use crate::rules::Rule;
use crate::weighted_sum::{Term, Variant, WeightedSum};
use crate::{
    Affine, BacktraceOp, Context, Family, Mode, Operand, Range, Relevance, Result, Role, Rows, Tensor,
    ValueId,
};

/// y = Σₖ αₖ xₖ + c. Operands broadcast.
#[derive(Debug, Clone)]
pub struct Sum {
    /// αₖ, one for each operand.
    pub factors: Vec<f64>,
    /// c
    pub constant: f64,
}

impl Sum {
    /// a + b.
    pub fn add() -> Self {
        Self { factors: vec![1.0, 1.0], constant: 0.0 }
    }
}

impl<T: Tensor> BacktraceOp<T> for Sum {
    fn family(&self) -> Family {
        Family::WeightedSum
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        let plain = self.constant == 0.0 && self.factors == [1.0, 1.0];
        Role::Sum { plain, constant: self.constant }
    }

    fn rows(&self, _: &[Operand<T>], _: usize) -> Option<Rows> {
        Some(Rows::Same)
    }

    fn affine(&self, operands: &[Operand<T>]) -> Result<Option<Affine<T>>> {
        let ([a, b], &[of_a, of_b]) = (operands, self.factors.as_slice()) else { return Ok(None) };
        let (operand, factor, constant, times) =
            if a.depends { (0, of_a, b, of_b) } else { (1, of_b, a, of_a) };
        let Some(constant) = constant.data.as_ref().filter(|_| a.depends != b.depends) else {
            return Ok(None);
        };
        let shift = constant.affine(times, self.constant)?;
        Ok(Some(Affine { operand, scale: shift.full(&[], factor)?, shift }))
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let relevance = arrived(arriving)?;
        let shape = relevance.shape();
        let columns = shape.last().copied().unwrap_or(1);
        // Columns that need no arithmetic are those of DLBacktrace's own rule.
        let free = match context.rule() {
            Rule::Backtrace => self.unopposed(operands, relevance)?,
            _ => 0,
        };
        match free {
            0 => self.finite_shares(operands, relevance, context),
            all if all == columns => {
                Ok(operands.iter().map(|x| x.depends.then(|| relevance.clone())).collect())
            }
            free => {
                let rest = |x: &T| columns_of(x, Range::span(free, columns - free));
                let taken = relevance.map(|channel| columns_of(channel, Range::span(0, free)))?;
                let operands = operands.iter().map(|x| Ok(x.holding(rest(x.data()?)?)));
                let operands = operands.collect::<Result<Vec<_>>>()?;
                let shares = self.finite_shares(&operands, &relevance.map(rest)?, context)?;
                let whole = |share: Relevance<T>| Relevance::concat(&[taken.clone(), share], shape.len() - 1);
                shares.into_iter().map(|share| share.map(whole).transpose()).collect()
            }
        }
    }
}

/// From this size on, it is worth looking for columns that need no arithmetic.
const LARGE: usize = 1 << 16;

impl Sum {
    /// The number of leading columns in which every constant operand is 0, as in scores before a mask begins. There the one
    /// moving operand takes everything, unless it is 0 itself.
    fn unopposed<T: Tensor>(&self, operands: &[Operand<T>], relevance: &Relevance<T>) -> Result<usize> {
        let shape = relevance.shape();
        let size = volume(&shape);
        let mut moving = operands.iter().zip(&self.factors).filter(|(operand, _)| operand.depends);
        let (Some((x, &factor)), None) = (moving.next(), moving.next()) else { return Ok(0) };
        let constants = || operands.iter().filter(|operand| !operand.depends);
        let plain = relevance.mode() == Mode::Default && self.constant == 0.0 && factor != 0.0;
        let small = constants().all(|constant| 4 * volume(&constant.meta.shape) <= size);
        if !plain || !small || size < LARGE || x.meta.shape != shape {
            return Ok(0);
        }
        let columns = shape.last().copied().unwrap_or(1);
        let mut free = columns;
        for constant in constants() {
            free = free.min(zero_columns(constant.data()?, columns)?);
        }
        if 2 * free < columns {
            return Ok(0);
        }
        let least = columns_of(x.data()?, Range::span(0, free))?.abs()?.least()?;
        Ok(if least >= x.meta.dtype.negligible() { free } else { 0 })
    }

    /// The shares, where an operand of ±∞, such as a mask or masked scores, takes no part: no relevance arrives there, and its
    /// infinite share of 0 must not become NaN. Constants are small, so they are bounded at once; others only if they are infinite.
    fn finite_shares<T: Tensor>(
        &self,
        operands: &[Operand<T>],
        relevance: &Relevance<T>,
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let bounded = |operand: &Operand<T>| Ok(operand.holding(operand.data()?.bounded()?));
        let or_bounded =
            |operand: &Operand<T>| if operand.depends { Ok(operand.clone()) } else { bounded(operand) };
        let operands = operands.iter().map(or_bounded).collect::<Result<Vec<_>>>()?;
        let mut attempt = context.part();
        let shares = self.shares(&operands, relevance, &mut attempt)?;
        let handed = shares.iter().flatten().map(Relevance::amount).collect::<Result<Vec<_>>>()?;
        if handed.iter().chain(attempt.lost().values()).any(|amount| amount.magnitude().is_nan()) {
            let operands = operands.iter().map(bounded).collect::<Result<Vec<_>>>()?;
            return self.shares(&operands, relevance, context);
        }
        attempt.lost().iter().for_each(|(&loss, &amount)| context.lose(loss, amount));
        Ok(shares)
    }

    fn shares<T: Tensor>(
        &self,
        operands: &[Operand<T>],
        relevance: &Relevance<T>,
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let shape = relevance.shape();
        let mut summed = operands.to_vec();
        if self.constant != 0.0 {
            // If no operand has the full shape, a number of that shape makes every intermediate as large.
            let full = operands.iter().all(|operand| operand.meta.shape != shape);
            let number = relevance.first().full(if full { &shape } else { &[] }, self.constant)?;
            summed.push(Operand::new(ValueId(usize::MAX), number));
        }
        let terms = summed
            .iter()
            .zip(self.factors.iter().copied().chain([1.0]))
            .map(|(operand, factor)| Term {
                operand,
                map: Box::new(Broadcast { factor, from: operand.meta.shape.clone() }),
            })
            .collect();
        let sum = WeightedSum { terms, bias: None, variant: Variant::Linear, result: None };
        let mut shares = sum.backtrace(relevance, context)?;
        shares.truncate(operands.len());
        Ok(shares)
    }
}

/// Some of the columns; an axis of extent 1 broadcasts.
fn columns_of<T: Tensor>(x: &T, columns: Range) -> Result<T> {
    let mut region = Range::whole(&x.shape());
    if let Some(range) = region.last_mut().filter(|range| range.len != 1) {
        *range = columns;
    }
    x.slice(&region)
}

/// The number of leading columns that are 0 in a constant that broadcasts. NaN is not 0.
fn zero_columns<T: Tensor>(constant: &T, columns: usize) -> Result<usize> {
    let sizes = column_sizes(constant)?;
    Ok(match sizes.iter().position(|size| *size != 0.0) {
        None => columns,
        Some(_) if sizes.len() == 1 => 0,
        Some(free) => free,
    })
}
