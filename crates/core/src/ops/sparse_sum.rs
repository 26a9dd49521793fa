//! Weighted sums of a few rows each: sampling between cells, pooling of regions (rules §2).

use crate::maps::{Entries, Sparse};
use crate::op::arrived;
use crate::ops::exactly;
use crate::weighted_sum::{Term, Variant, WeightedSum};
use crate::{BacktraceOp, Context, Error, Family, Operand, Relevance, Result, Tensor};

/// y = S·x with a constant S that has few entries. Operand: x `[rows, columns]`.
#[derive(Debug, Clone)]
pub struct SparseSum {
    /// S
    pub entries: Entries,
    /// Rows of y.
    pub rows: usize,
}

impl SparseSum {
    /// S·x
    ///
    /// # Errors
    /// [`Error::Uncovered`] if x is not a matrix, [`Error::Tensor`] if S reads rows that x does not have.
    pub fn of<T: Tensor>(&self, x: &T) -> Result<T> {
        use crate::maps::LinearMap;
        self.map(&x.shape())?.apply(crate::Part::Signed, x)
    }

    fn map(&self, shape: &[usize]) -> Result<Sparse<'_>> {
        match shape {
            &[from, _] => Ok(Sparse { entries: &self.entries, from, to: self.rows }),
            other => {
                Err(Error::Uncovered(format!("a sparse sum takes a matrix, not a tensor of shape {other:?}")))
            }
        }
    }
}

impl<T: Tensor> BacktraceOp<T> for SparseSum {
    fn family(&self) -> Family {
        Family::WeightedSum
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let [x] = exactly(operands)?;
        let terms = vec![Term { operand: x, map: Box::new(self.map(&x.meta.shape)?) }];
        WeightedSum { terms, bias: None, variant: Variant::Linear, result: None }
            .backtrace(arrived(arriving)?, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::ops::pieces::testing::{assert_close, check_weighted_sum, numbers, values};

    fn sum() -> SparseSum {
        let mut entries = Entries::default();
        for (to, from, weight) in
            [(0, 1, 0.5), (2, 0, -1.5), (0, 3, 2.0), (2, 3, 0.25), (1, 2, -1.0), (1, 0, 0.0)]
        {
            entries.add(to, from, weight);
        }
        SparseSum { entries, rows: 4 }
    }

    #[test]
    fn rows_are_summed_as_the_matrix_says() {
        let x = numbers(&[4, 3], 7);
        let mut matrix = vec![0.0; 16];
        for (at, weight) in [(1, 0.5), (3, 2.0), (6, -1.0), (8, -1.5), (11, 0.25)] {
            matrix[at] = weight;
        }
        let expected = Array::from_slice(&[4, 4], &matrix).matmul(&x).unwrap();
        assert_close(&values(&sum().of(&x).unwrap()), &values(&expected), 1e-14);
    }

    #[test]
    fn each_row_takes_its_share() {
        check_weighted_sum(&sum(), &[4, 3], |x| sum().of(x).unwrap());
    }
}
