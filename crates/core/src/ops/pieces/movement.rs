//! Operators that move elements (rules §5). Only the way back differs between them.

use crate::op::arrived;
use crate::{BacktraceOp, Context, Error, Family, Loss, Operand, Relevance, Result, Role, Tensor, Turn};
use std::fmt;

/// The operand at an index.
pub(in crate::ops) fn operand<T>(operands: &[Operand<T>], index: usize) -> Result<&Operand<T>> {
    let found = operands.len();
    operands
        .get(index)
        .ok_or_else(|| Error::Uncovered(format!("operand {index} is missing: found {found} operands")))
}

/// Delivers the share of an operand; books what lands on a constant.
pub(in crate::ops) fn deliver<T: Tensor>(
    operand: &Operand<T>,
    share: Relevance<T>,
    context: &mut Context<'_, T>,
) -> Result<Option<Relevance<T>>> {
    if operand.depends {
        return Ok(Some(share));
    }
    context.lose(Loss::Unexplained, share.amount()?);
    Ok(None)
}

/// An operator that moves elements. Relevance goes back the way they came; what falls to constants is booked.
pub trait Movement: fmt::Debug + Send {
    /// Whether every operand moves. Otherwise only the first does, and the others say how.
    const ALL: bool = false;

    /// What it means to its neighbours.
    fn role(&self) -> Role {
        Role::Movement
    }

    /// How it turns the axes of operand 0, if it does nothing else.
    fn turn(&self) -> Option<Turn> {
        None
    }

    /// How the elements of the only operand move, in words; equal words mean equal movement.
    fn words(&self) -> Option<String> {
        None
    }

    /// The relevance of each operand that moves, in its shape; `None` if nothing arrived.
    ///
    /// # Errors
    /// As [`BacktraceOp::backtrace`].
    fn back<T: Tensor>(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>>;
}

impl<T: Tensor, M: Movement> BacktraceOp<T> for M {
    fn family(&self) -> Family {
        Family::Movement
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Movement::role(self)
    }

    fn turn(&self) -> Option<Turn> {
        Movement::turn(self)
    }

    fn carries(&self, input: usize) -> bool {
        M::ALL || input == 0
    }

    fn movement(&self) -> Option<String> {
        self.words()
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let shares = self.back(operands, arriving, context)?;
        deliver_all(operands, shares, context)
    }
}

/// The shares of all operands; those after the last share receive none. Books what lands on constants.
pub(in crate::ops) fn deliver_all<T: Tensor>(
    operands: &[Operand<T>],
    mut shares: Vec<Option<Relevance<T>>>,
    context: &mut Context<'_, T>,
) -> Result<Vec<Option<Relevance<T>>>> {
    for (operand, share) in operands.iter().zip(&mut shares) {
        if let Some(found) = share.take() {
            *share = deliver(operand, found, context)?;
        }
    }
    shares.resize(operands.len(), None);
    Ok(shares)
}

/// The relevance of output 0, moved to operand 0. The adjoint takes the relevance and the shape of the operand.
pub(in crate::ops) fn moved<T: Tensor>(
    operands: &[Operand<T>],
    arriving: &[Option<Relevance<T>>],
    adjoint: impl FnOnce(&Relevance<T>, &[usize]) -> Result<Relevance<T>>,
) -> Result<Vec<Option<Relevance<T>>>> {
    Ok(vec![Some(adjoint(arrived(arriving)?, &operand(operands, 0)?.meta.shape)?)])
}

/// One relevance of the given shape, collected from parts of any shape: starting with zeros, `add` adds part `k`.
pub(in crate::ops) fn collected<T: Tensor>(
    parts: &[Relevance<T>],
    shape: &[usize],
    add: impl Fn(T, usize, &T) -> Result<T>,
) -> Result<Relevance<T>> {
    let start = parts.first().ok_or_else(|| Error::Uncovered("no relevance arrived at any output".into()))?;
    let collect = |channel: fn(&Relevance<T>) -> Option<&T>| {
        let parts = parts.iter().filter_map(channel).enumerate();
        parts.into_iter().try_fold(start.first().zeros(shape)?, |sum, (k, part)| add(sum, k, part))
    };
    let first = collect(|part| Some(part.first()))?;
    Ok(match start.second() {
        Some(_) => Relevance::contrastive(first, collect(Relevance::second)?),
        None => Relevance::default_mode(first),
    })
}

/// The number of elements of a shape.
pub(in crate::ops) fn volume(shape: &[usize]) -> usize {
    shape.iter().product()
}
