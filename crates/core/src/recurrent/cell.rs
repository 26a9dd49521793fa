//! One step of a recurrent cell (rules §6).

use super::{Cell, Layer, exactly};
use crate::ops::Sum;
use crate::{Error, Operand, Result, TapeWriter, Tensor, Unary};

impl<T: Tensor> Layer<T> {
    /// The state after a step, h first, from x = W x + b and the state before.
    pub(super) fn step(
        &self,
        writer: &mut TapeWriter<T>,
        x: &Operand<T>,
        state: &[Operand<T>],
    ) -> Result<Vec<Operand<T>>> {
        let [hidden, memory @ ..] = state else {
            return Err(Error::Shape("a recurrent cell without a state".into()));
        };
        let r = writer.linear(hidden, &self.recurrent, self.recurrent_bias.as_ref())?;
        match (self.cell, memory) {
            (Cell::Lstm, [memory]) => self.lstm(writer, x, &r, memory),
            (Cell::Gru, []) => Ok(vec![gru(writer, x, &r, hidden)?]),
            (Cell::Tanh, []) => Ok(vec![activated(&writer.sum(x, &r)?, Unary::Tanh)?]),
            (Cell::Relu, []) => Ok(vec![activated(&writer.sum(x, &r)?, Unary::Positive)?]),
            _ => Err(Error::Shape(format!("a state of {} parts for {:?}", state.len(), self.cell))),
        }
    }

    fn lstm(
        &self,
        writer: &mut TapeWriter<T>,
        x: &Operand<T>,
        r: &Operand<T>,
        memory: &Operand<T>,
    ) -> Result<Vec<Operand<T>>> {
        let gates = writer.sum(x, r)?;
        let [i, f, g, o] = exactly(writer.parts(&gates, 1, &[columns(memory); 4])?)?;
        let kept = writer.product(&activated(&f, Unary::Sigmoid)?, memory)?;
        let added = writer.product(&activated(&i, Unary::Sigmoid)?, &activated(&g, Unary::Tanh)?)?;
        let memory = writer.sum(&kept, &added)?;
        let shown = activated(&memory, Unary::Tanh)?;
        let hidden = writer.product(&activated(&o, Unary::Sigmoid)?, &shown)?;
        let hidden = match &self.projection {
            Some(projection) => writer.linear(&hidden, projection, None)?,
            None => hidden,
        };
        Ok(vec![hidden, memory])
    }
}

fn gru<T: Tensor>(
    writer: &mut TapeWriter<T>,
    x: &Operand<T>,
    r: &Operand<T>,
    hidden: &Operand<T>,
) -> Result<Operand<T>> {
    let width = columns(hidden);
    let [x_gates, x_new] = exactly(writer.parts(x, 1, &[2 * width, width])?)?;
    let [r_gates, r_new] = exactly(writer.parts(r, 1, &[2 * width, width])?)?;
    let gates = activated(&writer.sum(&x_gates, &r_gates)?, Unary::Sigmoid)?;
    let [reset, update] = exactly(writer.parts(&gates, 1, &[width; 2])?)?;
    let recalled = writer.product(&reset, &r_new)?;
    let new = activated(&writer.sum(&x_new, &recalled)?, Unary::Tanh)?;
    let rest = update.data()?.complement()?;
    let rest = writer.inner(Box::new(Sum { factors: vec![-1.0], constant: 1.0 }), vec![update.clone()], rest);
    let replaced = writer.product(&rest, &new)?;
    let kept = writer.product(&update, hidden)?;
    writer.sum(&replaced, &kept)
}

/// An activation passes on what it receives (rules §5), so it needs no step: what reads it has the data of the
/// result and the value of the argument.
fn activated<T: Tensor>(x: &Operand<T>, function: Unary) -> Result<Operand<T>> {
    Ok(Operand { data: Some(x.data()?.unary(function)?), ..x.clone() })
}

fn columns<T>(x: &Operand<T>) -> usize {
    x.meta.shape.last().copied().unwrap_or(0)
}
