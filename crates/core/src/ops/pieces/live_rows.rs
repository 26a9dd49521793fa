//! Rows at which relevance arrived.

use crate::{Operand, Relevance, Result, Tensor};

/// With fewer rows, looking at them costs as much as it saves.
const WORTHWHILE: usize = 16;

/// The rows at which relevance arrived, in tables with one row for each position: behind the last attention, for example, only
/// the last position of a text. Where nothing arrives, nothing is handed on, so a rule may skip the other rows.
#[derive(Debug)]
pub(in crate::ops) struct LiveRows<T> {
    index: T,
    count: usize,
}

impl<T: Tensor> LiveRows<T> {
    /// The live rows of relevance `[…, features]`; `None` unless most rows are without any.
    pub(in crate::ops) fn of(relevance: &Relevance<T>) -> Result<Option<Self>> {
        let count = count(&relevance.shape());
        if count < WORTHWHILE {
            return Ok(None);
        }
        let size = |channel: &T| {
            let shape = channel.shape();
            let features = shape.last().copied().unwrap_or(1);
            channel.reshape(&[count, features])?.abs()?.max_over(&[1])
        };
        let mut sizes = size(relevance.first())?;
        if let Some(second) = relevance.second() {
            sizes = sizes.add(&size(second)?)?;
        }
        // NaN must not count as nothing.
        let live: Vec<i64> =
            (0..).zip(sizes.to_array()?).filter(|(_, size)| *size != 0.0).map(|(row, _)| row).collect();
        if 2 * live.len() > count {
            return Ok(None);
        }
        Ok(Some(Self { index: relevance.first().indices(&live)?, count }))
    }

    /// The live rows, as a table `[live, features]`.
    pub(in crate::ops) fn pick(&self, x: &T) -> Result<T> {
        self.table(x)?.index_select(0, &self.index)
    }

    /// The live rows of an operand.
    pub(in crate::ops) fn operand(&self, x: &Operand<T>) -> Result<Operand<T>> {
        Ok(x.holding(self.pick(x.data()?)?))
    }

    /// A table of the given shape with these live rows, and zeros elsewhere.
    pub(in crate::ops) fn place(&self, rows: &T, shape: &[usize]) -> Result<T> {
        let features = shape.last().copied().unwrap_or(1);
        rows.zeros(&[self.count, features])?.index_add(0, &self.index, rows)?.reshape(shape)
    }

    fn table(&self, x: &T) -> Result<T> {
        let shape = x.shape();
        x.reshape(&[self.count, shape.last().copied().unwrap_or(1)])
    }
}

fn count(shape: &[usize]) -> usize {
    shape.split_last().map_or(0, |(_, rows)| rows.iter().product())
}
