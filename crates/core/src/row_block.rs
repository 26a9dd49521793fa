//! Large tables a block of rows at a time.
//!
//! Rules go over attention scores several times. A block of them stays in the processor's caches, and small enough for
//! allocators to use its memory again; and of each block only the columns that hold anything need be gone over: half of
//! all under a causal mask, none where no relevance arrived.

use crate::{Meta, Operand, Range, Relevance, Result, Tensor};

/// Elements of a block, at most.
const ELEMENTS: usize = 1 << 19;
/// Rows of a block, at least: matrix products of fewer are slow.
const ROWS: usize = 128;

/// How the rows of an operand go into those of the output `[…, rows, columns]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// Each element goes into that of its place alone. Axes of extent 1 broadcast.
    Same,
    /// Row i goes into row i alone; its columns are summed over: A of A·B.
    Left,
    /// All go into all: B of A·B.
    Right {
        /// Whether it is Bᵀ.
        transposed: bool,
    },
}

impl Rows {
    /// Whether row i goes into row i alone.
    pub fn are_kept(self) -> bool {
        matches!(self, Self::Same | Self::Left)
    }
}

/// A block of the output of an operator that keeps rows apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowBlock {
    /// Which rows.
    pub rows: Range,
    /// How many columns, from the first on; none of the others holds any relevance.
    pub columns: usize,
    /// How many summands, from the first on, of a product of matrices; the others are 0.
    pub inner: usize,
}

impl RowBlock {
    /// Tables of this shape in blocks; a small one is one block.
    pub(crate) fn of(shape: &[usize]) -> Vec<Self> {
        let [lead @ .., rows, columns] = shape else { return Vec::new() };
        let row = lead.iter().product::<usize>() * columns;
        let (height, rows, columns) = ((ELEMENTS / row.max(1)).max(ROWS), *rows, *columns);
        let block = |start| Self { rows: Range::span(start, height.min(rows - start)), columns, inner: 1 };
        (0..rows).step_by(height).map(block).collect()
    }

    /// Where the block has its part of an operand of this shape.
    pub(crate) fn region(self, rows: Rows, shape: &[usize]) -> Vec<Range> {
        let (inner, columns) = (Range::span(0, self.inner), Range::span(0, self.columns));
        let wanted = match rows {
            Rows::Same => [columns, self.rows],
            Rows::Left => [inner, self.rows],
            Rows::Right { transposed: false } => [columns, inner],
            Rows::Right { transposed: true } => [inner, columns],
        };
        let mut region: Vec<Range> = shape.iter().copied().map(Range::full).collect();
        for (range, wanted) in region.iter_mut().rev().zip(wanted) {
            if rows != Rows::Same || range.len != 1 {
                *range = wanted;
            }
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

    /// Without the last columns at which no relevance arrived.
    pub(crate) fn reached<T: Tensor>(self, relevance: &Relevance<T>) -> Result<Self> {
        let channels = [Some(relevance.first()), relevance.second()];
        let used = |channel: &T| used_columns(&self.cut(Rows::Same, channel)?);
        let columns = channels.into_iter().flatten().map(used).collect::<Result<Vec<_>>>()?;
        Ok(Self { columns: columns.into_iter().max().unwrap_or(0), ..self })
    }

    /// As many summands of A·B as are not 0 in all rows of A; one at least, to lose what reaches rows of 0.
    pub(crate) fn summing<T: Tensor>(self, a: &T) -> Result<Self> {
        let whole = Self { inner: a.shape().last().copied().unwrap_or(1), ..self };
        Ok(Self { inner: used_columns(&whole.cut(Rows::Left, a)?)?.max(1), ..self })
    }
}

/// How many columns there are up to the last that is not 0 throughout. What is not a number is not 0.
fn used_columns<T: Tensor>(x: &T) -> Result<usize> {
    let shape = x.shape();
    let &[ref lead @ .., rows, columns] = shape.as_slice() else { return Ok(1) };
    if shape.contains(&0) {
        return Ok(0);
    }
    let part = |rows: Range, columns: Range| {
        let mut region: Vec<Range> = lead.iter().copied().map(Range::full).collect();
        region.extend([rows, columns]);
        x.slice(&region)?.abs()
    };
    let all = Range::full(rows);
    // Most tables hold something in the last column; of causal ones the last row holds most.
    if part(all, Range::span(columns - 1, 1))?.total()? != 0.0 {
        return Ok(columns);
    }
    let used = |part: T| -> Result<usize> {
        let axes: Vec<usize> = (0..=lead.len()).collect();
        let sizes = part.sum(&axes, false)?.to_array()?;
        Ok((1..).zip(&sizes).filter(|(_, size)| **size != 0.0).last().map_or(0, |(column, _)| column))
    };
    let guess = used(part(Range::span(rows - 1, 1), Range::full(columns))?)?;
    match part(all, Range::span(guess, columns - guess))?.total()? {
        0.0 => Ok(guess),
        _ => used(part(all, Range::full(columns))?),
    }
}
