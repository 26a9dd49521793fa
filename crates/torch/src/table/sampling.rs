//! Interpolation (rules §2 and §5).

use super::{Entry, parts};
use crate::arguments::Arguments;
use crate::lowering::Lowering;
use crate::{TorchTensor, rearrange};
use dlbacktrace_core::ops::{Interpolation, Nearest, Sampling, Separable};
use dlbacktrace_core::{Error, Family, Range, Result, Tensor};
use dlbacktrace_torch_recorder::{ArgumentValue, Call, Input, Slot};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_shape(
        &[
            "aten::upsample_nearest1d",
            "aten::upsample_nearest2d",
            "aten::upsample_nearest3d",
            "aten::_upsample_nearest_exact1d",
            "aten::_upsample_nearest_exact2d",
            "aten::_upsample_nearest_exact3d",
        ],
        Family::Movement,
        nearest,
    ),
    Entry::by_data(
        &["aten::upsample_linear1d", "aten::upsample_bilinear2d", "aten::upsample_trilinear3d"],
        Family::WeightedSum,
        |lowering, call| interpolate(lowering, call, Interpolation::Linear, false),
    ),
    Entry::by_data(&["aten::upsample_bicubic2d"], Family::WeightedSum, |lowering, call| {
        interpolate(lowering, call, Interpolation::Cubic, false)
    }),
    Entry::by_data(&["aten::_upsample_bilinear2d_aa"], Family::WeightedSum, |lowering, call| {
        interpolate(lowering, call, Interpolation::Linear, true)
    }),
    Entry::by_data(&["aten::_upsample_bicubic2d_aa"], Family::WeightedSum, |lowering, call| {
        interpolate(lowering, call, Interpolation::Cubic, true)
    }),
];

/// The source cell of each output cell, axis by axis, found by running the operator on the cells' numbers.
fn nearest(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let operand = lowering.unread(input(call)?);
    let shape = &operand.meta.shape;
    let sources = (2..shape.len())
        .map(|axis| {
            let mut along = vec![1; shape.len()];
            along[axis] = shape[axis] as i64;
            let mut small: Vec<i64> = shape.iter().map(|&extent| extent as i64).collect();
            small[..2].fill(1);
            let numbers = rearrange::numbers(&shape[axis..=axis])?.f_reshape(along);
            let numbers = parts::computed(numbers.and_then(|numbers| numbers.f_expand(small, false)))?;
            let moved = rearrange::again(call, |_, _| Ok(Input::Tensor(numbers.as_tch().shallow_clone())))?;
            let Some(moved) = moved.first() else {
                return Err(Error::Uncovered("the operator copied no cell".into()));
            };
            let mut cells = TorchTensor::from(moved.shallow_clone());
            for other in (2..shape.len()).filter(|&other| other != axis) {
                let mut region = Range::whole(&cells.shape());
                region[other] = Range::span(0, 1);
                cells = cells.slice(&region)?;
            }
            let cells = rearrange::to_index(cells.as_tch())?.to_indices()?;
            Ok((axis, cells.into_iter().map(|cell| usize::try_from(cell).unwrap_or(0)).collect()))
        })
        .collect::<Result<Vec<_>>>()?;
    lowering.step(call, Box::new(Nearest::new(shape, &sources)?), vec![operand])
}

/// The resized tensor, whose name depends on the overload.
fn input(call: &Call) -> Result<&Slot> {
    call.optional("self").map_or_else(|| call.tensor("input"), Ok)
}

fn interpolate(
    lowering: &mut Lowering,
    call: &Call,
    interpolation: Interpolation,
    antialias: bool,
) -> Result<()> {
    let operand = lowering.operand(input(call)?)?;
    let output = lowering.output_shape(call)?;
    let sampling = Sampling {
        align_corners: call.flag("align_corners"),
        antialias,
        scales: scales(call, output.len().saturating_sub(2)),
    };
    let op = Separable::interpolate(&operand.meta.shape, &output, interpolation, &sampling)?;
    lowering.step(call, Box::new(op), vec![operand])
}

/// The requested factors: a list in the overload `vec`, one argument for each axis in the others.
fn scales(call: &Call, spatial: usize) -> Vec<Option<f64>> {
    if let Some(ArgumentValue::Doubles(factors)) = call.argument("scale_factors") {
        return factors.iter().copied().map(Some).collect();
    }
    let names: &[&str] = match spatial {
        1 => &["scales"],
        2 => &["scales_h", "scales_w"],
        _ => &["scales_d", "scales_h", "scales_w"],
    };
    names.iter().map(|name| call.optional_number(name)).collect()
}
