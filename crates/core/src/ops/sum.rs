//! Sums and differences of broadcast operands (rules §2): each takes its share |x| / Σ|x|.

use crate::maps::Broadcast;
use crate::op::arrived;
use crate::weighted_sum::{Term, Variant, WeightedSum};
use crate::{BacktraceOp, Context, Family, Operand, Relevance, Result, Role, Tensor, ValueId};

/// y = Σₖ αₖ xₖ + c. Operands broadcast.
#[derive(Debug, Clone)]
pub struct Sum {
    /// αₖ, one for each operand.
    pub factors: Vec<f64>,
    /// c
    pub constant: f64,
}

impl Sum {
    /// a + b.
    pub fn add() -> Self {
        Self { factors: vec![1.0, 1.0], constant: 0.0 }
    }
}

impl<T: Tensor> BacktraceOp<T> for Sum {
    fn family(&self) -> Family {
        Family::WeightedSum
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Sum { plain: self.constant == 0.0 && self.factors == [1.0, 1.0] }
    }

    fn backtrace(
        &self,
        inputs: &[Operand<T>],
        outputs: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let relevance = arrived(outputs)?;
        let shape = relevance.shape();
        let mut operands = inputs.iter().map(finite).collect::<Result<Vec<_>>>()?;
        if self.constant != 0.0 {
            // Where no operand has the full shape a number of that shape makes every intermediate that size.
            let full = operands.iter().all(|operand| operand.meta.shape != shape);
            let number = relevance.first().full(if full { &shape } else { &[] }, self.constant)?;
            operands.push(Operand::new(ValueId(usize::MAX), number));
        }
        let terms = operands
            .iter()
            .zip(self.factors.iter().copied().chain([1.0]))
            .map(|(operand, factor)| Term {
                operand,
                map: Box::new(Broadcast { factor, from: operand.meta.shape.clone() }),
            })
            .collect();
        let sum = WeightedSum { terms, bias: None, variant: Variant::Linear, result: None };
        let mut shares = sum.backtrace(relevance, context)?;
        shares.truncate(inputs.len());
        Ok(shares)
    }
}

/// A constant operand of ±∞, as masks have, takes no part: no relevance arrives where it stands, and its
/// infinite share of nothing must not become NaN.
fn finite<T: Tensor>(operand: &Operand<T>) -> Result<Operand<T>> {
    let mut operand = operand.clone();
    if !operand.depends {
        operand.data = Some(operand.data()?.bounded()?);
    }
    Ok(operand)
}
