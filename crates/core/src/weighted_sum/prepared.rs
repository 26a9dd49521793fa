//! The default rule of y = Wx + b, prepared for relevance that arrives some rows at a time, as at the steps of a recurrent
//! layer. What does not depend on R is computed once, for all rows.

use super::book;
use crate::{Context, Relevance, Result, Tensor};

/// r = |x| ⊙ |W|ᵀ( R ⊙ i ) with i = 1 ⊘ ( |W||x| + |b| ), for rows x taken in pieces.
#[derive(Debug)]
pub(crate) struct Prepared<T> {
    /// |x|, piece by piece.
    x: Vec<T>,
    /// |W|
    weight: T,
    /// i, piece by piece.
    inverse: Vec<T>,
    /// 1 where |W||x| + |b| is 0; `None` if that is nowhere.
    dead: Option<T>,
    /// |b|
    bias: Option<T>,
}

impl<T: Tensor> Prepared<T> {
    /// Prepares the rows `x`. `weight` and `bias` are |W| and b; `extents` are the numbers of rows in the pieces.
    pub(crate) fn new(x: &T, weight: T, bias: Option<&T>, extents: &[usize]) -> Result<Self> {
        let bias = bias.map(Tensor::abs).transpose()?;
        let x = x.abs()?;
        let mut denominator = x.matmul(&weight.transpose()?)?;
        if let Some(bias) = &bias {
            denominator = denominator.add(bias)?;
        }
        let one = denominator.full(&denominator.shape(), 1.0)?;
        let (inverse, zeros) = one.quotient(&denominator)?;
        let dead = (zeros > 0.0).then(|| inverse.equal(&one.zeros(&[])?)).transpose()?;
        Ok(Self { x: x.split(0, extents)?, weight, inverse: inverse.split(0, extents)?, dead, bias })
    }

    /// r of a piece, and S = R ⊙ i.
    pub(crate) fn backtrace(
        &self,
        piece: usize,
        relevance: &Relevance<T>,
    ) -> Result<(Relevance<T>, Relevance<T>)> {
        let per_unit = relevance.map(|channel| channel.mul(&self.inverse[piece]))?;
        let share = per_unit.map(|channel| channel.matmul(&self.weight)?.mul(&self.x[piece]))?;
        Ok((share, per_unit))
    }

    /// Whether some units divide by 0, so that [`settle`](Self::settle) needs all R.
    pub(crate) fn has_dead_units(&self) -> bool {
        self.dead.is_some()
    }

    /// Whether there is a bias, so that [`settle`](Self::settle) needs all S.
    pub(crate) fn has_bias(&self) -> bool {
        self.bias.is_some()
    }

    /// Books what R lost over all rows, where S is R ⊙ i.
    pub(crate) fn settle(
        &self,
        relevance: Option<&Relevance<T>>,
        per_unit: Option<&Relevance<T>>,
        context: &mut Context<'_, T>,
    ) -> Result<()> {
        let met = |flow: Option<&Relevance<T>>, what: &Option<T>| {
            flow.zip(what.as_ref()).map(|(flow, what)| flow.first().dot(what)).transpose()
        };
        book(met(relevance, &self.dead)?.unwrap_or_default(), met(per_unit, &self.bias)?, context);
        Ok(())
    }
}
