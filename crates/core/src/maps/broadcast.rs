//! An operand of a sum: scaled and broadcast to the sum's shape.

use super::LinearMap;
use crate::{Part, Result, Tensor};

/// x ↦ α·broadcast(x).
#[derive(Debug, Clone)]
pub struct Broadcast {
    /// α: −1 for a subtrahend.
    pub factor: f64,
    /// Shape of x.
    pub from: Vec<usize>,
}

impl<T: Tensor> LinearMap<T> for Broadcast {
    /// Keeps the shape of x: the sum to which it is added broadcasts it.
    fn apply(&self, part: Part, x: &T) -> Result<T> {
        scaled(x, part.of_entry(self.factor))
    }

    fn adjoint(&self, part: Part, y: &T) -> Result<T> {
        scaled(&y.sum_to(&self.from)?, part.of_entry(self.factor))
    }
}

fn scaled<T: Tensor>(x: &T, factor: f64) -> Result<T> {
    if factor == 1.0 { Ok(x.clone()) } else { x.scale(factor) }
}
