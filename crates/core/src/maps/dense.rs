//! Matrix products with one constant factor.

use super::LinearMap;
use crate::{Operand, Part, Result, Tensor, WeightCache};

/// The side of the product on which x stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// x·W
    Left,
    /// W·x
    Right,
}

/// x ↦ x·W or W·x over the last two axes; leading axes broadcast. x and W have at least two axes.
#[derive(Debug)]
pub struct Dense<'a, T> {
    /// W
    pub weight: &'a Operand<T>,
    /// Whether W is stored transposed, as in a linear layer `[out, in]`.
    pub transposed: bool,
    /// The side of x.
    pub side: Side,
    /// Shape of x.
    pub from: Vec<usize>,
    /// Cached parts of W.
    pub weights: &'a WeightCache<T>,
}

impl<T: Tensor> Dense<'_, T> {
    fn weight(&self, part: Part, transposed: bool) -> Result<T> {
        let weight = self.weights.part(self.weight.weight, part, self.weight.data()?)?;
        if transposed { weight.transpose() } else { Ok(weight) }
    }
}

impl<T: Tensor> LinearMap<T> for Dense<'_, T> {
    fn channels(&self) -> Option<usize> {
        let back = match self.side {
            Side::Left => 1,
            Side::Right => 2,
        };
        self.from.len().checked_sub(back)
    }

    fn apply(&self, part: Part, x: &T) -> Result<T> {
        let weight = self.weight(part, self.transposed)?;
        match self.side {
            Side::Left => x.matmul(&weight),
            Side::Right => weight.matmul(x),
        }
    }

    fn adjoint(&self, part: Part, y: &T) -> Result<T> {
        let weight = self.weight(part, !self.transposed)?;
        let x = match self.side {
            Side::Left => y.matmul(&weight)?,
            Side::Right => weight.matmul(y)?,
        };
        x.sum_to(&self.from)
    }
}
