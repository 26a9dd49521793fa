//! Cuts large tables into blocks of heads and rows.
//!
//! Rules read attention scores several times. A block of some heads and rows stays in the processor's caches, and it is small
//! enough for allocators to reuse its memory. In each block, only columns that hold something are read: half of all under a
//! causal mask, none where no relevance arrived.

use crate::{Meta, Operand, Range, Relevance, Result, Tensor};

/// The most elements in a block of several heads.
const ELEMENTS: usize = 1 << 18;
/// The rows of a block. With fewer, matrix products are slow; with more, a block outgrows the caches.
const ROWS: usize = 512;
/// The rows of a block under a causal mask: the first rows have few columns, so low blocks read less.
const CAUSAL_ROWS: usize = 128;

/// How the rows of an operand contribute to those of the output `[…, rows, columns]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// Each element contributes to the element at its own place. Axes of extent 1 broadcast.
    Same,
    /// Row i contributes to row i, summed over its columns: A of A·B.
    Left,
    /// All rows contribute to all: B of A·B.
    Right {
        /// Whether it is Bᵀ.
        transposed: bool,
    },
}

impl Rows {
    /// Whether row i contributes to row i only.
    pub fn are_kept(self) -> bool {
        matches!(self, Self::Same | Self::Left)
    }
}

/// A block of the output of an operator that keeps rows apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowBlock {
    /// The heads, on the axis before the rows, unless that has extent 1.
    pub heads: Range,
    /// The rows.
    pub rows: Range,
    /// The number of leading columns; the others hold no relevance.
    pub columns: usize,
    /// For a matrix product, the number of leading summands; the others are 0.
    pub inner: usize,
}

impl RowBlock {
    /// Blocks of tables `[…, heads, rows, columns]`, with or without a causal mask; a small table is one block.
    pub(crate) fn of(shape: &[usize], causal: bool) -> Vec<Self> {
        let &[ref lead @ .., rows, columns] = shape else { return Vec::new() };
        let (heads, batch) =
            lead.split_last().map_or((1, 1), |(heads, batch)| (*heads, batch.iter().product()));
        let height = if causal { CAUSAL_ROWS } else { ROWS };
        let several = (ELEMENTS / (batch * height.min(rows) * columns).max(1)).max(1);
        let spans = |extent: usize, step: usize| {
            (0..extent).step_by(step).map(move |start| Range::span(start, step.min(extent - start)))
        };
        let of_heads = |heads| spans(rows, height).map(move |rows| Self { heads, rows, columns, inner: 1 });
        spans(heads, several).flat_map(of_heads).collect()
    }

    /// The region of an operand of this shape that belongs to the block.
    pub(crate) fn region(self, rows: Rows, shape: &[usize]) -> Vec<Range> {
        let (inner, columns) = (Range::span(0, self.inner), Range::span(0, self.columns));
        let wanted = match rows {
            Rows::Same => [columns, self.rows],
            Rows::Left => [inner, self.rows],
            Rows::Right { transposed: false } => [columns, inner],
            Rows::Right { transposed: true } => [inner, columns],
        };
        let mut region = Range::whole(shape);
        for (range, wanted) in region.iter_mut().rev().zip(wanted) {
            if rows != Rows::Same || range.len != 1 {
                *range = wanted;
            }
        }
        if let Some(range) = region.iter_mut().rev().nth(2).filter(|range| range.len != 1) {
            *range = self.heads;
        }
        region
    }

    /// The block's part of a tensor.
    pub(crate) fn cut<T: Tensor>(self, rows: Rows, x: &T) -> Result<T> {
        x.slice(&self.region(rows, &x.shape()))
    }

    /// The block's part of an operand, whose data may not have been kept.
    pub(crate) fn operand<T: Tensor>(self, rows: Rows, x: &Operand<T>) -> Result<Operand<T>> {
        let shape = self.region(rows, &x.meta.shape).iter().map(|range| range.len).collect();
        let data = x.data.as_ref().map(|data| self.cut(rows, data)).transpose()?;
        Ok(Operand { meta: Meta { shape, ..x.meta.clone() }, data, weight: None, ..*x })
    }

    /// Adds relevance of the block to that of the whole.
    pub(crate) fn add<T: Tensor>(
        self,
        rows: Rows,
        whole: Relevance<T>,
        part: &Relevance<T>,
    ) -> Result<Relevance<T>> {
        let region = self.region(rows, &whole.shape());
        whole.add_region(&region, part)
    }

    /// Drops the last columns if no relevance arrived there.
    pub(crate) fn reached<T: Tensor>(self, relevance: &Relevance<T>) -> Result<Self> {
        let channels = [Some(relevance.first()), relevance.second()];
        let used = |channel: &T| used_columns(&self.cut(Rows::Same, channel)?);
        let columns = channels.into_iter().flatten().map(used).collect::<Result<Vec<_>>>()?;
        Ok(Self { columns: columns.into_iter().max().unwrap_or(0), ..self })
    }

    /// Drops the summands of A·B that are 0 in all rows of A, but keeps one, so that rows of zeros can book their loss.
    pub(crate) fn summing<T: Tensor>(self, a: &T) -> Result<Self> {
        let whole = Self { inner: a.shape().last().copied().unwrap_or(1), ..self };
        Ok(Self { inner: used_columns(&whole.cut(Rows::Left, a)?)?.max(1), ..self })
    }
}

/// Whether the last column of the first row is 0.
pub(crate) fn is_causal<T: Tensor>(x: &T) -> Result<bool> {
    match x.shape()[..] {
        [.., rows, columns] if rows * columns > 0 => {
            let corner = part(x, Range::span(0, 1), Range::span(columns - 1, 1))?;
            Ok(used(&column_sizes(&corner)?) == 0)
        }
        _ => Ok(false),
    }
}

/// The number of columns up to the last one that is not all 0.
fn used_columns<T: Tensor>(x: &T) -> Result<usize> {
    let shape = x.shape();
    let [.., rows, columns] = shape[..] else { return Ok(1) };
    if shape.contains(&0) {
        return Ok(0);
    }
    let all = Range::full(rows);
    let used = |rows, columns| Ok(used(&column_sizes(&part(x, rows, columns)?)?));
    // Most tables hold something in the last column; in causal ones the last row is the fullest.
    if used(all, Range::span(columns - 1, 1))? > 0 {
        return Ok(columns);
    }
    let guess = used(Range::span(rows - 1, 1), Range::full(columns))?;
    Ok(guess + used(all, Range::span(guess, columns - guess))?)
}

/// Some rows and columns of every table.
fn part<T: Tensor>(x: &T, rows: Range, columns: Range) -> Result<T> {
    let mut region = Range::whole(&x.shape());
    for (range, wanted) in region.iter_mut().rev().zip([columns, rows]) {
        *range = wanted;
    }
    x.slice(&region)
}

/// Σ|x| of each column over all rows of all tables.
pub(crate) fn column_sizes<T: Tensor>(x: &T) -> Result<Vec<f64>> {
    let above: Vec<usize> = (1..x.shape().len()).map(|axis| axis - 1).collect();
    Ok(x.abs()?.sum(&above, false)?.to_array()?.into_iter().collect())
}

/// The number of entries up to the last one other than 0. NaN is not 0.
fn used(sizes: &[f64]) -> usize {
    sizes.iter().rposition(|size| *size != 0.0).map_or(0, |last| last + 1)
}
