//! Weighted sums by a map that the step owns (rules §2), such as a framework's own kernel and its backward.

use crate::maps::LinearMap;
use crate::op::arrived;
use crate::weighted_sum::{Term, Variant, WeightedSum};
use crate::{BacktraceOp, Context, Error, Family, Operand, Relevance, Result, Tensor};
use std::fmt::Debug;

/// A linear map of operand 0, which constants among the other operands complete.
pub trait OwnedMap<T: Tensor>: Debug + Send {
    /// The name of the map in messages: "sampling at a grid".
    fn name(&self) -> &'static str;

    /// The map, for these operands.
    ///
    /// # Errors
    /// [`Error::Uncovered`] if they do not fit, [`Error::NotKept`].
    fn map<'a>(&'a self, operands: &'a [Operand<T>]) -> Result<Box<dyn LinearMap<T> + 'a>>;
}

/// y = W x. Operands: x, and those from which W is made.
#[derive(Debug, Clone)]
pub struct Linear<M> {
    /// Makes W.
    pub map: M,
}

impl<T: Tensor, M: OwnedMap<T>> BacktraceOp<T> for Linear<M> {
    fn family(&self) -> Family {
        Family::WeightedSum
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let [x, others @ ..] = operands else {
            return Err(Error::Uncovered(format!("{} needs an operand", self.map.name())));
        };
        if others.iter().any(|other| other.depends) {
            let name = self.map.name();
            return Err(Error::Uncovered(format!("{name} that depends on the input has no rule")));
        }
        let terms = vec![Term { operand: x, map: self.map.map(operands)? }];
        let sum = WeightedSum { terms, bias: None, variant: Variant::Linear, result: None };
        let mut shares = sum.backtrace(arrived(arriving)?, context)?;
        shares.resize(operands.len(), None);
        Ok(shares)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::maps::{Dense, Side};
    use crate::ops::pieces::testing::{backtrace, check_weighted_sum, constant, moving, numbers, relevances};
    use crate::{Context, WeightCache};

    /// W·x with W as an operand, or as the step's own.
    #[derive(Debug)]
    struct Product {
        own: Option<Operand<Array>>,
        weights: WeightCache<Array>,
    }

    impl Product {
        fn of(own: Option<Array>) -> Linear<Self> {
            Linear { map: Self { own: own.map(constant), weights: WeightCache::new(0) } }
        }
    }

    impl OwnedMap<Array> for Product {
        fn name(&self) -> &'static str {
            "a product with a weight"
        }

        fn map<'a>(&'a self, operands: &'a [Operand<Array>]) -> Result<Box<dyn LinearMap<Array> + 'a>> {
            let weight = self.own.as_ref().unwrap_or_else(|| &operands[1]);
            let from = operands[0].meta.shape.clone();
            let weights = &self.weights;
            Ok(Box::new(Dense { weight, transposed: false, side: Side::Right, from, weights }))
        }
    }

    #[test]
    fn relevance_goes_by_the_map() {
        let weight = numbers(&[4, 3], 1);
        let forward = |x: &Array| weight.matmul(x).unwrap();
        check_weighted_sum(&Product::of(Some(weight.clone())), &[3, 2], forward);
    }

    #[test]
    fn the_other_operands_are_constants() {
        let (x, weight) = (moving(numbers(&[3, 2], 2)), numbers(&[4, 3], 3));
        let arriving = [Some(relevances(&[4, 2])[0].clone())];
        let (shares, _) = backtrace(&Product::of(None), &[x.clone(), constant(weight.clone())], &arriving);
        assert!(shares[0].is_some() && shares[1].is_none());
        let weights = WeightCache::new(0);
        let refused =
            Product::of(None).backtrace(&[x, moving(weight)], &arriving, &mut Context::new(&weights));
        assert!(
            matches!(refused, Err(Error::Uncovered(message)) if message.contains("a weight that depends on the input"))
        );
    }
}
