//! The cells (rules §6): forwards, and back.

use super::pieces::{Piece, Run, extents};
use super::rules::{Flow, Linear, Rule, beside, both, made};
use super::{Cell, Parameters};
use crate::{Context, Error, Mode, Operand, Range, Result, Tensor, Unary};

/// One step of some samples, or the steps of all rows at once.
#[derive(Debug)]
pub(super) enum Steps<T> {
    Lstm(Lstm<T>),
    Gru(Gru<T>),
    Plain(Plain<T>),
}

/// The result of walking back over a step.
pub(super) struct Passed<T> {
    /// The relevance of W x + b.
    pub(super) x: Flow<T>,
    /// The relevance of the state before, h first.
    pub(super) state: Vec<Flow<T>>,
}

impl<T: Tensor> Steps<T> {
    /// Runs the cell on x = W x + b and the state before; also returns the state after.
    pub(super) fn run(
        cell: Cell,
        parameters: &Parameters<T>,
        x: &Operand<T>,
        state: &[Operand<T>],
    ) -> Result<(Self, Vec<Operand<T>>)> {
        match (cell, state) {
            (Cell::Lstm, [hidden, memory]) => {
                let (lstm, state) = Lstm::run(parameters, x, hidden, memory)?;
                Ok((Self::Lstm(lstm), state))
            }
            (Cell::Gru, [hidden]) => {
                let (gru, hidden) = Gru::run(parameters, x, hidden)?;
                Ok((Self::Gru(gru), vec![hidden]))
            }
            (Cell::Tanh | Cell::Relu, [hidden]) => {
                let function = if cell == Cell::Tanh { Unary::Tanh } else { Unary::Positive };
                let (plain, hidden) = Plain::run(parameters, x, hidden, function)?;
                Ok((Self::Plain(plain), vec![hidden]))
            }
            _ => Err(Error::Uncovered(format!("a state of {} parts for {cell:?}", state.len()))),
        }
    }

    /// Prepares the rows of all steps in advance, if the rules allow it. `extents` are the numbers of rows in the pieces.
    pub(super) fn prepare(&mut self, mode: Mode, extents: &[usize], context: &Context<'_, T>) -> Result<()> {
        match self {
            Self::Lstm(lstm) => lstm.prepare(mode, extents, context),
            Self::Gru(gru) => gru.prepare(mode, extents, context),
            Self::Plain(plain) => plain.prepare(mode, extents, context),
        }
    }

    /// Walks back over some rows, from the relevance of the state after, h first.
    pub(super) fn back(
        &mut self,
        piece: &Piece,
        mut state: Vec<Flow<T>>,
        context: &mut Context<'_, T>,
    ) -> Result<Passed<T>> {
        let hidden = state.first_mut().and_then(Option::take);
        let memory = state.get_mut(1).and_then(Option::take);
        match self {
            Self::Lstm(lstm) => lstm.back(piece, hidden, memory, context),
            Self::Gru(gru) => gru.back(piece, hidden, context),
            Self::Plain(plain) => plain.back(piece, hidden, context),
        }
    }

    /// Books what the rows of all steps lost.
    pub(super) fn settle(&mut self, context: &mut Context<'_, T>) -> Result<()> {
        match self {
            Self::Lstm(lstm) => lstm.settle(context),
            Self::Gru(gru) => gru.settle(context),
            Self::Plain(plain) => plain.settle(context),
        }
    }
}

/// i, f, o = σ(x + r), g = tanh(x_g + r_g), C = f⊙C′ + i⊙g, h = o⊙tanh C, then a projection if there is one.
#[derive(Debug)]
pub(super) struct Lstm<T> {
    width: usize,
    recurrent: Linear<T>,
    gates: Rule<T, 2>,
    kept: Rule<T, 2>,
    added: Rule<T, 2>,
    memory: Rule<T, 2>,
    shown: Rule<T, 2>,
    projection: Option<Linear<T>>,
}

impl<T: Tensor> Lstm<T> {
    fn run(
        parameters: &Parameters<T>,
        x: &Operand<T>,
        hidden: &Operand<T>,
        memory: &Operand<T>,
    ) -> Result<(Self, Vec<Operand<T>>)> {
        let width = columns(memory);
        let (recurrent, r) = parameters.recurrent(hidden)?;
        let (gates, sum) = Rule::sum(x.clone(), r)?;
        let [i, f, g, o] = lstm_gates(&sum, width)?;
        let (kept, remembered) = Rule::product(f, memory.clone())?;
        let (added, new) = Rule::product(i, g)?;
        let (memory, after) = Rule::sum(remembered, new)?;
        let (shown, mut hidden) = Rule::product(o, activated(&after, Unary::Tanh)?)?;
        let mut projection = None;
        if let Some(weight) = &parameters.projection {
            let (layer, projected) = Linear::new(hidden, weight, None)?;
            (projection, hidden) = (Some(layer), projected);
        }
        Ok((Self { width, recurrent, gates, kept, added, memory, shown, projection }, vec![hidden, after]))
    }

    fn prepare(&mut self, mode: Mode, extents: &[usize], context: &Context<'_, T>) -> Result<()> {
        self.recurrent.prepare(mode, extents, context)?;
        for rule in self.rules() {
            rule.prepare(mode, extents, context)?;
        }
        self.projection.as_mut().map_or(Ok(()), |projection| projection.prepare(mode, extents, context))
    }

    fn back(
        &mut self,
        piece: &Piece,
        hidden: Flow<T>,
        memory: Flow<T>,
        context: &mut Context<'_, T>,
    ) -> Result<Passed<T>> {
        let hidden = match &mut self.projection {
            Some(projection) => projection.divide(piece, hidden, context)?,
            None => hidden,
        };
        let [o, after] = self.shown.divide(piece, hidden, context)?;
        let [remembered, new] = self.memory.divide(piece, both(memory, after)?, context)?;
        let [f, memory] = self.kept.divide(piece, remembered, context)?;
        let [i, g] = self.added.divide(piece, new, context)?;
        let gates = beside([i, f, g, o].map(|gate| (gate, self.width)))?;
        let [x, r] = self.gates.divide(piece, gates, context)?;
        let hidden = self.recurrent.divide(piece, r, context)?;
        Ok(Passed { x, state: vec![hidden, memory] })
    }

    fn settle(&mut self, context: &mut Context<'_, T>) -> Result<()> {
        self.recurrent.settle(context)?;
        for rule in self.rules() {
            rule.settle(context)?;
        }
        self.projection.as_mut().map_or(Ok(()), |projection| projection.settle(context))
    }

    fn rules(&mut self) -> [&mut Rule<T, 2>; 5] {
        [&mut self.gates, &mut self.kept, &mut self.added, &mut self.memory, &mut self.shown]
    }
}

/// i, f, g, o
fn lstm_gates<T: Tensor>(sum: &Operand<T>, width: usize) -> Result<[Operand<T>; 4]> {
    let gate = |number, function| activated(&column(sum, number * width, width)?, function);
    Ok([gate(0, Unary::Sigmoid)?, gate(1, Unary::Sigmoid)?, gate(2, Unary::Tanh)?, gate(3, Unary::Sigmoid)?])
}

/// C before each row and after the last step, from h before each row and the initial C. If h is known, only this needs to be
/// computed step by step.
pub(super) fn memories<T: Tensor>(
    parameters: &Parameters<T>,
    x: &Operand<T>,
    hidden: &Operand<T>,
    initial: &T,
    pieces: &[Piece],
) -> Result<Run<T>> {
    let (_, r) = parameters.recurrent(hidden)?;
    let sum = made(x.data()?.add(r.data()?)?, true);
    let [i, f, g, _] = lstm_gates(&sum, columns(&made(initial.clone(), true)))?;
    let extents = extents(pieces);
    let (kept, added) = (f.data()?.split(0, &extents)?, i.data()?.mul(g.data()?)?.split(0, &extents)?);
    Run::through(pieces, initial, |piece, before| before.mul(&kept[piece.number])?.add(&added[piece.number]))
}

/// r, z = σ(x + r), n = tanh(x_n + r⊙r_n), h = (1 − z)⊙n + z⊙h′.
#[derive(Debug)]
pub(super) struct Gru<T> {
    width: usize,
    recurrent: Linear<T>,
    gates: Rule<T, 2>,
    recalled: Rule<T, 2>,
    new: Rule<T, 2>,
    rest: Rule<T, 1>,
    replaced: Rule<T, 2>,
    kept: Rule<T, 2>,
    blend: Rule<T, 2>,
}

impl<T: Tensor> Gru<T> {
    fn run(parameters: &Parameters<T>, x: &Operand<T>, hidden: &Operand<T>) -> Result<(Self, Operand<T>)> {
        let width = columns(hidden);
        let (recurrent, r) = parameters.recurrent(hidden)?;
        let (gates, sum) = Rule::sum(column(x, 0, 2 * width)?, column(&r, 0, 2 * width)?)?;
        let gate = |number| activated(&column(&sum, number * width, width)?, Unary::Sigmoid);
        let (reset, update) = (gate(0)?, gate(1)?);
        let (recalled, past) = Rule::product(reset, column(&r, 2 * width, width)?)?;
        let (new, sum) = Rule::sum(column(x, 2 * width, width)?, past)?;
        let (rest, part) = Rule::complement(update.clone())?;
        let (replaced, fresh) = Rule::product(part, activated(&sum, Unary::Tanh)?)?;
        let (kept, old) = Rule::product(update, hidden.clone())?;
        let (blend, hidden) = Rule::sum(fresh, old)?;
        Ok((Self { width, recurrent, gates, recalled, new, rest, replaced, kept, blend }, hidden))
    }

    fn prepare(&mut self, mode: Mode, extents: &[usize], context: &Context<'_, T>) -> Result<()> {
        self.recurrent.prepare(mode, extents, context)?;
        self.rest.prepare(mode, extents, context)?;
        self.rules().into_iter().try_for_each(|rule| rule.prepare(mode, extents, context))
    }

    fn back(&mut self, piece: &Piece, hidden: Flow<T>, context: &mut Context<'_, T>) -> Result<Passed<T>> {
        let [fresh, old] = self.blend.divide(piece, hidden, context)?;
        let [update, before] = self.kept.divide(piece, old, context)?;
        let [rest, new] = self.replaced.divide(piece, fresh, context)?;
        let [rest] = self.rest.divide(piece, rest, context)?;
        let [x_new, past] = self.new.divide(piece, new, context)?;
        let [reset, r_new] = self.recalled.divide(piece, past, context)?;
        let gates = beside([(reset, self.width), (both(update, rest)?, self.width)])?;
        let [x, r] = self.gates.divide(piece, gates, context)?;
        let joined = |gates, new| beside([(gates, 2 * self.width), (new, self.width)]);
        let (x, r) = (joined(x, x_new)?, joined(r, r_new)?);
        let hidden = both(self.recurrent.divide(piece, r, context)?, before)?;
        Ok(Passed { x, state: vec![hidden] })
    }

    fn settle(&mut self, context: &mut Context<'_, T>) -> Result<()> {
        self.recurrent.settle(context)?;
        self.rest.settle(context)?;
        self.rules().into_iter().try_for_each(|rule| rule.settle(context))
    }

    fn rules(&mut self) -> [&mut Rule<T, 2>; 6] {
        let Self { gates, recalled, new, replaced, kept, blend, .. } = self;
        [gates, recalled, new, replaced, kept, blend]
    }
}

/// h = tanh(x + r) or relu(x + r).
#[derive(Debug)]
pub(super) struct Plain<T> {
    recurrent: Linear<T>,
    sum: Rule<T, 2>,
}

impl<T: Tensor> Plain<T> {
    fn run(
        parameters: &Parameters<T>,
        x: &Operand<T>,
        hidden: &Operand<T>,
        function: Unary,
    ) -> Result<(Self, Operand<T>)> {
        let (recurrent, r) = parameters.recurrent(hidden)?;
        let (sum, value) = Rule::sum(x.clone(), r)?;
        Ok((Self { recurrent, sum }, activated(&value, function)?))
    }

    fn prepare(&mut self, mode: Mode, extents: &[usize], context: &Context<'_, T>) -> Result<()> {
        self.recurrent.prepare(mode, extents, context)?;
        self.sum.prepare(mode, extents, context)
    }

    fn back(&mut self, piece: &Piece, hidden: Flow<T>, context: &mut Context<'_, T>) -> Result<Passed<T>> {
        let [x, r] = self.sum.divide(piece, hidden, context)?;
        Ok(Passed { x, state: vec![self.recurrent.divide(piece, r, context)?] })
    }

    fn settle(&mut self, context: &mut Context<'_, T>) -> Result<()> {
        self.recurrent.settle(context)?;
        self.sum.settle(context)
    }
}

/// An activation passes on what it receives (rules §5).
fn activated<T: Tensor>(x: &Operand<T>, function: Unary) -> Result<Operand<T>> {
    Ok(made(x.data()?.unary(function)?, x.depends))
}

fn columns<T>(x: &Operand<T>) -> usize {
    x.meta.shape.last().copied().unwrap_or(0)
}

fn column<T: Tensor>(x: &Operand<T>, start: usize, width: usize) -> Result<Operand<T>> {
    let rows = Range::full(x.meta.shape[0]);
    Ok(made(x.data()?.slice(&[rows, Range::span(start, width)])?, x.depends))
}
