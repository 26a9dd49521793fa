//! Movement of elements (rules §5).

use super::Entry;
use crate::arguments::{Arguments, axis};
use crate::lowering::Lowering;
use crate::rearrange;
use dlbacktrace_core::ops::{Concat, Expand, Flip, Pad, Permute, Reshape, Select, Slice};
use dlbacktrace_core::{Error, Operand, Range, Result};
use dlbacktrace_torch_recorder::Call;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::movement(
        &[
            "aten::view",
            "aten::reshape",
            "aten::_unsafe_view",
            "aten::_reshape_alias",
            "aten::flatten",
            "aten::unflatten",
            "aten::squeeze",
            "aten::unsqueeze",
            "aten::view_as",
            "aten::reshape_as",
            "aten::ravel",
        ],
        reshape,
    )
    .of_complex(),
    Entry::movement(&["aten::permute"], permute).by_parts(),
    Entry::movement(&["aten::transpose", "aten::swapaxes", "aten::swapdims"], transpose).by_parts(),
    Entry::movement(&["aten::t", "aten::numpy_T", "aten::mT"], turn).by_parts(),
    Entry::movement(&["aten::expand", "aten::expand_as", "aten::broadcast_to"], expand).of_complex(),
    Entry::movement(&["aten::slice"], slice).by_parts(),
    Entry::movement(&["aten::narrow"], narrow).by_parts(),
    Entry::movement(&["aten::select", "aten::unbind"], select).by_parts(),
    Entry::movement(
        &[
            "aten::split",
            "aten::split_with_sizes",
            "aten::chunk",
            "aten::unsafe_split",
            "aten::unsafe_split_with_sizes",
            "aten::unsafe_chunk",
            "aten::tensor_split",
        ],
        split,
    )
    .by_parts(),
    Entry::movement(&["aten::cat", "aten::concat", "aten::concatenate"], |lowering, call| {
        concat(lowering, call, false)
    })
    .by_parts(),
    Entry::movement(&["aten::stack"], |lowering, call| concat(lowering, call, true)).by_parts(),
    Entry::movement(&["aten::constant_pad_nd"], pad).by_parts(),
    Entry::movement(&["aten::flip"], flip).by_parts(),
    Entry::movement(&["aten::where"], choose).by_parts(),
    Entry::movement(&["aten::masked_fill"], masked_fill).by_parts(),
    Entry::movement(
        &[
            "aten::repeat",
            "aten::repeat_interleave",
            "aten::roll",
            "aten::rot90",
            "aten::masked_select",
            "aten::unfold",
            "aten::im2col",
            "aten::pixel_shuffle",
            "aten::pixel_unshuffle",
            "aten::channel_shuffle",
            "aten::native_channel_shuffle",
            "aten::diagonal",
            "aten::diag_embed",
            "aten::tril",
            "aten::triu",
            "aten::as_strided",
            "aten::reflection_pad1d",
            "aten::reflection_pad2d",
            "aten::reflection_pad3d",
            "aten::replication_pad1d",
            "aten::replication_pad2d",
            "aten::replication_pad3d",
            "aten::_pad_circular",
            "aten::masked_scatter",
            "aten::index_copy",
            "aten::index_fill",
            "aten::slice_scatter",
            "aten::select_scatter",
            "aten::as_strided_scatter",
            "aten::max_unpool2d",
            "aten::max_unpool3d",
        ],
        rearrange::lower,
    )
    .by_parts(),
];

type Operands = Vec<Operand<crate::TorchTensor>>;

/// The only operand that moves.
fn moving(lowering: &Lowering, call: &Call) -> Result<(Operands, Vec<usize>)> {
    let operand = lowering.unread(call.tensor("self")?);
    let shape = operand.meta.shape.clone();
    Ok((vec![operand], shape))
}

fn reshape(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let (operands, _) = moving(lowering, call)?;
    // A view as another element type moves bytes, not elements.
    let (output, own) = (lowering.output_meta(call)?, &operands[0].meta);
    if (output.dtype, output.complex) != (own.dtype, own.complex) {
        return Err(Error::Uncovered("a view as another element type has no rule".into()));
    }
    lowering.step(call, Box::new(Reshape), operands)
}

fn permute(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let (operands, shape) = moving(lowering, call)?;
    let dims = call.ints("dims").unwrap_or_default();
    let order = dims.into_iter().map(|dim| axis(dim, shape.len())).collect::<Result<_>>()?;
    lowering.step(call, Box::new(Permute { order }), operands)
}

fn transpose(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let (operands, shape) = moving(lowering, call)?;
    let dim = |first: &str, second: &str| call.int(first).or_else(|_| call.int(second));
    let (a, b) = (dim("dim0", "axis0")?, dim("dim1", "axis1")?);
    let mut order: Vec<usize> = (0..shape.len()).collect();
    if !order.is_empty() {
        order.swap(axis(a, shape.len())?, axis(b, shape.len())?);
    }
    lowering.step(call, Box::new(Permute { order }), operands)
}

/// Exchanges the last two axes; a tensor with fewer axes stays as it is.
fn turn(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let (operands, shape) = moving(lowering, call)?;
    let mut order: Vec<usize> = (0..shape.len()).collect();
    match (call.base.as_str(), shape.len()) {
        ("aten::numpy_T", _) => order.reverse(),
        (_, rank) if rank >= 2 => order.swap(rank - 2, rank - 1),
        _ => {}
    }
    lowering.step(call, Box::new(Permute { order }), operands)
}

fn expand(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let (operands, _) = moving(lowering, call)?;
    lowering.step(call, Box::new(Expand), operands)
}

/// The whole tensor except along one axis.
fn along(shape: &[usize], axis: usize, range: Range) -> Vec<Range> {
    let mut region: Vec<Range> = shape.iter().map(|&extent| Range::full(extent)).collect();
    region[axis] = range;
    region
}

/// An index, which may count from the end, clamped to the axis.
fn bounded(index: i64, extent: usize) -> usize {
    let index = if index < 0 { index.saturating_add(extent as i64) } else { index };
    usize::try_from(index.max(0)).unwrap_or(0).min(extent)
}

fn slice(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let (operands, shape) = moving(lowering, call)?;
    let axis = axis(call.int("dim")?, shape.len())?;
    let start = bounded(call.int("start").unwrap_or(0), shape[axis]);
    let step = usize::try_from(call.int("step")?).unwrap_or(1).max(1);
    let len = lowering.output_shape(call)?[axis];
    let regions = vec![along(&shape, axis, Range { start, len, step })];
    lowering.step(call, Box::new(Slice { regions }), operands)
}

fn narrow(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let (operands, shape) = moving(lowering, call)?;
    let axis = axis(call.int("dim")?, shape.len())?;
    let start = bounded(call.int("start")?, shape[axis]);
    let regions = vec![along(&shape, axis, Range::span(start, call.extents("length", 1)?[0]))];
    lowering.step(call, Box::new(Slice { regions }), operands)
}

/// One index of an axis, or each index as an output.
fn select(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let (operands, shape) = moving(lowering, call)?;
    let axis = axis(call.int("dim")?, shape.len())?;
    let indices = match call.int("index") {
        Ok(index) => vec![bounded(index, shape[axis])],
        Err(_) => (0..shape[axis]).collect(),
    };
    let regions = indices.into_iter().map(|index| along(&shape, axis, Range::span(index, 1))).collect();
    lowering.step(call, Box::new(Slice { regions }), operands)
}

/// Parts one after the other along an axis.
fn split(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let (operands, shape) = moving(lowering, call)?;
    let axis = axis(call.int("dim")?, shape.len())?;
    let mut start = 0;
    let regions = call
        .outputs
        .iter()
        .map(|output| {
            let len = lowering.meta(&output.slot).shape[axis];
            start += len;
            along(&shape, axis, Range::span(start - len, len))
        })
        .collect();
    lowering.step(call, Box::new(Slice { regions }), operands)
}

fn concat(lowering: &mut Lowering, call: &Call, new_axis: bool) -> Result<()> {
    let operands: Operands =
        call.tensors("tensors")?.into_iter().flatten().map(|slot| lowering.unread(slot)).collect();
    let axis = axis(call.int("dim")?, lowering.output_shape(call)?.len())?;
    lowering.step(call, Box::new(Concat { axis, new_axis }), operands)
}

/// Constants around the last axes, which the argument lists from last to first; negative padding is cut off first.
fn pad(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let (mut operands, shape) = moving(lowering, call)?;
    let amounts = call.ints("pad").unwrap_or_default();
    let amount =
        |axis: usize, side: usize| amounts.get(2 * (shape.len() - 1 - axis) + side).copied().unwrap_or(0);
    let cut = |axis, side| usize::try_from(-amount(axis, side)).unwrap_or(0);
    let added =
        |side| (0..shape.len()).map(|axis| usize::try_from(amount(axis, side)).unwrap_or(0)).collect();
    if amounts.iter().any(|&amount| amount < 0) {
        let region: Vec<Range> = shape
            .iter()
            .enumerate()
            .map(|(axis, &extent)| {
                Range::span(cut(axis, 0), extent.saturating_sub(cut(axis, 0) + cut(axis, 1)))
            })
            .collect();
        let kept = region.iter().map(|range| range.len).collect();
        operands =
            vec![lowering.writer.inner_shape(Box::new(Slice { regions: vec![region] }), operands, kept)];
    }
    lowering.step(call, Box::new(Pad { before: added(0), after: added(1) }), operands)
}

fn flip(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let (operands, shape) = moving(lowering, call)?;
    let dims = call.ints("dims").unwrap_or_default();
    let axes = dims.into_iter().map(|dim| axis(dim, shape.len())).collect::<Result<_>>()?;
    lowering.step(call, Box::new(Flip { axes }), operands)
}

/// where(condition, self, other); each side may be a number.
fn choose(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let mut operands = vec![lowering.operand(call.tensor("condition")?)?];
    let mut side = |name| {
        call.optional(name).map(|slot| {
            operands.push(lowering.unread(slot));
            operands.len() - 1
        })
    };
    let (a, b) = (side("self"), side("other"));
    lowering.step(call, Box::new(Select { a, b }), operands)
}

/// A number, or a tensor of one element, where the mask holds.
fn masked_fill(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let mut operands = vec![lowering.operand(call.tensor("mask")?)?, lowering.unread(call.tensor("self")?)];
    let a = call.optional("value").map(|value| {
        operands.push(lowering.unread(value));
        2
    });
    lowering.step(call, Box::new(Select { a, b: Some(1) }), operands)
}
