//! Convolutions of one, two and three dimensions (rules §2).

use super::viewed;
use crate::maps;
use crate::op::arrived;
use crate::weighted_sum::{Term, Variant, WeightedSum};
use crate::{BacktraceOp, Context, ConvGeometry, Error, Family, Operand, Relevance, Result, Role, Tensor};

/// y = w ∗ x + b. Operands: x `[N, C, spatial…]` (or without N), w `[O, C / groups, kernel…]`, b `[O]` if any.
#[derive(Debug, Clone)]
pub struct Convolution {
    /// Stride, padding, dilation, groups.
    pub geometry: ConvGeometry,
}

impl<T: Tensor> BacktraceOp<T> for Convolution {
    fn family(&self) -> Family {
        Family::WeightedSum
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Convolution { spatial: self.geometry.stride.len(), channels_last: false }
    }

    fn backtrace(
        &self,
        inputs: &[Operand<T>],
        outputs: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let spatial = self.geometry.stride.len();
        let weights = context.weights;
        backtrace_convolution(inputs, arrived(outputs)?, spatial, context, |x, weight| {
            Box::new(maps::Convolution {
                weight,
                geometry: &self.geometry,
                spatial: x.meta.shape[2..].to_vec(),
                weights,
            })
        })
    }
}

/// What a convolution and its transpose share: the batch axis, the bias and the conv variant of the rule.
pub(super) fn backtrace_convolution<'a, T: Tensor>(
    inputs: &'a [Operand<T>],
    relevance: &Relevance<T>,
    spatial: usize,
    context: &mut Context<'_, T>,
    map: impl Fn(&Operand<T>, &'a Operand<T>) -> Box<dyn maps::LinearMap<T> + 'a>,
) -> Result<Vec<Option<Relevance<T>>>> {
    let [x, weight, bias @ ..] = inputs else {
        return Err(Error::Shape("a convolution takes an input and a weight".into()));
    };
    if weight.depends || bias.iter().any(|bias| bias.depends) {
        return Err(Error::Shape(
            "a convolution whose weight depends on the explained input has no rule".into(),
        ));
    }
    let shape = x.meta.shape.clone();
    let batched = shape.len() == spatial + 2;
    let lift = |shape: &[usize]| [&[1], shape].concat();
    let x = if batched { x.clone() } else { viewed(x, &lift(&shape))? };
    let lifted;
    let relevance = if batched {
        relevance
    } else {
        lifted = relevance.rearrange(|channel| channel.reshape(&lift(&channel.shape())))?;
        &lifted
    };
    let bias = bias
        .first()
        .map(|bias| bias.data()?.reshape(&per_channel(bias.meta.shape.iter().product(), spatial)));
    let map = map(&x, weight);
    let sum = WeightedSum {
        terms: vec![Term { operand: &x, map }],
        bias: bias.transpose()?,
        variant: Variant::Convolution,
        result: None,
    };
    let share = sum.backtrace(relevance, context)?.pop().flatten();
    let share = share.map(|share| share.rearrange(|channel| channel.reshape(&shape))).transpose()?;
    let mut shares = vec![None; inputs.len()];
    shares[0] = share;
    Ok(shares)
}

/// `[1, channels, 1, …]`
fn per_channel(channels: usize, spatial: usize) -> Vec<usize> {
    let mut shape = vec![1; spatial + 2];
    shape[1] = channels;
    shape
}
