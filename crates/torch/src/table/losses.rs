//! Losses, which serve as anomaly scores of autoencoders, as their written-out forms (rules, "Losses").

use super::Entry;
use crate::arguments::Arguments;
use crate::lowering::Lowering;
use crate::written;
use dlbacktrace_core::{Family, Result};
use dlbacktrace_torch_recorder::Call;
use tch::{Kind, TchError, Tensor};

type Made = std::result::Result<Tensor, TchError>;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_data(&["aten::mse_loss"], Family::WeightedSum, |lowering, call| {
        of_two(lowering, call, |x, target| x.f_sub(target)?.f_square())
    }),
    Entry::by_data(&["aten::smooth_l1_loss"], Family::WeightedSum, |lowering, call| {
        let beta = call.optional_number("beta").unwrap_or(1.0);
        of_two(lowering, call, |x, target| {
            let distance = x.f_sub(target)?.f_abs()?;
            if beta == 0.0 {
                return Ok(distance);
            }
            let near = distance.f_square()?.f_mul_scalar(0.5 / beta)?;
            let far = distance.f_sub_scalar(0.5 * beta)?;
            near.f_where_self(&distance.f_lt(beta)?, &far)
        })
    }),
    Entry::by_data(&["aten::huber_loss"], Family::WeightedSum, |lowering, call| {
        let delta = call.optional_number("delta").unwrap_or(1.0);
        of_two(lowering, call, |x, target| {
            let distance = x.f_sub(target)?.f_abs()?;
            let near = distance.f_square()?.f_mul_scalar(0.5)?;
            let far = distance.f_sub_scalar(0.5 * delta)?.f_mul_scalar(delta)?;
            near.f_where_self(&distance.f_le(delta)?, &far)
        })
    }),
    Entry::by_data(&["aten::soft_margin_loss"], Family::WeightedSum, |lowering, call| {
        of_two(lowering, call, |x, target| x.f_mul(target)?.f_neg()?.f_exp()?.f_log1p())
    }),
    Entry::by_data(&["aten::binary_cross_entropy"], Family::WeightedSum, |lowering, call| {
        weighted(lowering, call, [], |x, target, []| {
            let chosen = logarithm(x)?.f_mul(target)?;
            let other = logarithm(&complement(x)?)?.f_mul(&complement(target)?)?;
            chosen.f_add(&other)?.f_neg()
        })
    }),
    Entry::by_data(&["aten::binary_cross_entropy_with_logits"], Family::WeightedSum, |lowering, call| {
        weighted(lowering, call, ["pos_weight"], |x, target, [positive]| {
            let mut certainty = x.f_log_sigmoid()?;
            if let Some(positive) = positive {
                let weight = positive.f_sub_scalar(1.0)?.f_mul(target)?.f_add_scalar(1.0)?;
                certainty = certainty.f_mul(&weight)?;
            }
            complement(target)?.f_mul(x)?.f_sub(&certainty)
        })
    }),
    Entry::by_data(
        &["aten::nll_loss_forward", "aten::nll_loss2d_forward"],
        Family::WeightedSum,
        log_likelihood,
    ),
    Entry::by_data(&["aten::multi_margin_loss"], Family::WeightedSum, margins),
    Entry::by_data(&["aten::multilabel_margin_loss_forward"], Family::WeightedSum, label_margins),
    Entry::by_data(&["aten::dist"], Family::WeightedSum, |lowering, call| {
        let order = call.optional_number("p").unwrap_or(2.0);
        written::lower(lowering, call, ["self", "other"], [], |[a, b], []| {
            a.f_sub(b)?.f_reshape([-1])?.f_norm_scalaropt_dim(order, 0, false)
        })
    }),
];

/// A loss of each element and its target.
fn of_two(lowering: &mut Lowering, call: &Call, each: impl FnOnce(&Tensor, &Tensor) -> Made) -> Result<()> {
    written::lower(lowering, call, ["self", "target"], [], |[x, target], []| reduced(call, each(x, target)?))
}

/// A loss of each element and its target, times weights if there are any.
fn weighted<const M: usize>(
    lowering: &mut Lowering,
    call: &Call,
    others: [&str; M],
    each: impl FnOnce(&Tensor, &Tensor, [Option<&Tensor>; M]) -> Made,
) -> Result<()> {
    let weight = call.optional("weight").map(|_| "weight");
    match weight {
        None => written::lower(lowering, call, ["self", "target"], others, |[x, target], others| {
            reduced(call, each(x, target, others)?)
        }),
        Some(weight) => written::lower(
            lowering,
            call,
            ["self", "target", weight],
            others,
            |[x, target, weight], others| reduced(call, each(x, target, others)?.f_mul(weight)?),
        ),
    }
}

/// The mean of all, their sum, or each by itself.
fn reduced(call: &Call, each: Tensor) -> Made {
    match call.int("reduction") {
        Ok(0) => Ok(each),
        Ok(2) => each.f_sum(None),
        _ => each.f_mean(None),
    }
}

fn complement(x: &Tensor) -> Made {
    x.f_rsub_scalar(1.0)
}

/// The logarithm, at least −100 as in libtorch.
fn logarithm(x: &Tensor) -> Made {
    x.f_log()?.f_clamp_min(-100.0)
}

/// −w·x at each sample's class, where w is that class's weight; 0 if the class is to be ignored. A mean divides by the sum of
/// the weights.
fn log_likelihood(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let ignored = call.int("ignore_index")?;
    written::lower(lowering, call, ["self", "target"], ["weight"], |[x, target], [weight]| {
        let axis = i64::from(x.dim() > 1);
        let counts = target.f_ne(ignored)?;
        let class = target.f_mul(&counts)?;
        let picked = x.f_gather(axis, &class.f_unsqueeze(axis)?, false)?.f_squeeze_dim(axis)?;
        let weights = match weight {
            Some(weight) => weight.f_index_select(0, &class.f_reshape([-1])?)?.f_reshape(class.size())?,
            None => picked.f_ones_like()?,
        };
        let weights = weights.f_mul(&counts)?;
        let each = picked.f_neg()?.f_masked_fill(&counts.f_logical_not()?, 0.0)?.f_mul(&weights)?;
        match call.int("reduction") {
            Ok(0) => Ok(each),
            Ok(2) => each.f_sum(None),
            _ => each.f_sum(None)?.f_div(&weights.f_sum(None)?),
        }
    })
}

/// The mean over the other classes of max(0, margin − x of the sample's class + x)ᵖ.
fn margins(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let power = call.optional_number("p").unwrap_or(1.0);
    let margin = call.optional_number("margin").unwrap_or(1.0);
    written::lower(lowering, call, ["self", "target"], ["weight"], |[x, target], [weight]| {
        let axis = x.dim() as i64 - 1;
        let class = target.f_unsqueeze(-1)?;
        let others = x.f_ones_like()?.f_scatter_value(axis, &class, 0.0)?;
        let above = x.f_sub(&x.f_gather(axis, &class, false)?)?.f_add_scalar(margin)?.f_clamp_min(0.0)?;
        let mut each = above.f_pow_tensor_scalar(power)?;
        if let Some(weight) = weight {
            each =
                each.f_mul(&weight.f_index_select(0, &target.f_reshape([-1])?)?.f_reshape(class.size())?)?;
        }
        let counted = each.f_mul(&others)?;
        reduced(
            call,
            counted
                .f_sum_dim_intlist(axis, false, None::<Kind>)?
                .f_div_scalar(x.size()[axis as usize] as f64)?,
        )
    })
}

/// The mean over all classes of max(0, 1 − x of a sample's class + x of a class that it does not have), summed over its
/// classes. These are listed up to the first −1.
fn label_margins(lowering: &mut Lowering, call: &Call) -> Result<()> {
    written::lower(lowering, call, ["self", "target"], [], |[x, target], []| {
        let listed = target.f_ge(0)?.f_to_kind(Kind::Int64)?.f_cumprod(-1, None::<Kind>)?;
        let places = target.f_mul(&listed)?;
        let zeros = x.f_zeros_like()?.f_to_kind(Kind::Int64)?;
        let others = zeros.f_scatter_add(-1, &places, &listed)?.f_eq(0)?;
        let above = x.f_unsqueeze(-2)?.f_sub(&x.f_gather(-1, &places, false)?.f_unsqueeze(-1)?)?;
        let counted = listed.f_unsqueeze(-1)?.f_mul(&others.f_unsqueeze(-2)?)?;
        let each = above.f_add_scalar(1.0)?.f_clamp_min(0.0)?.f_mul(&counted)?;
        let classes = x.size().last().copied().unwrap_or(1) as f64;
        reduced(
            call,
            each.f_sum_dim_intlist([-2, -1].as_slice(), false, None::<Kind>)?.f_div_scalar(classes)?,
        )
    })
}
