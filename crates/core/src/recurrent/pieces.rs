//! The order in which the rows of a layer are walked.

use crate::{Range, Relevance, Result, Tensor};

/// Samples that make a step together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    /// Its place among the pieces in the order of rows.
    pub(super) number: usize,
    /// Its rows among those of all steps.
    pub(super) rows: Range,
    /// The numbers of its samples.
    pub(super) samples: Range,
    /// Whether it is the first step of its samples, from the initial state. Only that state may be a constant.
    pub(super) begins: bool,
}

/// The pieces in the order in which they run. `samples` is the number of samples in each step, never more than in the step
/// before. In a reversed layer, shorter samples join those that are already running.
pub(super) fn pieces(samples: &[usize], reversed: bool) -> Vec<Piece> {
    let starts = samples.iter().scan(0, |end, count| {
        *end += count;
        Some(*end - count)
    });
    let mut steps: Vec<(usize, usize)> = starts.zip(samples.iter().copied()).collect();
    if reversed {
        steps.reverse();
    }
    let mut pieces = Vec::with_capacity(steps.len());
    let mut begun = 0;
    for (start, count) in steps {
        let mut piece = |from: usize, to: usize, begins| {
            if from < to {
                let (rows, samples) = (Range::span(start + from, to - from), Range::span(from, to - from));
                pieces.push(Piece { number: 0, rows, samples, begins });
            }
        };
        piece(0, count.min(begun), false);
        piece(begun, count, true);
        begun = begun.max(count);
    }
    for (number, index) in in_order(&pieces).into_iter().enumerate() {
        pieces[index].number = number;
    }
    pieces
}

/// The pieces in the order of their rows.
pub(super) fn in_order(pieces: &[Piece]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..pieces.len()).collect();
    order.sort_by_key(|&index| pieces[index].rows.start);
    order
}

/// The number of rows in each piece, in the order of rows.
pub(super) fn extents(pieces: &[Piece]) -> Vec<usize> {
    in_order(pieces).into_iter().map(|index| pieces[index].rows.len).collect()
}

/// Some rows of a table.
pub(super) fn rows<T: Tensor>(x: &T, rows: Range) -> Result<T> {
    let shape = x.shape();
    if shape.first() == Some(&rows.len) {
        return Ok(x.clone());
    }
    let mut region = Range::whole(&shape);
    region[0] = rows;
    x.slice(&region)
}

/// `x` with some rows replaced.
pub(super) fn replaced<T: Tensor>(x: &T, place: Range, with: &T) -> Result<T> {
    let shape = x.shape();
    if shape.first() == Some(&place.len) {
        return Ok(with.clone());
    }
    let end = place.start + place.len;
    let before = rows(x, Range::span(0, place.start))?;
    let after = rows(x, Range::span(end, shape[0] - end))?;
    T::concat(&[before, with.clone(), after], 0)
}

/// Stacks the rows found for pieces in order, with 0 for pieces without any; `None` if nothing was found at all.
pub(super) fn stacked<T: Tensor>(
    mut found: Vec<(Range, Relevance<T>)>,
    count: usize,
) -> Result<Option<Relevance<T>>> {
    found.sort_by_key(|(rows, _)| rows.start);
    let Some((_, first)) = found.first() else { return Ok(None) };
    let (like, mut shape) = (first.clone(), first.shape());
    let mut gap = |from: usize, to: usize| -> Result<Relevance<T>> {
        shape[0] = to - from;
        like.map(|channel| channel.zeros(&shape))
    };
    let mut parts = Vec::with_capacity(found.len());
    let mut end = 0;
    for (rows, part) in found {
        if rows.start > end {
            parts.push(gap(end, rows.start)?);
        }
        end = rows.start + rows.len;
        parts.push(part);
    }
    if count > end {
        parts.push(gap(end, count)?);
    }
    Relevance::concat(&parts, 0).map(Some)
}

/// A part of the state, over all pieces.
pub(super) struct Run<T> {
    /// Its value before each row.
    pub(super) before: T,
    /// Its value for each sample after the last step.
    pub(super) last: T,
}

impl<T: Tensor> Run<T> {
    /// Runs through the pieces from the initial state. `step` takes the state before a piece to the state after it.
    pub(super) fn through(
        pieces: &[Piece],
        initial: &T,
        mut step: impl FnMut(&Piece, &T) -> Result<T>,
    ) -> Result<Self> {
        let mut last = initial.clone();
        let mut before = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let from = rows(&last, piece.samples)?;
            last = replaced(&last, piece.samples, &step(piece, &from)?)?;
            before.push(from);
        }
        Ok(Self { before: joined(pieces, &before)?, last })
    }
}

/// Joins what was found piece by piece, in the order of rows.
pub(super) fn joined<T: Tensor>(pieces: &[Piece], found: &[T]) -> Result<T> {
    let parts: Vec<T> = in_order(pieces).into_iter().map(|index| found[index].clone()).collect();
    T::concat(&parts, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(number: usize, start: usize, from: usize, to: usize, begins: bool) -> Piece {
        Piece { number, rows: Range::span(start, to - from), samples: Range::span(from, to - from), begins }
    }

    #[test]
    fn shorter_samples_end_early() {
        let expected = [piece(0, 0, 0, 3, true), piece(1, 3, 0, 2, false), piece(2, 5, 0, 1, false)];
        assert_eq!(pieces(&[3, 2, 1], false), expected);
    }

    #[test]
    fn shorter_samples_begin_late_when_reversed() {
        let expected = [piece(2, 3, 0, 2, true), piece(0, 0, 0, 2, false), piece(1, 2, 2, 3, true)];
        assert_eq!(pieces(&[3, 2], true), expected);
    }
}
