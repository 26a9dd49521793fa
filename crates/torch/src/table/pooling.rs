//! Pooling (rules §2 and §3).

use super::Entry;
use super::parts::{self, Operand};
use crate::arguments::Arguments;
use crate::lowering::Lowering;
use dlbacktrace_core::ops::{AdaptiveMaxPool, MaxPool, Separable};
use dlbacktrace_core::rules::Kind;
use dlbacktrace_core::{Family, Result};
use dlbacktrace_torch_recorder::Call;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_data(&["aten::avg_pool1d"], Family::WeightedSum, |lowering, call| average(lowering, call, 1))
        .of_kinds(&[Kind::Average]),
    Entry::by_data(&["aten::avg_pool2d"], Family::WeightedSum, |lowering, call| average(lowering, call, 2))
        .of_kinds(&[Kind::Average]),
    Entry::by_data(&["aten::avg_pool3d"], Family::WeightedSum, |lowering, call| average(lowering, call, 3))
        .of_kinds(&[Kind::Average]),
    Entry::by_data(&["aten::adaptive_avg_pool1d"], Family::WeightedSum, |lowering, call| {
        adaptive_average(lowering, call, 1)
    })
    .of_kinds(&[Kind::Average]),
    Entry::by_data(
        &["aten::adaptive_avg_pool2d", "aten::_adaptive_avg_pool2d"],
        Family::WeightedSum,
        |lowering, call| adaptive_average(lowering, call, 2),
    )
    .of_kinds(&[Kind::Average]),
    Entry::by_data(
        &["aten::adaptive_avg_pool3d", "aten::_adaptive_avg_pool3d"],
        Family::WeightedSum,
        |lowering, call| adaptive_average(lowering, call, 3),
    )
    .of_kinds(&[Kind::Average]),
    Entry::by_result(
        &["aten::max_pool1d", "aten::max_pool1d_with_indices"],
        Family::Winner,
        |lowering, call| max(lowering, call, 1),
    ),
    Entry::by_result(
        &["aten::max_pool2d", "aten::max_pool2d_with_indices"],
        Family::Winner,
        |lowering, call| max(lowering, call, 2),
    ),
    Entry::by_result(
        &["aten::max_pool3d", "aten::max_pool3d_with_indices"],
        Family::Winner,
        |lowering, call| max(lowering, call, 3),
    ),
    Entry::by_result(&["aten::adaptive_max_pool1d"], Family::Winner, |lowering, call| {
        adaptive_max(lowering, call, 1)
    }),
    Entry::by_result(&["aten::adaptive_max_pool2d"], Family::Winner, |lowering, call| {
        adaptive_max(lowering, call, 2)
    }),
    Entry::by_result(&["aten::adaptive_max_pool3d"], Family::Winner, |lowering, call| {
        adaptive_max(lowering, call, 3)
    }),
];

/// The stride; that of the kernel if it is left out.
fn stride(call: &Call, kernel: &[usize]) -> Result<Vec<usize>> {
    match call.ints("stride") {
        Some(stride) if !stride.is_empty() => call.extents("stride", kernel.len()),
        _ => Ok(kernel.to_vec()),
    }
}

fn average(lowering: &mut Lowering, call: &Call, spatial: usize) -> Result<()> {
    let operand = lowering.operand(call.tensor("self")?)?;
    let kernel = call.extents("kernel_size", spatial)?;
    let stride = stride(call, &kernel)?;
    let padding = call.extents("padding", spatial)?;
    let output = lowering.output_shape(call)?;
    let op = Separable::average_pool(&operand.meta.shape, &output, &kernel, &stride, &padding)?;
    lowering.step(call, Box::new(op), vec![operand])
}

fn adaptive_average(lowering: &mut Lowering, call: &Call, spatial: usize) -> Result<()> {
    let operand = lowering.operand(call.tensor("self")?)?;
    let output = lowering.output_shape(call)?;
    let op = Separable::adaptive_average_pool(&operand.meta.shape, &output, spatial)?;
    lowering.step(call, Box::new(op), vec![operand])
}

fn max(lowering: &mut Lowering, call: &Call, spatial: usize) -> Result<()> {
    let operand = lowering.operand(call.tensor("self")?)?;
    let kernel = call.extents("kernel_size", spatial)?;
    let stride = stride(call, &kernel)?;
    let padding = call.extents("padding", spatial)?;
    let dilation = call.extents("dilation", spatial)?;
    let operands = with_result(lowering, call, operand)?;
    lowering.step(call, Box::new(MaxPool { kernel, stride, padding, dilation }), operands)
}

fn adaptive_max(lowering: &mut Lowering, call: &Call, spatial: usize) -> Result<()> {
    let operand = lowering.operand(call.tensor("self")?)?;
    let operands = with_result(lowering, call, operand)?;
    lowering.step(call, Box::new(AdaptiveMaxPool { spatial }), operands)
}

/// Adds the largest cells, which the operator has found already: its result.
fn with_result(lowering: &mut Lowering, call: &Call, operand: Operand) -> Result<Vec<Operand>> {
    let result = parts::result(lowering, call)?;
    Ok(vec![operand, lowering.writer.constant(result)])
}
