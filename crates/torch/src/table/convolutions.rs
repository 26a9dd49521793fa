//! Convolutions (rules §2).

use super::Entry;
use crate::arguments::Arguments;
use crate::lowering::Lowering;
use dlbacktrace_core::ops::{Convolution, Pad, TransposedConvolution};
use dlbacktrace_core::rules::Kind;
use dlbacktrace_core::{ConvGeometry, Error, Family, Operand, Range, Result, Tensor};
use dlbacktrace_torch_recorder::{Call, Slot};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_data(
        &[
            "aten::conv1d",
            "aten::conv2d",
            "aten::conv3d",
            "aten::convolution",
            "aten::_convolution",
            "aten::_convolution_mode",
        ],
        Family::WeightedSum,
        convolution,
    )
    .of_kinds(&[Kind::Convolution, Kind::MatrixProduct])
    .sums(),
    Entry::by_data(
        &["aten::conv_transpose1d", "aten::conv_transpose2d", "aten::conv_transpose3d"],
        Family::WeightedSum,
        transposed,
    )
    .of_kinds(&[Kind::Convolution, Kind::MatrixProduct])
    .sums(),
];

/// Input, weight and, if there is one, bias.
fn operands(lowering: &Lowering, call: &Call) -> Result<Vec<Operand<crate::TorchTensor>>> {
    let bias: Option<&Slot> = call.optional("bias");
    [Some(call.tensor("input")?), Some(call.tensor("weight")?), bias]
        .into_iter()
        .flatten()
        .map(|slot| lowering.operand(slot))
        .collect()
}

fn convolution(lowering: &mut Lowering, call: &Call) -> Result<()> {
    if call.flag("transposed") {
        return transposed(lowering, call);
    }
    let mut operands = operands(lowering, call)?;
    let spatial = operands[1].meta.shape.len().saturating_sub(2);
    let mut geometry = ConvGeometry {
        stride: call.extents("stride", spatial)?,
        padding: vec![0; spatial],
        dilation: call.extents("dilation", spatial)?,
        groups: groups(call)?,
    };
    match call.text("padding") {
        None => geometry.padding = call.extents("padding", spatial)?,
        Some("valid") => {}
        Some(_) => pad_to_same(lowering, &mut operands, &mut geometry)?,
    }
    lowering.step(call, Box::new(Convolution { geometry }), operands)
}

/// 'same': dilation · (kernel − 1) cells in all, with the odd one at the end.
fn pad_to_same(
    lowering: &mut Lowering,
    operands: &mut [Operand<crate::TorchTensor>],
    geometry: &mut ConvGeometry,
) -> Result<()> {
    let kernel = &operands[1].meta.shape[2..];
    let total: Vec<usize> = kernel
        .iter()
        .zip(&geometry.dilation)
        .map(|(&kernel, &dilation)| dilation * (kernel.max(1) - 1))
        .collect();
    geometry.padding = total.iter().map(|total| total / 2).collect();
    if total.iter().all(|total| total % 2 == 0) {
        return Ok(());
    }
    let shape = operands[0].meta.shape.clone();
    let lead = shape.len() - total.len();
    let after: Vec<usize> =
        (0..shape.len()).map(|axis| if axis < lead { 0 } else { total[axis - lead] % 2 }).collect();
    let padded: Vec<usize> = shape.iter().zip(&after).map(|(extent, after)| extent + after).collect();
    let inner: Vec<Range> = shape.iter().map(|&extent| Range::full(extent)).collect();
    let data = operands[0].data()?;
    let data = data.zeros(&padded)?.add_region(&inner, data)?;
    let pad = Pad { before: vec![0; shape.len()], after };
    operands[0] = lowering.writer.inner(Box::new(pad), vec![operands[0].clone()], data);
    Ok(())
}

fn transposed(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let operands = operands(lowering, call)?;
    let spatial = operands[1].meta.shape.len().saturating_sub(2);
    let geometry = ConvGeometry {
        stride: call.extents("stride", spatial)?,
        padding: call.extents("padding", spatial)?,
        dilation: call.extents("dilation", spatial)?,
        groups: groups(call)?,
    };
    let output = lowering.output_shape(call)?;
    let spatial = output[output.len() - spatial..].to_vec();
    lowering.step(call, Box::new(TransposedConvolution { geometry, spatial }), operands)
}

fn groups(call: &Call) -> Result<usize> {
    usize::try_from(call.int("groups")?).map_err(|_| Error::Uncovered("groups must be positive".into()))
}
