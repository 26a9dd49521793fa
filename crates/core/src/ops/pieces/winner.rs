//! The rule that operators with a winner share (rules §3): the largest cells of a window share R equally.

use super::movement::volume;
use super::windows::{WindowSpan, cells_of_windows};
use crate::{Amount, Context, Loss, Range, Relevance, Result, Tensor};

/// R ⊘ count in each channel. A window without a winner loses its R for the given reason.
pub(in crate::ops) fn per_winner<T: Tensor>(
    relevance: &Relevance<T>,
    count: &T,
    loss: Loss,
    context: &mut Context<'_, T>,
) -> Result<Relevance<T>> {
    let mut lost = Vec::new();
    let shares = relevance.map(|channel| {
        let (share, unclaimed) = channel.quotient(count)?;
        lost.push(unclaimed);
        Ok(share)
    })?;
    let [positive, negative] = [0, 1].map(|channel| lost.get(channel).copied().unwrap_or(0.0));
    context.lose(loss, Amount::new(positive, negative));
    Ok(shares)
}

/// An axis with windows along it.
#[derive(Debug)]
pub(in crate::ops) struct Windows {
    pub(in crate::ops) axis: usize,
    pub(in crate::ops) sights: Vec<WindowSpan>,
}

/// The relevance of x, where the windows of the given axes together took their largest element. `largest` is that element, if
/// it is known. Windows may overlap. A window that sees no cell loses its R as padding.
///
/// It takes two rounds over the parts of the windows, each with some element-wise operations on a part of x: the first
/// counts the winners of each window, the second hands them R / count. Who won is kept in between, unless windows overlap so much
/// that this would be far larger than x.
pub(in crate::ops) fn winners<T: Tensor>(
    x: &T,
    windows: &[Windows],
    largest: Option<&T>,
    relevance: &Relevance<T>,
    context: &mut Context<'_, T>,
) -> Result<Relevance<T>> {
    let (shape, pooled) = (x.shape(), relevance.shape());
    let largest = match largest {
        Some(largest) => largest.clone(),
        None => largest_in(x, windows, &pooled)?,
    };
    let parts = parts(windows, &shape, &pooled);
    let wins = |(cells, windows): &(Vec<Range>, Vec<Range>)| x.slice(cells)?.equal(&largest.slice(windows)?);
    let keeps = parts.len() * volume(&pooled) <= MOST_KEPT * volume(&shape);
    let mut count = x.zeros(&pooled)?;
    let mut kept = Vec::new();
    for part in &parts {
        let extents: Vec<usize> = part.1.iter().map(|range| range.len).collect();
        let won = wins(part)?;
        count = count.add_region(&part.1, &won.sum_to(&extents)?)?;
        kept.extend(keeps.then_some(won));
    }
    let shares = per_winner(relevance, &count, Loss::Padding, context)?;
    shares.map(|share| {
        parts.iter().enumerate().try_fold(x.zeros(&shape)?, |sum, (number, part)| {
            let won = kept.get(number).cloned().map_or_else(|| wins(part), Ok)?;
            sum.add_region(&part.0, &won.multiplied(&share.slice(&part.1)?)?)
        })
    })
}

/// How much larger than x it may be who won.
const MOST_KEPT: usize = 4;

/// The regions of cells and windows that belong together, over all axes.
fn parts(windows: &[Windows], shape: &[usize], pooled: &[usize]) -> Vec<(Vec<Range>, Vec<Range>)> {
    windows.iter().fold(
        vec![(Range::whole(shape), Range::whole(pooled))],
        |parts, Windows { axis, sights }| {
            let with = |(cells, windows): &(Vec<Range>, Vec<Range>), sight: &WindowSpan| {
                let (mut cells, mut windows) = (cells.clone(), windows.clone());
                (cells[*axis], windows[*axis]) = (sight.cells, sight.windows);
                (cells, windows)
            };
            parts.iter().flat_map(|part| sights.iter().map(move |sight| with(part, sight))).collect()
        },
    )
}

/// The largest element of each window, axis by axis, since a maximum of maxima is the maximum. A window that sees fewer cells
/// than others sees one of them again; the result for a window that sees none is arbitrary.
fn largest_in<T: Tensor>(x: &T, windows: &[Windows], pooled: &[usize]) -> Result<T> {
    windows.iter().try_fold(x.clone(), |x, Windows { axis, sights }| {
        let mut shape = x.shape();
        let cells = cells_of_windows(sights, pooled[*axis]);
        let width = cells.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let place = |place: usize| {
            cells.iter().map(move |cells| match cells.as_slice() {
                [] => 0,
                seen => seen[place.min(seen.len() - 1)] as i64,
            })
        };
        let index: Vec<i64> = (0..width).flat_map(place).collect();
        let seen = x.index_select(*axis, &x.indices(&index)?)?;
        shape.splice(axis..=axis, [width, cells.len()]);
        let largest = seen.reshape(&shape)?.max_over(&[*axis])?;
        shape.remove(*axis);
        largest.reshape(&shape)
    })
}
