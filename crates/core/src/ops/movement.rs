//! What the operators that move elements share (rules §5).

use crate::op::arrived;
use crate::{Context, Error, Loss, Operand, Relevance, Result, Tensor};

/// The operand at a position.
pub(super) fn operand<T>(operands: &[Operand<T>], index: usize) -> Result<&Operand<T>> {
    let found = operands.len();
    operands
        .get(index)
        .ok_or_else(|| Error::Uncovered(format!("operand {index} is missing: found {found} operands")))
}

/// The share of an operand; what lands on a constant is booked.
pub(super) fn deliver<T: Tensor>(
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

/// Moves the relevance of output 0 to operand 0, the only one that moves. The adjoint takes the relevance
/// and the shape of the operand.
pub(super) fn moved<T: Tensor>(
    operands: &[Operand<T>],
    arriving: &[Option<Relevance<T>>],
    context: &mut Context<'_, T>,
    adjoint: impl FnOnce(&Relevance<T>, &[usize]) -> Result<Relevance<T>>,
) -> Result<Vec<Option<Relevance<T>>>> {
    let operand = operand(operands, 0)?;
    let share = adjoint(arrived(arriving)?, &operand.meta.shape)?;
    let mut shares = vec![None; operands.len()];
    shares[0] = deliver(operand, share, context)?;
    Ok(shares)
}

/// One relevance of the given shape from several parts, which may have any shapes: `add` adds part `k` to what
/// starts as zeros.
pub(super) fn collected<T: Tensor>(
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
pub(super) fn volume(shape: &[usize]) -> usize {
    shape.iter().product()
}
