//! Rows at which relevance arrived.

use crate::{Operand, Relevance, Result, Tensor};

/// Below so many rows a look at them costs what it spares.
const WORTHWHILE: usize = 16;

/// Some rows of tables that have one for each position, such as the last position of a text in the layers after the last
/// attention: where nothing arrived nothing is handed on, so that a rule may leave the others out.
#[derive(Debug)]
pub(in crate::ops) struct LiveRows<T> {
    index: T,
    count: usize,
}

impl<T: Tensor> LiveRows<T> {
    /// The rows of relevance `[…, features]`; `None` unless most are without any.
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
        // What is not a number must not pass for nothing.
        let live: Vec<i64> =
            (0..).zip(sizes.to_array()?).filter(|(_, size)| *size != 0.0).map(|(row, _)| row).collect();
        if 2 * live.len() > count {
            return Ok(None);
        }
        Ok(Some(Self { index: relevance.first().indices(&live)?, count }))
    }

    /// These rows, as a table `[live, features]`.
    pub(in crate::ops) fn pick(&self, x: &T) -> Result<T> {
        self.table(x)?.index_select(0, &self.index)
    }

    /// These rows of an operand.
    pub(in crate::ops) fn operand(&self, x: &Operand<T>) -> Result<Operand<T>> {
        Ok(x.holding(self.pick(x.data()?)?))
    }

    /// A table with these rows and zeros, of the given shape.
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
