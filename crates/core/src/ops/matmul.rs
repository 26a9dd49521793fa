//! Matrix products and linear layers (rules §2 with one constant operand, §4 with none).

use super::pieces::bilinear::backtrace_bilinear;
use super::pieces::live_rows::LiveRows;
use super::{Multiply, viewed};
use crate::maps::{Dense, Side};
use crate::op::arrived;
use crate::weighted_sum::{Term, Variant};
use crate::{BacktraceOp, Context, Error, Family, Features, Operand, Relevance, Result, Role, Rows, Tensor};

/// y = a·b + c over the last two axes; leading axes broadcast; one-dimensional operands as in NumPy. Operands: a, b, and
/// possibly c (a bias with one entry for each output feature).
#[derive(Debug, Clone)]
pub struct MatMul {
    /// Whether b is stored transposed, as the weight `[out, in]` of a linear layer.
    pub transposed: bool,
}

impl<T: Tensor> Multiply<T> for MatMul {
    fn multiply(&self, a: &T, b: &T) -> Result<T> {
        let (rows, columns) = (a.shape(), b.shape());
        let left = if let [length] = rows[..] { a.reshape(&[1, length])? } else { a.clone() };
        let right = match columns[..] {
            [length] if self.transposed => b.reshape(&[1, length])?,
            [length] => b.reshape(&[length, 1])?,
            _ => b.clone(),
        };
        let product = left.matmul(&if self.transposed { right.transpose()? } else { right })?;
        let mut shape = product.shape();
        if columns.len() == 1 {
            shape.pop();
        }
        if rows.len() == 1 {
            shape.remove(shape.len() - 2 + usize::from(columns.len() == 1));
        }
        product.reshape(&shape)
    }
}

impl<T: Tensor> BacktraceOp<T> for MatMul {
    fn family(&self) -> Family {
        Family::WeightedSum
    }

    fn role(&self, operands: &[Operand<T>]) -> Role {
        match operands {
            [a, b, ..] if a.depends && !b.depends && b.meta.shape.len() > 1 => Role::Linear { features: 1 },
            // W·x, or a vector of weights: output features are not the last axis, so no vector added to it is a bias.
            [a, b, ..] if a.depends != b.depends => Role::Linear { features: 0 },
            _ => Role::Bilinear,
        }
    }

    fn rows(&self, operands: &[Operand<T>], input: usize) -> Option<Rows> {
        let [a, b] = operands else { return None };
        let moving = |x: &Operand<T>| x.depends && x.meta.shape.len() > 1;
        (moving(a) && moving(b)).then_some(match input {
            0 => Rows::Left,
            _ => Rows::Right { transposed: self.transposed },
        })
    }

    fn multiplies(&self, input: usize) -> bool {
        input < 2
    }

    fn reads_result(&self) -> bool {
        true
    }

    fn features(&self, operands: &[Operand<T>]) -> Option<Features> {
        let [a, weight, ..] = operands else { return None };
        let [_, _] = weight.meta.shape.as_slice() else { return None };
        let axes = if self.transposed { [0, 1] } else { [1, 0] };
        let [outputs, inputs] = axes.map(|axis| vec![axis]);
        let view = weight.meta.shape.clone();
        (a.depends && !weight.depends).then_some(Features { view, outputs, inputs, uniform: true })
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let [a, b, bias @ ..] = operands else {
            return Err(Error::Uncovered("a matrix product takes two operands".into()));
        };
        let (left, right) = (self.left(a)?, self.right(b)?);
        let relevance = arrived(arriving)?;
        let full = product_shape(&left.meta.shape, &right.meta.shape, self.transposed)?;
        let relevance = relevance.map_conserving(|channel| channel.reshape(&full))?;
        context.result = context.result.take().map(|result| result.reshape(&full)).transpose()?;
        let mut shares = self.shares(&left, &right, bias.first(), &relevance, context)?;
        for (share, operand) in shares.iter_mut().zip(operands) {
            if let Some(found) = share {
                *share = Some(found.map_conserving(|channel| channel.reshape(&operand.meta.shape))?);
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
        if b.depends && self.transposed {
            let upright = b.holding(b.data()?.transpose()?);
            let mut shares = Self { transposed: false }.shares(a, &upright, bias, relevance, context)?;
            if let Some(Some(share)) = shares.get_mut(1) {
                *share = share.map_conserving(Tensor::transpose)?;
            }
            return Ok(shares);
        }
        if a.depends && b.depends {
            let Some(bias) = bias else {
                return Ok(backtrace_bilinear(a, b, relevance, context)?.into());
            };
            let product = a.holding(a.data()?.matmul(b.data()?)?);
            let term = Term::itself(&product);
            let [to_product, to_bias] =
                term.backtrace_biased(Some(bias), Variant::Linear, relevance, context)?;
            let shares = to_product.map(|share| backtrace_bilinear(a, b, &share, context)).transpose()?;
            let [to_a, to_b] = shares.unwrap_or([None, None]);
            return Ok(vec![to_a, to_b, to_bias]);
        }
        let (x, weight, transposed, side) =
            if b.depends { (b, a, false, Side::Right) } else { (a, b, self.transposed, Side::Left) };
        let by_rows = side == Side::Left
            && weight.meta.shape.len() == 2
            && bias.is_none_or(|bias| !bias.depends && bias.meta.shape.len() <= 1);
        let factor = Factor { weight, transposed, side };
        let rows = if by_rows { LiveRows::of(relevance)? } else { None };
        let Some(rows) = rows else {
            return linear(x, &factor, bias, relevance, context);
        };
        let relevance = relevance.map(|channel| rows.pick(channel))?;
        context.result = context.result.take().map(|result| rows.pick(&result)).transpose()?;
        let mut shares = linear(&rows.operand(x)?, &factor, bias, &relevance, context)?;
        if let Some(Some(share)) = shares.first_mut() {
            *share = share.map_conserving(|channel| rows.place(channel, &x.meta.shape))?;
        }
        Ok(shares)
    }
}

/// The constant factor of a product.
struct Factor<'a, T> {
    weight: &'a Operand<T>,
    transposed: bool,
    side: Side,
}

/// The shares of the operands in their order: a, b and, if there is one, the bias.
fn linear<T: Tensor>(
    x: &Operand<T>,
    &Factor { weight, transposed, side }: &Factor<'_, T>,
    bias: Option<&Operand<T>>,
    relevance: &Relevance<T>,
    context: &mut Context<'_, T>,
) -> Result<Vec<Option<Relevance<T>>>> {
    let from = x.meta.shape.clone();
    let map = Box::new(Dense { weight, transposed, side, from, weights: context.weights });
    let product = Term { operand: x, map };
    let [share, to_bias] = product.backtrace_biased(bias, Variant::Linear, relevance, context)?;
    let mut shares = match side {
        Side::Left => vec![share, None],
        Side::Right => vec![None, share],
    };
    if bias.is_some() {
        shares.push(to_bias);
    }
    Ok(shares)
}

/// The shape of a·b, for operands with at least two axes.
fn product_shape(a: &[usize], b: &[usize], transposed: bool) -> Result<Vec<usize>> {
    let ([lead_a @ .., rows, inner_a], [lead_b @ .., b0, b1]) = (a, b) else {
        return Err(Error::Uncovered(format!(
            "a matrix product needs operands of two axes, not {a:?} and {b:?}"
        )));
    };
    let (inner_b, columns) = if transposed { (b1, b0) } else { (b0, b1) };
    if inner_a != inner_b {
        return Err(Error::Uncovered(format!("matrices of shapes {a:?} and {b:?} do not multiply")));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::ops::Sum;
    use crate::ops::pieces::testing::{
        assert_close, channels, constant, moving, numbers, relevances, values,
    };
    use crate::{Gate, Loss, WeightCache};
    use std::collections::BTreeMap;

    /// What x receives in a layer with a bias, and what is lost.
    fn shares(
        x: &Array,
        relevance: &Relevance<Array>,
        gate: Option<Gate>,
    ) -> (Relevance<Array>, BTreeMap<Loss, f64>) {
        let weights = WeightCache::new(0);
        let mut context = Context::new(&weights);
        let (weight, bias) = (numbers(&[4, 3], 1).scale(6.0).unwrap(), numbers(&[4], 2));
        if gate.is_some() {
            context.gate = gate;
            context.result = Some(x.matmul(&weight.transpose().unwrap()).unwrap().add(&bias).unwrap());
        }
        let operands = [moving(x.clone()), constant(weight), constant(bias)];
        let layer = MatMul { transposed: true };
        let shares = layer.backtrace(&operands, &[Some(relevance.clone())], &mut context).unwrap();
        let lost = context.lost().iter().map(|(loss, amount)| (*loss, amount.magnitude())).collect();
        (shares.into_iter().next().flatten().unwrap(), lost)
    }

    /// Leaving rows without relevance out of the products changes nothing.
    #[test]
    fn rows_without_relevance_receive_none_and_take_none() {
        const ROWS: [usize; 3] = [1, 7, 30];
        let gate = Gate { lower: Some(-2.0), upper: Some(2.0), swish: None };
        for few in relevances(&[ROWS.len(), 4]) {
            for gate in [None, Some(gate)] {
                let x = numbers(&[2, 16, 3], 3);
                let index = x.indices(&ROWS.map(|row| row as i64)).unwrap();
                let spread =
                    |rows: &Array| rows.zeros(&[32, 4])?.index_add(0, &index, rows)?.reshape(&[2, 16, 4]);
                let (found, lost) = shares(&x, &few.map(spread).unwrap(), gate);
                let picked = x.reshape(&[32, 3]).unwrap().index_select(0, &index).unwrap();
                let (expected, expected_lost) = shares(&picked, &few, gate);
                assert_eq!(lost, expected_lost);
                for (found, expected) in channels(&found).into_iter().zip(channels(&expected)) {
                    let rows = found.reshape(&[32, 3]).unwrap();
                    let picked = rows.index_select(0, &index).unwrap();
                    assert_close(&values(&picked), &values(expected), 1e-12);
                    assert_close(&[found.total().unwrap()], &[expected.total().unwrap()], 1e-12);
                    let others =
                        (0..32).filter(|row| !ROWS.contains(row)).flat_map(|row| row * 3..row * 3 + 3);
                    assert!(others.map(|at| values(found)[at]).all(|value| value == 0.0));
                }
            }
        }
    }

    /// A product of moving factors with a bias is a product and a sum.
    #[test]
    fn moving_factors_and_a_bias() {
        let (a, b, c) = (moving(numbers(&[2, 3], 7)), moving(numbers(&[4, 3], 8)), numbers(&[4], 9));
        let weights = WeightCache::new(0);
        let product = a.data().unwrap().matmul(&b.data().unwrap().transpose().unwrap()).unwrap();
        for bias in [moving(c.clone()), constant(c)] {
            for relevance in relevances(&[2, 4]) {
                let mut context = Context::new(&weights);
                let operands = [a.clone(), b.clone(), bias.clone()];
                let layer = MatMul { transposed: true };
                let found = layer.backtrace(&operands, &[Some(relevance.clone())], &mut context).unwrap();
                let mut apart = Context::new(&weights);
                let terms = [moving(product.clone()), bias.clone()];
                let sums = Sum::add().backtrace(&terms, &[Some(relevance)], &mut apart).unwrap();
                let mut expected = layer.backtrace(&operands[..2], &sums[..1], &mut apart).unwrap();
                expected.push(sums[1].clone());
                for (found, expected) in found.iter().zip(&expected) {
                    let all = |share: &Option<Relevance<Array>>| -> Vec<f64> {
                        share.iter().flat_map(channels).flat_map(values).collect()
                    };
                    assert_close(&all(found), &all(expected), 1e-12);
                }
                let lost = |context: &Context<'_, Array>| -> f64 {
                    context.lost().values().map(|amount| amount.magnitude()).sum()
                };
                assert_close(&[lost(&context)], &[lost(&apart)], 1e-12);
            }
        }
    }

    /// A known result gives the same gate as a computed one.
    #[test]
    fn a_gate_reads_a_known_result() {
        let x = numbers(&[5, 3], 4);
        let weights = WeightCache::new(0);
        let (weight, bias) = (numbers(&[4, 3], 5).scale(6.0).unwrap(), numbers(&[4], 6));
        let result = x.matmul(&weight.transpose().unwrap()).unwrap().add(&bias).unwrap();
        let operands = [moving(x), constant(weight), constant(bias)];
        let [relevance, _] = relevances(&[5, 4]);
        let found = [Some(result), None].map(|result| {
            let mut context = Context::new(&weights);
            context.gate = Some(Gate { lower: Some(-2.0), upper: Some(2.0), swish: None });
            context.result = result;
            let outputs = [Some(relevance.clone())];
            let shares = MatMul { transposed: true }.backtrace(&operands, &outputs, &mut context).unwrap();
            values(shares[0].as_ref().unwrap().first())
        });
        assert_close(&found[0], &found[1], 1e-12);
    }
}
