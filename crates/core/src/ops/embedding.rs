//! Rows of a table, looked up by index (rules §5).

use super::exactly;
use crate::op::arrived;
use crate::{BacktraceOp, Context, Family, Operand, Relevance, Result, Role, Tensor};

/// Operands: table `[V, …]`, tokens of any shape; output `[tokens…, …]`. A constant table takes nothing: a token's relevance is
/// the sum over its row. A table that depends on the input takes everything, because its rows move.
#[derive(Debug, Clone)]
pub struct Embedding;

impl<T: Tensor> BacktraceOp<T> for Embedding {
    fn family(&self) -> Family {
        Family::Embedding
    }

    fn role(&self, operands: &[Operand<T>]) -> Role {
        match operands {
            [table, _] if table.depends => Role::Movement,
            _ => Role::Other,
        }
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        _: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let [table, tokens] = exactly(operands)?;
        let relevance = arrived(arriving)?;
        if !table.depends {
            let row: Vec<usize> = (tokens.meta.shape.len()..relevance.shape().len()).collect();
            let share = relevance.map_conserving(|channel| match row.as_slice() {
                [] => Ok(channel.clone()),
                row => channel.sum(row, false),
            })?;
            return Ok(vec![None, Some(share)]);
        }
        let count: usize = tokens.meta.shape.iter().product();
        let mut rows = table.meta.shape.clone();
        if let Some(first) = rows.first_mut() {
            *first = count;
        }
        let index = tokens.data()?.reshape(&[count])?;
        let share = relevance.map_conserving(|channel| {
            channel.zeros(&table.meta.shape)?.index_add(0, &index, &channel.reshape(&rows)?)
        })?;
        Ok(vec![Some(share), None])
    }
}
