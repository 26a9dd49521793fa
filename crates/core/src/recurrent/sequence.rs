//! The steps of a layer as one operator.

use super::cell::{Steps, memories};
use super::pieces::{Piece, Run, extents, joined, replaced, rows, stacked};
use super::rules::{Flow, both, made, part};
use super::{Cell, Parameters};
use crate::{BacktraceOp, Context, Error, Family, Mode, Operand, Range, Relevance, Result, Role, Tensor};

/// Operands: x = W x + b of all steps, U, possibly c, possibly the projection, the parts of the initial state. Outputs: h of all
/// steps, the parts of each sample's last state.
#[derive(Debug)]
pub(super) struct Sequence<T> {
    pub(super) cell: Cell,
    pub(super) pieces: Vec<Piece>,
    /// The parts of the state before each row.
    pub(super) before: Vec<T>,
    pub(super) biased: bool,
    pub(super) projected: bool,
}

/// The results of a layer.
pub(super) struct Ran<T> {
    /// h of all rows.
    pub(super) hidden: T,
    /// The parts of each sample's last state.
    pub(super) state: Vec<T>,
    /// The parts of the state before each row.
    pub(super) before: Vec<T>,
}

impl<T: Tensor> Ran<T> {
    /// Runs a layer.
    pub(super) fn run(
        cell: Cell,
        parameters: &Parameters<T>,
        pieces: &[Piece],
        x: &Operand<T>,
        state: &[Operand<T>],
    ) -> Result<Self> {
        let x = x.data()?.split(0, &extents(pieces))?;
        let mut state = state.iter().map(|part| part.data().cloned()).collect::<Result<Vec<_>>>()?;
        let mut before: Vec<Vec<T>> = vec![Vec::with_capacity(pieces.len()); state.len()];
        let mut hidden = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let from = state.iter().map(|part| Ok(made(rows(part, piece.samples)?, true)));
            let from = from.collect::<Result<Vec<_>>>()?;
            let (_, after) = Steps::run(cell, parameters, &made(x[piece.number].clone(), true), &from)?;
            for (before, from) in before.iter_mut().zip(from) {
                before.extend(from.data);
            }
            for (state, after) in state.iter_mut().zip(&after) {
                *state = replaced(state, piece.samples, after.data()?)?;
            }
            hidden.push(after[0].data()?.clone());
        }
        let before = before.iter().map(|before| joined(pieces, before)).collect::<Result<_>>()?;
        Ok(Self { hidden: joined(pieces, &hidden)?, state, before })
    }

    /// The results of a layer whose h is known.
    pub(super) fn of_hidden(
        cell: Cell,
        parameters: &Parameters<T>,
        pieces: &[Piece],
        x: &Operand<T>,
        state: &[Operand<T>],
        hidden: T,
    ) -> Result<Self> {
        let parts = hidden.split(0, &extents(pieces))?;
        let (initial, memory) = match (cell, state) {
            (Cell::Lstm, [hidden, memory]) => (hidden, Some(memory)),
            (Cell::Gru | Cell::Tanh | Cell::Relu, [hidden]) => (hidden, None),
            _ => return Err(Error::Uncovered(format!("a state of {} parts for {cell:?}", state.len()))),
        };
        let run = Run::through(pieces, initial.data()?, |piece, _| Ok(parts[piece.number].clone()))?;
        let mut runs = vec![run];
        if let Some(memory) = memory {
            let before = made(runs[0].before.clone(), true);
            runs.push(memories(parameters, x, &before, memory.data()?, pieces)?);
        }
        let (before, state) = runs.into_iter().map(|run| (run.before, run.last)).unzip();
        Ok(Self { hidden, state, before })
    }
}

impl<T: Tensor> BacktraceOp<T> for Sequence<T> {
    fn family(&self) -> Family {
        Family::Product
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Recurrent
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let rule = context.rule();
        if rule != crate::rules::Rule::Backtrace {
            return Err(Error::Uncovered(format!("the rule {rule} does not serve recurrent layers")));
        }
        let constants = 1 + usize::from(self.biased) + usize::from(self.projected);
        let (Some(x), Some(weights), Some(state)) =
            (operands.first(), operands.get(1..=constants), operands.get(1 + constants..))
        else {
            return Err(Error::Uncovered("a recurrent layer without weights or state".into()));
        };
        if weights.iter().any(|weight| weight.depends) {
            return Err(Error::Uncovered(
                "a recurrent layer whose weights depend on the input has no rule".into(),
            ));
        }
        let parameters = self.parameters(weights)?;
        let [to_hidden, to_state @ ..] = arriving else {
            return Err(Error::Uncovered("a recurrent layer without outputs".into()));
        };
        let count = x.meta.shape[0];
        let extents = extents(&self.pieces);
        let before: Vec<_> = self.before.iter().map(|part| made(part.clone(), true)).collect();
        let (mut running, _) = Steps::run(self.cell, &parameters, x, &before)?;
        let mode = arriving.iter().flatten().next().map_or(Mode::Default, Relevance::mode);
        running.prepare(mode, &extents, context)?;
        let to_hidden = by_pieces(to_hidden, &extents)?;
        let mut carried: Vec<Flow<T>> = to_state.to_vec();
        let mut to_x = Vec::with_capacity(self.pieces.len());
        for piece in self.pieces.iter().rev() {
            let mut after: Vec<Flow<T>> =
                carried.iter().map(|flow| of_rows(flow, piece.samples)).collect::<Result<_>>()?;
            let shown = to_hidden.as_ref().map(|shown| shown[piece.number].clone());
            if let Some(hidden) = after.first_mut() {
                *hidden = both(hidden.take(), shown)?;
            }
            let passed = if piece.begins {
                let initial = state.iter().map(|part_of| part(part_of, piece.samples));
                let initial = initial.collect::<Result<Vec<_>>>()?;
                let (mut first, _) = Steps::run(self.cell, &parameters, &part(x, piece.rows)?, &initial)?;
                let whole = Piece { rows: Range::full(piece.rows.len), ..*piece };
                first.back(&whole, after, context)?
            } else {
                running.back(piece, after, context)?
            };
            to_x.extend(passed.x.map(|flow| (piece.rows, flow)));
            for ((carried, before), part) in carried.iter_mut().zip(passed.state).zip(state) {
                *carried = exchanged(carried.take(), piece.samples, before, &part.meta.shape)?;
            }
        }
        running.settle(context)?;
        let mut shares = vec![stacked(to_x, count)?];
        shares.resize_with(1 + constants, || None);
        shares.extend(carried.into_iter().zip(state).map(|(flow, part)| flow.filter(|_| part.depends)));
        Ok(shares)
    }
}

impl<T: Tensor> Sequence<T> {
    fn parameters(&self, weights: &[Operand<T>]) -> Result<Parameters<T>> {
        let mut weights = weights.iter().cloned();
        let recurrent =
            weights.next().ok_or_else(|| Error::Uncovered("a recurrent layer without U".into()))?;
        let recurrent_bias = if self.biased { weights.next() } else { None };
        Ok(Parameters { recurrent, recurrent_bias, projection: weights.next() })
    }
}

/// The relevance of each piece, in the order of rows.
fn by_pieces<T: Tensor>(flow: &Flow<T>, extents: &[usize]) -> Result<Option<Vec<Relevance<T>>>> {
    let Some(flow) = flow else { return Ok(None) };
    let first = flow.first().split(0, extents)?;
    let second = flow.second().map(|second| second.split(0, extents)).transpose()?;
    Ok(Some(match second {
        Some(second) => first.into_iter().zip(second).map(|(p, n)| Relevance::contrastive(p, n)).collect(),
        None => first.into_iter().map(Relevance::default_mode).collect(),
    }))
}

fn of_rows<T: Tensor>(flow: &Flow<T>, place: Range) -> Result<Flow<T>> {
    flow.as_ref().map(|flow| flow.map(|channel| rows(channel, place))).transpose()
}

/// The flow to all samples, that of some replaced.
fn exchanged<T: Tensor>(all: Flow<T>, place: Range, some: Flow<T>, shape: &[usize]) -> Result<Flow<T>> {
    if place.len == shape[0] {
        return Ok(some);
    }
    let Some(like) = all.clone().or_else(|| some.clone()) else { return Ok(None) };
    let zeros = |len: usize| like.map(|channel| channel.zeros(&[len, shape[1]]));
    let (all, some) = (all.map_or_else(|| zeros(shape[0]), Ok)?, some.map_or_else(|| zeros(place.len), Ok)?);
    all.zip(&some, |all, some| replaced(&all, place, some)).map(Some)
}
