//! The largest or smallest of the values that land in a cell: scatter_reduce, index_reduce, bags of embeddings (rules §3).

use super::pieces::winner::per_winner;
use crate::op::arrived;
use crate::{BacktraceOp, Context, Error, Family, Loss, Operand, Relevance, Result, Tensor};

/// y = the largest (or smallest) of base and all sourceⱼ with `index[j]` along an axis. The values equal to the result share
/// the R of its cell. Operands: the source, and the base if it takes part.
#[derive(Debug, Clone)]
pub struct IndexExtremum<T> {
    /// The axis.
    pub axis: usize,
    /// One-dimensional: for each sub-tensor of the source, its index in y.
    pub index: T,
    /// y
    pub result: T,
}

impl<T: Tensor> BacktraceOp<T> for IndexExtremum<T> {
    fn family(&self) -> Family {
        Family::Winner
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let [source, base @ ..] = operands else {
            return Err(Error::Uncovered("an indexed extremum needs a source".into()));
        };
        let relevance = arrived(arriving)?;
        let read = |y: &T| y.index_select(self.axis, &self.index);
        let mut wins = vec![source.data()?.equal(&read(&self.result)?)?];
        let mut count = self.result.zeros(&relevance.shape())?.index_add(self.axis, &self.index, &wins[0])?;
        for operand in base {
            let base_wins = operand.data()?.equal(&self.result)?;
            count = count.add(&base_wins)?;
            wins.push(base_wins);
        }
        let per_winner = per_winner(relevance, &count, Loss::Padding, context)?;
        let shares = [per_winner.map(read)?].into_iter().chain(base.iter().map(|_| per_winner.clone()));
        operands
            .iter()
            .zip(wins)
            .zip(shares)
            .map(|((operand, wins), share)| {
                let share = share.map(|channel| channel.mul(&wins))?;
                if operand.depends {
                    return Ok(Some(share));
                }
                context.lose(Loss::Constant, share.amount()?);
                Ok(None)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::ops::pieces::testing::{assert_close, backtrace, constant, moving, values};

    fn op() -> IndexExtremum<Array> {
        IndexExtremum {
            axis: 0,
            index: Array::ints(&[4], &[0, 2, 0, 2]),
            result: Array::from_slice(&[3], &[5.0, 1.0, 2.0]),
        }
    }

    fn relevance() -> Relevance<Array> {
        let channel = |scale: f64| Array::from_slice(&[3], &[12.0 * scale, 5.0, 7.0]);
        Relevance::contrastive(channel(1.0), channel(-1.0))
    }

    #[test]
    fn equal_ones_share() {
        let source = moving(Array::from_slice(&[4], &[5.0, 2.0, 5.0, 1.0]));
        let base = Array::from_slice(&[3], &[5.0, 1.0, 0.0]);
        let (shares, _) = backtrace(&op(), &[source.clone(), moving(base.clone())], &[Some(relevance())]);
        assert_close(&values(shares[0].as_ref().unwrap().first()), &[4.0, 7.0, 4.0, 0.0], 1e-14);
        assert_close(&values(shares[1].as_ref().unwrap().second().unwrap()), &[-4.0, 5.0, 0.0], 1e-14);
        let (shares, lost) = backtrace(&op(), &[source, constant(base)], &[Some(relevance())]);
        assert!(shares[1].is_none());
        assert_close(&[lost[&Loss::Constant].positive], &[9.0], 1e-14);
    }

    #[test]
    fn cells_where_nothing_landed_lose() {
        let source = moving(Array::from_slice(&[4], &[5.0, 2.0, 4.0, 1.0]));
        let (shares, lost) = backtrace(&op(), &[source], &[Some(relevance())]);
        assert_close(&values(shares[0].as_ref().unwrap().first()), &[12.0, 7.0, 0.0, 0.0], 1e-14);
        assert_close(&[lost[&Loss::Padding].negative], &[5.0], 1e-14);
    }
}
