//! Matrix products and linear layers (rules §2 with one constant operand, §4 with none).

use super::bilinear::backtrace_bilinear;
use super::viewed;
use crate::maps::{Broadcast, Dense, Side};
use crate::op::arrived;
use crate::weighted_sum::{Term, Variant, WeightedSum};
use crate::{BacktraceOp, Context, Error, Family, Operand, Relevance, Result, Role, Tensor};

/// y = a·b + c over the last two axes; leading axes broadcast; one-dimensional operands as in NumPy.
/// Operands: a, b, and c if any (a bias of one entry for each output feature).
#[derive(Debug, Clone)]
pub struct MatMul {
    /// Whether b is stored transposed, as the weight `[out, in]` of a linear layer.
    pub transposed: bool,
}

impl<T: Tensor> BacktraceOp<T> for MatMul {
    fn family(&self) -> Family {
        Family::WeightedSum
    }

    fn role(&self, inputs: &[Operand<T>]) -> Role {
        match inputs {
            [a, b, ..] if a.depends && !b.depends && b.meta.shape.len() > 1 => Role::Linear { features: 1 },
            // W·x, or a vector of weights: output features are not the last axis, so no vector added to it is a bias.
            [a, b, ..] if a.depends != b.depends => Role::Linear { features: 0 },
            _ => Role::Bilinear,
        }
    }

    fn backtrace(
        &self,
        inputs: &[Operand<T>],
        outputs: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let [a, b, bias @ ..] = inputs else {
            return Err(Error::Shape("a matrix product takes two operands".into()));
        };
        let (left, right) = (self.left(a)?, self.right(b)?);
        let relevance = arrived(outputs)?;
        let full = product_shape(&left.meta.shape, &right.meta.shape, self.transposed)?;
        let relevance = relevance.rearrange(|channel| channel.reshape(&full))?;
        let mut shares = self.shares(&left, &right, bias.first(), &relevance, context)?;
        for (share, operand) in shares.iter_mut().zip(inputs) {
            if let Some(found) = share {
                *share = Some(found.rearrange(|channel| channel.reshape(&operand.meta.shape))?);
            }
        }
        Ok(shares)
    }
}

impl MatMul {
    fn left<T: Tensor>(&self, a: &Operand<T>) -> Result<Operand<T>> {
        match *a.meta.shape.as_slice() {
            [length] => viewed(a, &[1, length]),
            _ => Ok(a.clone()),
        }
    }

    fn right<T: Tensor>(&self, b: &Operand<T>) -> Result<Operand<T>> {
        match *b.meta.shape.as_slice() {
            [length] if self.transposed => viewed(b, &[1, length]),
            [length] => viewed(b, &[length, 1]),
            _ => Ok(b.clone()),
        }
    }

    fn shares<T: Tensor>(
        &self,
        a: &Operand<T>,
        b: &Operand<T>,
        bias: Option<&Operand<T>>,
        relevance: &Relevance<T>,
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let moving_bias = bias.filter(|bias| bias.depends);
        if a.depends && b.depends {
            if bias.is_some() {
                return Err(Error::Shape(
                    "a bias on a product of two moving operands must be a step of its own".into(),
                ));
            }
            return self.bilinear(a, b, relevance, context);
        }
        let (x, weight, transposed, side) =
            if b.depends { (b, a, false, Side::Right) } else { (a, b, self.transposed, Side::Left) };
        if b.depends && self.transposed {
            return Err(Error::Shape(
                "a linear layer whose weight alone depends on the input has no rule".into(),
            ));
        }
        let from = x.meta.shape.clone();
        let mut terms = Vec::with_capacity(2);
        let map = Box::new(Dense { weight, transposed, side, from, weights: context.weights });
        terms.push(Term { operand: x, map });
        if let Some(operand) = moving_bias {
            terms.push(Term {
                operand,
                map: Box::new(Broadcast { factor: 1.0, from: operand.meta.shape.clone() }),
            });
        }
        let constant = bias.filter(|bias| !bias.depends).map(Operand::data).transpose()?.cloned();
        let mut found = WeightedSum { terms, bias: constant, variant: Variant::Linear }
            .backtrace(relevance, context)?
            .into_iter();
        let share = found.next().flatten();
        let mut shares = if b.depends { vec![None, share] } else { vec![share, None] };
        if bias.is_some() {
            shares.push(found.next().flatten());
        }
        Ok(shares)
    }

    fn bilinear<T: Tensor>(
        &self,
        a: &Operand<T>,
        b: &Operand<T>,
        relevance: &Relevance<T>,
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        if !self.transposed {
            return Ok(backtrace_bilinear(a, b, relevance, context)?.map(Some).into());
        }
        let mut upright = b.clone();
        upright.data = b.data.as_ref().map(Tensor::transpose).transpose()?;
        upright.meta.shape = upright.data()?.shape();
        let [share_a, share_b] = backtrace_bilinear(a, &upright, relevance, context)?;
        Ok(vec![Some(share_a), Some(share_b.rearrange(Tensor::transpose)?)])
    }
}

/// The shape of a·b for operands of at least two axes.
fn product_shape(a: &[usize], b: &[usize], transposed: bool) -> Result<Vec<usize>> {
    let ([lead_a @ .., rows, inner_a], [lead_b @ .., b0, b1]) = (a, b) else {
        return Err(Error::Shape(format!("a matrix product needs two axes, found {a:?} and {b:?}")));
    };
    let (inner_b, columns) = if transposed { (b1, b0) } else { (b0, b1) };
    if inner_a != inner_b {
        return Err(Error::Shape(format!("{a:?} and {b:?} do not multiply")));
    }
    let rank = lead_a.len().max(lead_b.len());
    let extent = |lead: &[usize], axis: usize| {
        (axis + lead.len()).checked_sub(rank).and_then(|axis| lead.get(axis)).copied().unwrap_or(1)
    };
    let mut shape: Vec<usize> =
        (0..rank).map(|axis| extent(lead_a, axis).max(extent(lead_b, axis))).collect();
    shape.extend([*rows, *columns]);
    Ok(shape)
}
