//! Convolutions in one, two and three dimensions (rules §2; §4 if the kernel depends on the input too).

use super::pieces::bilinear::backtrace_factors;
use super::viewed;
use crate::maps::{self, Kernel, LinearMap};
use crate::op::arrived;
use crate::weighted_sum::{Term, Variant};
use crate::{
    BacktraceOp, Context, ConvGeometry, Error, Family, Features, Operand, Part, Relevance, Result, Role,
    Tensor,
};

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

    fn role(&self, operands: &[Operand<T>]) -> Role {
        role(operands, &self.geometry)
    }

    fn multiplies(&self, input: usize) -> bool {
        input < 2
    }

    fn reads_result(&self) -> bool {
        true
    }

    fn features(&self, operands: &[Operand<T>]) -> Option<Features> {
        let weight = operands.get(1).filter(|weight| !weight.depends)?;
        let (&[units, depth], kernel) = weight.meta.shape.split_first_chunk()?;
        let groups = self.geometry.groups.max(1);
        Some(Features {
            view: [&[groups, units / groups, depth], kernel].concat(),
            outputs: vec![0, 1],
            inputs: vec![0, 2],
            uniform: self.geometry.padding.iter().all(|padding| *padding == 0),
        })
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        backtrace_convolution(operands, &self.geometry, None, arrived(arriving)?, context)
    }
}

/// The role of a convolution, which takes a bias and a gate only if its kernel is a constant.
pub(super) fn role<T>(operands: &[Operand<T>], geometry: &ConvGeometry) -> Role {
    match operands {
        [_, weight, ..] if weight.depends => Role::Other,
        _ => Role::Convolution { spatial: geometry.stride.len(), channels_last: false },
    }
}

/// The rule of a convolution, or of a transposed one whose result has the given spatial extents.
pub(super) fn backtrace_convolution<T: Tensor>(
    operands: &[Operand<T>],
    geometry: &ConvGeometry,
    transposed: Option<&[usize]>,
    relevance: &Relevance<T>,
    context: &mut Context<'_, T>,
) -> Result<Vec<Option<Relevance<T>>>> {
    let [x, weight, bias @ ..] = operands else {
        return Err(Error::Uncovered("a convolution takes an input and a weight".into()));
    };
    let spatial = geometry.stride.len();
    let shape = x.meta.shape.clone();
    let batched = shape.len() == spatial + 2;
    let lift = |shape: &[usize]| [&[1], shape].concat();
    let x = if batched { x.clone() } else { viewed(x, &lift(&shape))? };
    let lifted;
    let relevance = if batched {
        relevance
    } else {
        lifted = relevance.map_conserving(|channel| channel.reshape(&lift(&channel.shape())))?;
        &lifted
    };
    let bias = bias
        .first()
        .map(|bias| viewed(bias, &per_channel(bias.meta.shape.iter().product(), spatial)))
        .transpose()?;

    let weights = context.weights;
    let from = x.meta.shape[2..].to_vec();
    let of_input: Box<dyn LinearMap<T> + '_> = match transposed {
        None => Box::new(maps::Convolution { weight, geometry, spatial: from, weights }),
        Some(spatial) => {
            let spatial = spatial.to_vec();
            Box::new(maps::TransposedConvolution { weight, geometry, from, spatial, weights })
        }
    };
    let (from, transposed) = (weight.meta.shape.clone(), transposed.map(<[usize]>::to_vec));
    let of_kernel = Box::new(Kernel { x: &x, geometry, from, transposed });
    let variant = Variant::Convolution;
    let input = Term { operand: &x, map: of_input };
    let kernel = Term { operand: weight, map: of_kernel };
    let [to_x, to_weight, to_bias] = if x.depends && weight.depends {
        let [to_product, to_bias] = match &bias {
            None => [Some(relevance.clone()), None],
            Some(bias) => {
                let product = x.holding(input.map.apply(Part::Signed, x.data()?)?);
                let product = Term::itself(&product);
                product.backtrace_biased(Some(bias), Variant::Linear, relevance, context)?
            }
        };
        let factors = |share| backtrace_factors([input, kernel], variant, &share, context);
        let [to_x, to_weight] = to_product.map(factors).transpose()?.unwrap_or([None, None]);
        [to_x, to_weight, to_bias]
    } else {
        let moving = if weight.depends { kernel } else { input };
        let [share, to_bias] = moving.backtrace_biased(bias.as_ref(), variant, relevance, context)?;
        if weight.depends { [None, share, to_bias] } else { [share, None, to_bias] }
    };
    let as_given = |share: Option<Relevance<T>>, operand: &Operand<T>| {
        share.map(|share| share.map_conserving(|channel| channel.reshape(&operand.meta.shape))).transpose()
    };
    operands.iter().zip([to_x, to_weight, to_bias]).map(|(operand, share)| as_given(share, operand)).collect()
}

/// The shape with one number for each channel of `[N, C, spatial…]`.
fn per_channel(channels: usize, spatial: usize) -> Vec<usize> {
    let mut shape = vec![1; spatial + 2];
    shape[1] = channels;
    shape
}
