//! Matrices in which the entries of each row lie close together, as in windows and interpolations.

use crate::{Error, Range, Result, Tensor};
use ndarray::Array2;

/// The most rows in a block: enough to make a matrix product worth its call, few enough to keep the block's columns few.
const ROWS: usize = 64;

/// A matrix stored as dense blocks, so that the cost grows with the length of an axis and not with its square.
#[derive(Debug, Clone)]
pub struct BlockMatrix {
    rows: usize,
    columns: usize,
    blocks: Vec<Block>,
}

#[derive(Debug, Clone)]
struct Block {
    rows: Range,
    columns: Range,
    entries: Array2<f64>,
}

impl BlockMatrix {
    /// A matrix with this many columns, from the entries `(column, value)` of each row. Entries in the same column add up.
    ///
    /// # Errors
    /// [`Error::Uncovered`] if an entry lies outside the columns.
    pub fn new(columns: usize, rows: &[Vec<(usize, f64)>]) -> Result<Self> {
        let blocks =
            rows.chunks(ROWS).zip(0..).map(|(chunk, index)| Block::new(index * ROWS, chunk, columns));
        Ok(Self { rows: rows.len(), columns, blocks: blocks.collect::<Result<_>>()? })
    }

    /// Applies a function to each entry; it must map 0 to 0.
    pub(super) fn map(&self, function: impl Fn(f64) -> f64) -> Self {
        let block = |block: &Block| Block { entries: block.entries.mapv(&function), ..block.clone() };
        Self { blocks: self.blocks.iter().map(block).collect(), ..*self }
    }

    pub(super) fn has_negative(&self) -> bool {
        self.blocks.iter().any(|block| block.entries.iter().any(|&entry| entry < 0.0))
    }

    /// The extent of an axis after the map: the number of rows, or of columns if transposed.
    pub(super) fn extent(&self, transposed: bool) -> usize {
        if transposed { self.columns } else { self.rows }
    }

    /// Applies the matrix, or its transpose, along an axis.
    pub(super) fn along<T: Tensor>(&self, x: &T, axis: usize, transposed: bool) -> Result<T> {
        let (from, to) = (self.extent(!transposed), self.extent(transposed));
        let mut shape = x.shape();
        if shape.get(axis) != Some(&from) {
            return Err(Error::Uncovered(format!(
                "axis {axis} of {shape:?} does not have the extent {from} that its map takes"
            )));
        }
        let mut region: Vec<Range> = shape.iter().map(|&extent| Range::full(extent)).collect();
        if let [block] = self.blocks.as_slice()
            && block.columns == Range::full(self.columns)
        {
            return block.along(x, axis, transposed);
        }
        shape[axis] = to;
        self.blocks.iter().try_fold(x.zeros(&shape)?, |sum, block| {
            let (source, target) =
                if transposed { (block.rows, block.columns) } else { (block.columns, block.rows) };
            region[axis] = source;
            let part = block.along(&x.slice(&region)?, axis, transposed)?;
            region[axis] = target;
            sum.add_region(&region, &part)
        })
    }
}

impl Block {
    fn new(start: usize, rows: &[Vec<(usize, f64)>], columns: usize) -> Result<Self> {
        let entries = || rows.iter().flatten().map(|&(column, _)| column);
        let (first, last) = (entries().min().unwrap_or(0), entries().max().unwrap_or(0));
        if last >= columns.max(1) {
            return Err(Error::Uncovered(format!(
                "an entry in column {last} of a matrix with {columns} columns"
            )));
        }
        let span = Range::span(first, columns.min(last + 1 - first));
        let mut dense = Array2::zeros((rows.len(), span.len));
        for (row, entries) in rows.iter().enumerate() {
            for &(column, value) in entries {
                dense[[row, column - first]] += value;
            }
        }
        Ok(Self { rows: Range::span(start, rows.len()), columns: span, entries: dense })
    }

    fn along<T: Tensor>(&self, x: &T, axis: usize, transposed: bool) -> Result<T> {
        let mut shape = x.shape();
        let (before, after) = (shape[..axis].iter().product(), shape[axis + 1..].iter().product());
        let matrix = if transposed { self.entries.t() } else { self.entries.view() };
        let (rows, columns) = matrix.dim();
        let result = if after == 1 {
            // As x·Aᵀ over the last axis, this is one product instead of many of width 1.
            x.reshape(&[before, columns])?.matmul(&x.floats(matrix.t().into_dyn())?)?
        } else {
            x.floats(matrix.into_dyn())?.matmul(&x.reshape(&[before, columns, after])?)?
        };
        shape[axis] = rows;
        result.reshape(&shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;

    fn dense(matrix: &BlockMatrix, transposed: bool) -> Array {
        let extent = matrix.extent(!transposed);
        let unit = Array::new(Array2::eye(extent).into_dyn());
        matrix.along(&unit, 0, transposed).unwrap()
    }

    #[test]
    fn entries_of_one_column_add_up() {
        let matrix = BlockMatrix::new(3, &[vec![(0, 1.0), (2, 2.0), (0, 0.5)], vec![]]).unwrap();
        assert_eq!(dense(&matrix, false), Array::from_slice(&[2, 3], &[1.5, 0.0, 2.0, 0.0, 0.0, 0.0]));
    }

    #[test]
    fn blocks_make_up_the_whole_matrix() {
        // Three blocks; row r has entries in columns r and r + 1.
        let rows: Vec<_> = (0..150).map(|row| vec![(row, 1.0 + row as f64), (row + 1, -1.0)]).collect();
        let matrix = BlockMatrix::new(152, &rows).unwrap();
        assert_eq!(matrix.blocks.len(), 3);
        assert!(matrix.blocks.iter().all(|block| block.entries.ncols() <= ROWS + 1));
        let mut expected = Array2::zeros((150, 152));
        for row in 0..150 {
            expected[[row, row]] = 1.0 + row as f64;
            expected[[row, row + 1]] = -1.0;
        }
        assert_eq!(dense(&matrix, false), Array::new(expected.clone().into_dyn()));
        assert_eq!(dense(&matrix, true), Array::new(expected.reversed_axes().into_dyn()));
        assert!(matrix.has_negative() && !matrix.map(f64::abs).has_negative());
    }

    #[test]
    fn the_axis_may_stand_anywhere() {
        let matrix = BlockMatrix::new(2, &[vec![(0, 1.0), (1, 10.0)]]).unwrap();
        let x = Array::from_slice(&[2, 2, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        let along = |axis| matrix.along(&x, axis, false).unwrap();
        assert_eq!(along(0), Array::from_slice(&[1, 2, 2], &[51.0, 62.0, 73.0, 84.0]));
        assert_eq!(along(1), Array::from_slice(&[2, 1, 2], &[31.0, 42.0, 75.0, 86.0]));
        assert_eq!(along(2), Array::from_slice(&[2, 2, 1], &[21.0, 43.0, 65.0, 87.0]));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(matches!(BlockMatrix::new(2, &[vec![(2, 1.0)]]), Err(Error::Uncovered(_))));
        let matrix = BlockMatrix::new(2, &[vec![(0, 1.0)]]).unwrap();
        for (shape, axis) in [(&[3][..], 0), (&[2], 1)] {
            let x = Array::from_slice(shape, &vec![0.0; shape[0]]);
            assert!(matches!(matrix.along(&x, axis, false), Err(Error::Uncovered(_))));
        }
    }
}
