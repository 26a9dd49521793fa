//! Sub-tensors added into others by index: index_add, scatter_add, fold, bags of embeddings (rules §2).

use crate::maps::{Broadcast, LinearMap, Scatter};
use crate::op::arrived;
use crate::weighted_sum::{Term, Variant, WeightedSum};
use crate::{BacktraceOp, Context, Error, Family, Operand, Relevance, Result, Tensor};

/// y = base + Σⱼ sourceⱼ at `index[j]` along an axis: each summand takes its share |x| / Σ|x| of its cell. Operands: the
/// source, and possibly the base. The rule stays the same if cells are scaled, as in means.
#[derive(Debug, Clone)]
pub struct IndexAdd<T> {
    /// The axis.
    pub axis: usize,
    /// One-dimensional: for each sub-tensor of the source, its index in y.
    pub index: T,
}

impl<T: Tensor> BacktraceOp<T> for IndexAdd<T> {
    fn family(&self) -> Family {
        Family::WeightedSum
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let [source, base @ ..] = operands else {
            return Err(Error::Uncovered("an indexed addition needs a source".into()));
        };
        let relevance = arrived(arriving)?;
        let scatter = Scatter { axis: self.axis, index: &self.index, to: relevance.shape() };
        let mut terms = vec![Term { operand: source, map: Box::new(scatter) as Box<dyn LinearMap<T>> }];
        terms.extend(base.iter().map(|operand| Term {
            operand,
            map: Box::new(Broadcast { factor: 1.0, from: operand.meta.shape.clone() }),
        }));
        WeightedSum { terms, bias: None, variant: Variant::Linear, result: None }
            .backtrace(relevance, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::ops::pieces::testing::{
        assert_close, backtrace, check_weighted_sum, constant, moving, relevances, values,
    };
    use crate::{Loss, Tensor};

    #[test]
    fn sources_share_the_cell_they_land_in() {
        for (axis, shape, to) in [(0, [4, 2], [3, 2]), (1, [2, 4], [2, 3])] {
            let index = Array::ints(&[4], &[2, 0, 2, 2]);
            let op = IndexAdd { axis, index: index.clone() };
            check_weighted_sum(&op, &shape, |x| x.zeros(&to).unwrap().index_add(axis, &index, x).unwrap());
        }
    }

    #[test]
    fn the_base_takes_its_share() {
        let op = IndexAdd { axis: 0, index: Array::ints(&[2], &[1, 1]) };
        let source = moving(Array::from_slice(&[2], &[1.0, -2.0]));
        let base = Array::from_slice(&[2], &[3.0, 5.0]);
        let relevance = crate::Relevance::default_mode(Array::from_slice(&[2], &[7.0, 16.0]));
        let (shares, _) = backtrace(&op, &[source.clone(), moving(base.clone())], &[Some(relevance.clone())]);
        assert_close(&values(shares[0].as_ref().unwrap().first()), &[2.0, 4.0], 1e-14);
        assert_close(&values(shares[1].as_ref().unwrap().first()), &[7.0, 10.0], 1e-14);
        let (shares, lost) = backtrace(&op, &[source, constant(base)], &[Some(relevance)]);
        assert!(shares[1].is_none());
        assert_close(&[lost[&Loss::Constant].positive], &[17.0], 1e-14);
    }

    #[test]
    fn what_arrives_where_nothing_landed_is_lost() {
        let op = IndexAdd { axis: 0, index: Array::ints(&[1], &[1]) };
        let source = moving(Array::from_slice(&[1], &[1.0]));
        let relevance = &relevances(&[2])[0];
        let (_, lost) = backtrace(&op, &[source], &[Some(relevance.clone())]);
        assert_close(&[lost[&Loss::ZeroDenominator].positive], &values(relevance.first())[..1], 1e-14);
    }
}
