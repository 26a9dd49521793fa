//! The rules for the parts of a cell, for the rows of all steps at once.
//!
//! The rule of a product, and in default mode that of a sum, is linear in what arrives, element by element. So its shares of 1
//! are computed once, for all rows, and give its shares of any R; a walk over the steps needs only a few products. What the
//! rule loses is booked for all rows at once, when all steps are walked.

use super::pieces::{Piece, rows, stacked};
use crate::ops::{MatMul, Product, Sum};
use crate::weighted_sum::Prepared;
use crate::{
    BacktraceOp, Context, Error, Family, Mode, Operand, Part, Range, Relevance, Result, Tensor, ValueId,
};

/// Relevance that flows between rules; `None` if none arrived.
pub(super) type Flow<T> = Option<Relevance<T>>;

/// A value that is not on the tape, and whether it depends on an explained input.
pub(super) fn made<T: Tensor>(data: T, depends: bool) -> Operand<T> {
    Operand { depends, ..Operand::new(ValueId(0), data) }
}

/// Some rows of an operand.
pub(super) fn part<T: Tensor>(x: &Operand<T>, place: Range) -> Result<Operand<T>> {
    Ok(Operand { value: x.value, ..made(rows(x.data()?, place)?, x.depends) })
}

/// Two flows of one value.
pub(super) fn both<T: Tensor>(a: Flow<T>, b: Flow<T>) -> Result<Flow<T>> {
    match (a, b) {
        (Some(a), Some(b)) => a.accumulate(&b).map(Some),
        (a, b) => Ok(a.or(b)),
    }
}

/// Flows of neighbouring columns, each with its width.
pub(super) fn beside<T: Tensor, const N: usize>(columns: [(Flow<T>, usize); N]) -> Result<Flow<T>> {
    let Some(like) = columns.iter().find_map(|(flow, _)| flow.clone()) else { return Ok(None) };
    let rows = like.shape()[0];
    let columns = columns.into_iter().map(|(flow, width)| match flow {
        Some(flow) => Ok(flow),
        None => like.map(|channel| channel.zeros(&[rows, width])),
    });
    Relevance::concat(&columns.collect::<Result<Vec<_>>>()?, 1).map(Some)
}

/// A sum or product of N operands.
#[derive(Debug)]
pub(super) struct Rule<T, const N: usize> {
    op: Box<dyn BacktraceOp<T>>,
    operands: [Operand<T>; N],
    /// The shares of 1, piece by piece.
    factors: Option<[Option<Vec<T>>; N]>,
    /// Whether a part of 1 is lost, and so a part of what arrives.
    loses: bool,
    /// What has arrived and at which rows, if some of it is lost.
    arrived: Vec<(Range, Relevance<T>)>,
}

impl<T: Tensor, const N: usize> Rule<T, N> {
    /// The rule for operands that are not on the tape.
    pub(super) fn new(op: impl BacktraceOp<T> + 'static, operands: [Operand<T>; N]) -> Self {
        let mut operands = operands;
        for (number, operand) in operands.iter_mut().enumerate() {
            operand.value = ValueId(number);
        }
        Self { op: Box::new(op), operands, factors: None, loses: false, arrived: Vec::new() }
    }

    /// Prepares the rows of all steps in advance, if the rule allows it. `extents` are the numbers of rows in the pieces.
    pub(super) fn prepare(&mut self, mode: Mode, extents: &[usize], context: &Context<'_, T>) -> Result<()> {
        let one = self.operands[0].data()?.full(&self.operands[0].meta.shape, 1.0)?;
        let one = match (mode, self.op.family()) {
            (Mode::Default, _) => Relevance::default_mode(one),
            (Mode::Contrastive, Family::Product) => Relevance::contrastive(one.clone(), one),
            (Mode::Contrastive, _) => return Ok(()),
        };
        let mut of_one = Context::new(context.weights);
        let shares = self.shares(&self.operands, one, &mut of_one)?;
        self.loses = !of_one.lost().is_empty();
        let by_pieces = |share: Flow<T>| share.map(|share| share.first().split(0, extents)).transpose();
        self.factors = Some(exactly(shares.into_iter().map(by_pieces))?);
        Ok(())
    }

    /// The shares of the operands for some rows.
    pub(super) fn divide(
        &mut self,
        piece: &Piece,
        relevance: Flow<T>,
        context: &mut Context<'_, T>,
    ) -> Result<[Flow<T>; N]> {
        let Some(relevance) = relevance else { return Ok([const { None }; N]) };
        let Some(factors) = &self.factors else {
            let operands = exactly(self.operands.iter().map(|operand| part(operand, piece.rows)))?;
            return self.shares(&operands, relevance, context);
        };
        let shares = exactly(factors.iter().map(|factor| {
            let factor = factor.as_ref().map(|factors| &factors[piece.number]);
            factor.map(|factor| relevance.map(|channel| channel.mul(factor))).transpose()
        }));
        if self.loses {
            self.arrived.push((piece.rows, relevance));
        }
        shares
    }

    /// Books what the rows of all steps lost.
    pub(super) fn settle(&mut self, context: &mut Context<'_, T>) -> Result<()> {
        let arrived = stacked(std::mem::take(&mut self.arrived), self.operands[0].meta.shape[0])?;
        if let Some(arrived) = arrived {
            self.shares(&self.operands, arrived, context)?;
        }
        Ok(())
    }

    fn shares(
        &self,
        operands: &[Operand<T>; N],
        relevance: Relevance<T>,
        context: &mut Context<'_, T>,
    ) -> Result<[Flow<T>; N]> {
        exactly(self.op.backtrace(operands, &[Some(relevance)], context)?.into_iter().map(Ok))
    }
}

impl<T: Tensor> Rule<T, 2> {
    /// a + b, and its value.
    pub(super) fn sum(a: Operand<T>, b: Operand<T>) -> Result<(Self, Operand<T>)> {
        let value = made(a.data()?.add(b.data()?)?, a.depends || b.depends);
        Ok((Self::new(Sum::add(), [a, b]), value))
    }

    /// a · b, and its value.
    pub(super) fn product(a: Operand<T>, b: Operand<T>) -> Result<(Self, Operand<T>)> {
        let value = made(a.data()?.mul(b.data()?)?, a.depends || b.depends);
        Ok((Self::new(Product, [a, b]), value))
    }
}

impl<T: Tensor> Rule<T, 1> {
    /// 1 − x, a sum with the constant 1, and its value.
    pub(super) fn complement(x: Operand<T>) -> Result<(Self, Operand<T>)> {
        let value = made(x.data()?.complement()?, x.depends);
        Ok((Self::new(Sum { factors: vec![-1.0], constant: 1.0 }, [x]), value))
    }
}

/// x·Wᵀ + b with constant W and b.
#[derive(Debug)]
pub(super) struct Linear<T> {
    x: Operand<T>,
    weight: Operand<T>,
    bias: Option<Operand<T>>,
    ahead: Option<Ahead<T>>,
}

/// The default rule, prepared for all rows.
#[derive(Debug)]
struct Ahead<T> {
    rule: Prepared<T>,
    /// What has arrived and at which rows, if some units are dead.
    arrived: Vec<(Range, Relevance<T>)>,
    /// R ⊘ (|W||x| + |b|) and its rows, if there is a bias.
    per_unit: Vec<(Range, Relevance<T>)>,
}

impl<T: Tensor> Linear<T> {
    /// The layer, and its value.
    pub(super) fn new(
        x: Operand<T>,
        weight: &Operand<T>,
        bias: Option<&Operand<T>>,
    ) -> Result<(Self, Operand<T>)> {
        let mut value = x.data()?.matmul(&weight.data()?.transpose()?)?;
        if let Some(bias) = bias {
            value = value.add(bias.data()?)?;
        }
        let value = made(value, x.depends);
        Ok((Self { x, weight: weight.clone(), bias: bias.cloned(), ahead: None }, value))
    }

    /// As [`Rule::prepare`].
    pub(super) fn prepare(&mut self, mode: Mode, extents: &[usize], context: &Context<'_, T>) -> Result<()> {
        if mode == Mode::Contrastive {
            return Ok(());
        }
        let weight = context.weights.part(self.weight.weight, Part::Abs, self.weight.data()?)?;
        let bias = self.bias.as_ref().map(Operand::data).transpose()?;
        let rule = Prepared::new(self.x.data()?, weight, bias, extents)?;
        self.ahead = Some(Ahead { rule, arrived: Vec::new(), per_unit: Vec::new() });
        Ok(())
    }

    /// The share for some rows.
    pub(super) fn divide(
        &mut self,
        piece: &Piece,
        relevance: Flow<T>,
        context: &mut Context<'_, T>,
    ) -> Result<Flow<T>> {
        let Some(relevance) = relevance else { return Ok(None) };
        let Some(ahead) = &mut self.ahead else {
            let mut operands = vec![part(&self.x, piece.rows)?, self.weight.clone()];
            operands.extend(self.bias.clone());
            let shares = MatMul { transposed: true }.backtrace(&operands, &[Some(relevance)], context)?;
            return Ok(shares.into_iter().next().flatten());
        };
        let (share, per_unit) = ahead.rule.backtrace(piece.number, &relevance)?;
        if ahead.rule.has_dead_units() {
            ahead.arrived.push((piece.rows, relevance));
        }
        if ahead.rule.has_bias() {
            ahead.per_unit.push((piece.rows, per_unit));
        }
        Ok(Some(share))
    }

    /// As [`Rule::settle`].
    pub(super) fn settle(&mut self, context: &mut Context<'_, T>) -> Result<()> {
        let Some(ahead) = &mut self.ahead else { return Ok(()) };
        let count = self.x.meta.shape[0];
        let arrived = stacked(std::mem::take(&mut ahead.arrived), count)?;
        let per_unit = stacked(std::mem::take(&mut ahead.per_unit), count)?;
        ahead.rule.settle(arrived.as_ref(), per_unit.as_ref(), context)
    }
}

/// Takes exactly `N`.
fn exactly<X, const N: usize>(found: impl Iterator<Item = Result<X>>) -> Result<[X; N]> {
    let found = found.collect::<Result<Vec<_>>>()?;
    found.try_into().map_err(|_| Error::Uncovered(format!("a recurrent cell has {N} parts")))
}
