//! Matrices with few entries other than 0.

use super::LinearMap;
use crate::{Part, Result, Tensor};
use ndarray::{ArrayView, Axis};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The entries of a matrix other than 0; entries at the same place add up.
#[derive(Debug, Clone, Default)]
pub struct Entries {
    to: Vec<i64>,
    from: Vec<i64>,
    weights: Vec<f64>,
}

/// The most numbers that are read for entries at one time.
const AT_ONCE: usize = 1 << 22;

impl Entries {
    /// Adds an entry: row `from` of x counts with this weight in row `to` of y. A weight of 0 is left out.
    pub fn add(&mut self, to: usize, from: usize, weight: f64) {
        if weight != 0.0 {
            self.to.push(to as i64);
            self.from.push(from as i64);
            self.weights.push(weight);
        }
    }

    /// One entry for each place. Squares and ones of parts do not add up to those of the whole.
    fn merged(&self) -> Self {
        let mut places = BTreeMap::new();
        for ((&to, &from), &weight) in self.to.iter().zip(&self.from).zip(&self.weights) {
            *places.entry((to, from)).or_default() += weight;
        }
        let mut merged = Self::default();
        for ((to, from), weight) in
            places.into_iter().filter(|&(_, weight)| Part::Ones.of_entry(weight) > 0.0)
        {
            merged.to.push(to);
            merged.from.push(from);
            merged.weights.push(weight);
        }
        merged
    }

    /// `rows` rows. To each are added the rows of x that its entries name, multiplied by the given part of their weights. It takes
    /// the entries in portions, because all together may read each row of x many times.
    fn product<T: Tensor>(&self, [to, from]: [&[i64]; 2], rows: usize, part: Part, x: &T) -> Result<T> {
        let columns = x.shape()[1];
        let mut y = x.zeros(&[rows, columns])?;
        let chunk = (AT_ONCE / columns.max(1)).max(1);
        for ((to, from), weights) in to.chunks(chunk).zip(from.chunks(chunk)).zip(self.weights.chunks(chunk))
        {
            let weights = x.floats(ArrayView::from(weights).insert_axis(Axis(1)).into_dyn())?;
            let read = x.index_select(0, &x.indices(from)?)?.mul(&part.of(&weights)?)?;
            y = y.index_add(0, &x.indices(to)?, &read)?;
        }
        Ok(y)
    }
}

/// x ↦ S·x for x of `from` rows, where y has `to` rows.
#[derive(Debug)]
pub struct Sparse<'a> {
    /// S
    pub entries: &'a Entries,
    /// Rows of x.
    pub from: usize,
    /// Rows of y.
    pub to: usize,
}

impl<T: Tensor> LinearMap<T> for Sparse<'_> {
    fn apply(&self, part: Part, x: &T) -> Result<T> {
        let entries = self.entries(part);
        entries.product([&entries.to, &entries.from], self.to, part, x)
    }

    fn adjoint(&self, part: Part, y: &T) -> Result<T> {
        let entries = self.entries(part);
        entries.product([&entries.from, &entries.to], self.from, part, y)
    }
}

impl Sparse<'_> {
    fn entries(&self, part: Part) -> Cow<'_, Entries> {
        match part {
            Part::Square | Part::Ones => Cow::Owned(self.entries.merged()),
            _ => Cow::Borrowed(self.entries),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;

    #[test]
    fn entries_at_one_place_are_one_weight() {
        let mut entries = Entries::default();
        for (to, from, weight) in
            [(0, 0, 1.0), (0, 1, 2.0), (0, 0, 2.0), (1, 1, -1.0), (1, 0, 1.0), (1, 0, -1.0)]
        {
            entries.add(to, from, weight);
        }
        let map = Sparse { entries: &entries, from: 2, to: 2 };
        let x = Array::from_slice(&[2, 1], &[1.0, 10.0]);
        for (part, rows, columns) in [
            (Part::Signed, [23.0, -10.0], [3.0, -8.0]),
            (Part::Square, [49.0, 10.0], [9.0, 14.0]),
            (Part::Ones, [11.0, 10.0], [1.0, 11.0]),
        ] {
            assert_eq!(map.apply(part, &x).unwrap(), Array::from_slice(&[2, 1], &rows));
            assert_eq!(map.adjoint(part, &x).unwrap(), Array::from_slice(&[2, 1], &columns));
        }
    }
}
