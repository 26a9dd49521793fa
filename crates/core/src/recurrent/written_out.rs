//! A layer written out, each operator of each cell a step of the tape, for rules that differ from operator to operator.

use super::pieces::{Piece, extents, in_order};
use super::{Cell, Parameters, Unrolled};
use crate::ops::{Pass, Sum};
use crate::{Error, Function, Operand, Range, Result, TapeWriter, Tensor, Unary};

/// Writes the steps of the recurrence on x = W x + b of all rows.
pub(super) fn unroll<T: Tensor>(
    writer: &mut TapeWriter<T>,
    cell: Cell,
    parameters: &Parameters<T>,
    pieces: &[Piece],
    x: &Operand<T>,
    state: &[Operand<T>],
) -> Result<Unrolled<T>> {
    let x = writer.parts(x, 0, &extents(pieces))?;
    let mut state: Vec<Samples<T>> = state.iter().map(Samples::new).collect();
    let mut hidden = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let before =
            state.iter_mut().map(|part| part.take(writer, piece.samples)).collect::<Result<Vec<_>>>()?;
        let after = step(writer, cell, parameters, &x[piece.number], &before)?;
        hidden.extend(after.first().cloned());
        for (part, after) in state.iter_mut().zip(after) {
            part.put(piece.samples, after);
        }
    }
    let hidden = in_order(pieces).into_iter().map(|index| hidden[index].clone()).collect();
    let state = state.into_iter().map(|part| part.joined(writer)).collect::<Result<Vec<_>>>()?;
    Ok(Unrolled { hidden: writer.concat(hidden, 0)?, state })
}

/// A part of the state: some samples after some values. Samples that have run are never joined with those that have not, so that
/// what no layer has read yet stays apart, and so does what is constant.
struct Samples<T>(Vec<(Range, Operand<T>)>);

impl<T: Tensor> Samples<T> {
    fn new(initial: &Operand<T>) -> Self {
        let count = initial.meta.shape.first().copied().unwrap_or(0);
        Self(vec![(Range::full(count), initial.clone())])
    }

    /// Takes some samples out.
    fn take(&mut self, writer: &mut TapeWriter<T>, place: Range) -> Result<Operand<T>> {
        let (mut taken, mut rest) = (Vec::new(), Vec::new());
        for (range, x) in self.0.drain(..) {
            let [from, to] = [place.start, place.start + place.len]
                .map(|at| at.clamp(range.start, range.start + range.len) - range.start);
            let mut cut = |start: usize, end: usize| rows(writer, &x, Range::span(start, end - start));
            if from < to {
                taken.push(cut(from, to)?);
            }
            let outside = [(0, from), (to, range.len)];
            for (start, end) in outside.into_iter().filter(|(start, end)| start < end) {
                rest.push((Range::span(range.start + start, end - start), cut(start, end)?));
            }
        }
        self.0 = rest;
        writer.concat(taken, 0)
    }

    fn put(&mut self, place: Range, x: Operand<T>) {
        self.0.push((place, x));
        self.0.sort_by_key(|(place, _)| place.start);
    }

    fn joined(self, writer: &mut TapeWriter<T>) -> Result<Operand<T>> {
        writer.concat(self.0.into_iter().map(|(_, x)| x).collect(), 0)
    }
}

/// One step of some samples: the parts of the state after it, h first.
fn step<T: Tensor>(
    writer: &mut TapeWriter<T>,
    cell: Cell,
    parameters: &Parameters<T>,
    x: &Operand<T>,
    state: &[Operand<T>],
) -> Result<Vec<Operand<T>>> {
    let hidden = state.first().ok_or_else(|| Error::Uncovered("a recurrent cell without a state".into()))?;
    let r = writer.linear(hidden, &parameters.recurrent, parameters.recurrent_bias.as_ref())?;
    match (cell, state) {
        (Cell::Lstm, [_, memory]) => {
            let sum = writer.sum(x, &r)?;
            let [i, f, g, o] = columns(writer, &sum)?;
            let [i, f, o] = [sigmoid(writer, &i)?, sigmoid(writer, &f)?, sigmoid(writer, &o)?];
            let g = tanh(writer, &g)?;
            let (kept, added) = (writer.product(&f, memory)?, writer.product(&i, &g)?);
            let memory = writer.sum(&kept, &added)?;
            let shown = tanh(writer, &memory)?;
            let mut hidden = writer.product(&o, &shown)?;
            if let Some(projection) = &parameters.projection {
                hidden = writer.linear(&hidden, projection, None)?;
            }
            Ok(vec![hidden, memory])
        }
        (Cell::Gru, [hidden]) => {
            let ([x_r, x_z, x_n], [r_r, r_z, r_n]) = (columns(writer, x)?, columns(writer, &r)?);
            let (reset, update) = (writer.sum(&x_r, &r_r)?, writer.sum(&x_z, &r_z)?);
            let (reset, update) = (sigmoid(writer, &reset)?, sigmoid(writer, &update)?);
            let recalled = writer.product(&reset, &r_n)?;
            let new = writer.sum(&x_n, &recalled)?;
            let new = tanh(writer, &new)?;
            let complement = Box::new(Sum { factors: vec![-1.0], constant: 1.0 });
            let rest = update.data()?.complement()?;
            let rest = writer.inner(complement, vec![update.clone()], rest);
            let (replaced, kept) = (writer.product(&rest, &new)?, writer.product(&update, hidden)?);
            Ok(vec![writer.sum(&replaced, &kept)?])
        }
        (Cell::Tanh, [_]) => {
            let sum = writer.sum(x, &r)?;
            Ok(vec![tanh(writer, &sum)?])
        }
        (Cell::Relu, [_]) => {
            let sum = writer.sum(x, &r)?;
            Ok(vec![activated(writer, &sum, Function::Rectifier, Unary::Positive)?])
        }
        _ => Err(Error::Uncovered(format!("a state of {} parts for {cell:?}", state.len()))),
    }
}

/// As many columns of equal width as there are gates.
fn columns<T: Tensor, const N: usize>(writer: &mut TapeWriter<T>, x: &Operand<T>) -> Result<[Operand<T>; N]> {
    let width = x.meta.shape.last().map_or(0, |all| all / N);
    let parts = writer.parts(x, 1, &[width; N])?;
    parts.try_into().map_err(|_| Error::Uncovered(format!("a recurrent cell has {N} gates")))
}

fn sigmoid<T: Tensor>(writer: &mut TapeWriter<T>, x: &Operand<T>) -> Result<Operand<T>> {
    activated(writer, x, Function::Sigmoid, Unary::Sigmoid)
}

fn tanh<T: Tensor>(writer: &mut TapeWriter<T>, x: &Operand<T>) -> Result<Operand<T>> {
    activated(writer, x, Function::Tanh, Unary::Tanh)
}

fn activated<T: Tensor>(
    writer: &mut TapeWriter<T>,
    x: &Operand<T>,
    function: Function,
    unary: Unary,
) -> Result<Operand<T>> {
    let data = x.data()?.unary(unary)?;
    Ok(writer.pass(Pass::function(function), x, data))
}

/// Some rows of a table.
fn rows<T: Tensor>(writer: &mut TapeWriter<T>, x: &Operand<T>, place: Range) -> Result<Operand<T>> {
    let whole = x.meta.shape.first() == Some(&place.len);
    if whole { Ok(x.clone()) } else { writer.narrow(x, 0, place.start, place.len) }
}
