//! The elements of a row-major buffer that a movement reads, and their order.

use super::shape;
use crate::{Error, Range, Result};

/// For each axis of the result, the offsets of its indices in the buffer: the element at index (i, j, …) lies at
/// `axes[0][i] + axes[1][j] + …`. Permuting, repeating, slicing, flipping and indexing only rearrange these lists.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    operation: &'static str,
    /// The shape of the buffer.
    from: Vec<usize>,
    axes: Vec<Vec<usize>>,
}

impl Selection {
    /// All elements of a buffer of the given shape; errors name `operation`.
    pub(super) fn all(operation: &'static str, from: &[usize]) -> Self {
        let mut stride = 1;
        let mut axes: Vec<Vec<usize>> = from
            .iter()
            .rev()
            .map(|&extent| {
                let offsets = (0..extent).map(|index| index * stride).collect();
                stride *= extent;
                offsets
            })
            .collect();
        axes.reverse();
        Self { operation, from: from.to_vec(), axes }
    }

    /// The shape of the result.
    pub(super) fn shape(&self) -> Vec<usize> {
        self.axes.iter().map(Vec::len).collect()
    }

    /// The position in the buffer of each element of the result, in row-major order.
    pub(super) fn positions(&self) -> Result<Vec<usize>> {
        shape::volume(self.operation, &self.shape())?;
        Ok(self.axes.iter().fold(vec![0], |positions, offsets| {
            positions
                .iter()
                .flat_map(|position| offsets.iter().map(move |offset| position + offset))
                .collect()
        }))
    }

    pub(super) fn permute(mut self, order: &[usize]) -> Result<Self> {
        shape::check_axes(self.operation, &self.from, order)?;
        if order.len() != self.axes.len() {
            let message = format!("the order {order:?} must name every axis of the shape {:?}", self.from);
            return Err(Error::tensor(self.operation, message));
        }
        self.axes = order.iter().map(|&axis| std::mem::take(&mut self.axes[axis])).collect();
        Ok(self)
    }

    /// Repeats axes of extent 1 and adds leading axes, up to the given shape.
    pub(super) fn broadcast(mut self, target: &[usize]) -> Result<Self> {
        if shape::broadcast(self.operation, &self.from, target)? != target {
            let message = format!("the shape {:?} does not repeat to {target:?}", self.from);
            return Err(Error::tensor(self.operation, message));
        }
        let lead = target.len() - self.axes.len();
        self.axes.splice(0..0, vec![vec![0]; lead]);
        for (offsets, &extent) in self.axes.iter_mut().zip(target) {
            if let [offset] = offsets[..] {
                *offsets = vec![offset; extent];
            }
        }
        Ok(self)
    }

    pub(super) fn region(mut self, region: &[Range]) -> Result<Self> {
        let inside = |(range, &extent): (&Range, &usize)| {
            let last = range.len.checked_sub(1).map(|steps| steps.saturating_mul(range.step));
            range.step >= 1
                && last.map_or(range.start <= extent, |last| range.start.saturating_add(last) < extent)
        };
        if region.len() != self.axes.len() || !region.iter().zip(&self.from).all(inside) {
            let message = format!("the region {region:?} does not lie in the shape {:?}", self.from);
            return Err(Error::tensor(self.operation, message));
        }
        for (offsets, range) in self.axes.iter_mut().zip(region) {
            *offsets = (0..range.len).map(|index| offsets[range.start + index * range.step]).collect();
        }
        Ok(self)
    }

    pub(super) fn flip(mut self, axes: &[usize]) -> Result<Self> {
        shape::check_axes(self.operation, &self.from, axes)?;
        axes.iter().for_each(|&axis| self.axes[axis].reverse());
        Ok(self)
    }

    pub(super) fn index(mut self, axis: usize, index: &[i64]) -> Result<Self> {
        shape::check_axes(self.operation, &self.from, &[axis])?;
        let offsets = &self.axes[axis];
        let chosen: Option<Vec<usize>> =
            index.iter().map(|&index| offsets.get(usize::try_from(index).ok()?).copied()).collect();
        let Some(chosen) = chosen else {
            let message =
                format!("an index lies outside axis {axis} of the shape {:?}: {index:?}", self.from);
            return Err(Error::tensor(self.operation, message));
        };
        self.axes[axis] = chosen;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::refused;
    use super::*;

    fn all() -> Selection {
        Selection::all("test", &[2, 3])
    }

    #[test]
    fn positions_run_in_row_major_order() {
        assert_eq!(all().positions().unwrap(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(Selection::all("test", &[]).positions().unwrap(), [0]);
        assert_eq!(Selection::all("test", &[2, 0]).positions().unwrap(), [0; 0]);
        assert_eq!(all().permute(&[1, 0]).unwrap().positions().unwrap(), [0, 3, 1, 4, 2, 5]);
        assert_eq!(all().flip(&[1]).unwrap().positions().unwrap(), [2, 1, 0, 5, 4, 3]);
        assert_eq!(all().index(1, &[2, 2]).unwrap().positions().unwrap(), [2, 2, 5, 5]);
    }

    #[test]
    fn every_other_column_of_the_last_row() {
        let region = [Range::span(1, 1), Range { start: 0, len: 2, step: 2 }];
        assert_eq!(all().region(&region).unwrap().positions().unwrap(), [3, 5]);
    }

    #[test]
    fn what_lies_outside_is_refused() {
        let columns = |start, len, step| all().region(&[Range::full(2), Range { start, len, step }]);
        assert_eq!(columns(3, 0, 1).unwrap().shape(), [2, 0]);
        refused(columns(4, 0, 1), "test");
        refused(columns(0, 2, 3), "test");
        refused(columns(1, 2, usize::MAX), "test");
        refused(columns(0, 1, 0), "test");
        refused(all().region(&[Range::full(2)]), "test");
        refused(all().permute(&[0]), "test");
        refused(all().permute(&[0, 0]), "test");
        refused(all().index(2, &[0]), "test");
        refused(all().index(0, &[2]), "test");
        refused(all().index(0, &[-1]), "test");
        refused(all().broadcast(&[3]), "test");
        refused(all().broadcast(&[2, 4]), "test");
    }
}
