//! The steps of a layer as one operator.

use super::cell::Steps;
use super::pieces::{Piece, replaced, rows, stacked};
use super::rules::{Flow, both, made, part};
use super::{Cell, Parameters};
use crate::{BacktraceOp, Context, Error, Family, Mode, Operand, Range, Relevance, Result, Tensor};

/// Operands: x = W x + b of all steps, U, c if any, the projection if any, the parts of the initial state. Outputs: h of
/// all steps, the parts of each sample's last state.
#[derive(Debug)]
pub(super) struct Sequence<T> {
    pub(super) cell: Cell,
    pub(super) pieces: Vec<Piece>,
    /// The parts of the state before each row.
    pub(super) before: Vec<T>,
    pub(super) biased: bool,
    pub(super) projected: bool,
}

/// What a layer gives.
pub(super) struct Ran<T> {
    /// h of all rows.
    pub(super) hidden: T,
    /// The parts of each sample's last state.
    pub(super) state: Vec<T>,
    /// The parts of the state before each row.
    pub(super) before: Vec<T>,
}

/// Runs a layer.
pub(super) fn run<T: Tensor>(
    cell: Cell,
    parameters: &Parameters<T>,
    pieces: &[Piece],
    x: &Operand<T>,
    state: &[Operand<T>],
) -> Result<Ran<T>> {
    let mut state = state.iter().map(|part| part.data().cloned()).collect::<Result<Vec<_>>>()?;
    let mut before: Vec<Vec<(Range, T)>> = state.iter().map(|_| Vec::new()).collect();
    let mut hidden = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let from = state.iter().map(|part| Ok(made(rows(part, piece.samples)?, true)));
        let from = from.collect::<Result<Vec<_>>>()?;
        let (_, after) = Steps::run(cell, parameters, &part(x, piece.rows)?, &from)?;
        for (before, from) in before.iter_mut().zip(&from) {
            before.push((piece.rows, from.data()?.clone()));
        }
        for (state, after) in state.iter_mut().zip(&after) {
            *state = replaced(state, piece.samples, after.data()?)?;
        }
        hidden.push((piece.rows, after[0].data()?.clone()));
    }
    let before = before.into_iter().map(in_order).collect::<Result<_>>()?;
    Ok(Ran { hidden: in_order(hidden)?, state, before })
}

/// Rows of all pieces.
fn in_order<T: Tensor>(mut parts: Vec<(Range, T)>) -> Result<T> {
    parts.sort_by_key(|(rows, _)| rows.start);
    let parts: Vec<T> = parts.into_iter().map(|(_, part)| part).collect();
    T::concat(&parts, 0)
}

impl<T: Tensor> BacktraceOp<T> for Sequence<T> {
    fn family(&self) -> Family {
        Family::Product
    }

    fn backtrace(
        &self,
        inputs: &[Operand<T>],
        outputs: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let constants = 1 + usize::from(self.biased) + usize::from(self.projected);
        let (Some(x), Some(weights), Some(state)) =
            (inputs.first(), inputs.get(1..=constants), inputs.get(1 + constants..))
        else {
            return Err(Error::Shape("a recurrent layer without weights or state".into()));
        };
        if weights.iter().any(|weight| weight.depends) {
            return Err(Error::Shape(
                "a recurrent layer whose weights depend on the input has no rule".into(),
            ));
        }
        let parameters = self.parameters(weights)?;
        let [to_hidden, to_state @ ..] = outputs else {
            return Err(Error::Shape("a recurrent layer without outputs".into()));
        };
        let count = x.meta.shape[0];
        let before: Vec<_> = self.before.iter().map(|part| made(part.clone(), true)).collect();
        let (mut running, _) = Steps::run(self.cell, &parameters, x, &before)?;
        if outputs.iter().flatten().all(|relevance| relevance.mode() == Mode::Default) {
            running.prepare(context)?;
        }
        let mut carried: Vec<Flow<T>> = to_state.to_vec();
        let mut to_x = Vec::with_capacity(self.pieces.len());
        for piece in self.pieces.iter().rev() {
            let mut after: Vec<Flow<T>> =
                carried.iter().map(|flow| of_rows(flow, piece.samples)).collect::<Result<_>>()?;
            let shown = of_rows(to_hidden, piece.rows)?;
            if let Some(hidden) = after.first_mut() {
                *hidden = both(hidden.take(), shown)?;
            }
            let passed = if piece.begins {
                let initial = state.iter().map(|part_of| part(part_of, piece.samples));
                let initial = initial.collect::<Result<Vec<_>>>()?;
                let (mut first, _) = Steps::run(self.cell, &parameters, &part(x, piece.rows)?, &initial)?;
                first.back(Range::full(piece.rows.len), after, context)?
            } else {
                running.back(piece.rows, after, context)?
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
        let recurrent = weights.next().ok_or_else(|| Error::Shape("a recurrent layer without U".into()))?;
        let recurrent_bias = if self.biased { weights.next() } else { None };
        Ok(Parameters { recurrent, recurrent_bias, projection: weights.next() })
    }
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
    all.zip(&some, |all, some| replaced(all, place, some)).map(Some)
}
