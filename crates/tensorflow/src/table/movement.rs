//! Movement of elements (rules §5).

use super::Entry;
use super::arguments::{axes, integer};
use super::geometry::{natural, shape};
use crate::lowering::{Lowering, axis, input, integers};
use crate::{Record, Slot, TfTensor, rearrange};
use dlbacktrace_core::ops::{Concat, Expand, Flip, Pad, Permute, Reshape, Select, Slice};
use dlbacktrace_core::{Family, Operand, Range, Result, Tensor};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_shape(
        &["Reshape", "ExpandDims", "Squeeze", "EnsureShape"],
        Family::Movement,
        |lowering, record| {
            let operands = moving(lowering, record)?;
            lowering.step(record, Box::new(Reshape), operands)
        },
    ),
    Entry::by_shape(&["Transpose"], Family::Movement, transpose),
    Entry::by_shape(&["BroadcastTo"], Family::Movement, |lowering, record| {
        let operands = moving(lowering, record)?;
        lowering.step(record, Box::new(Expand), operands)
    }),
    Entry::by_shape(&["Slice"], Family::Movement, slice),
    Entry::by_shape(&["Split"], Family::Movement, |lowering, record| {
        split(lowering, record, input(record, 1)?, integer(record, 0)?)
    }),
    Entry::by_shape(&["SplitV"], Family::Movement, |lowering, record| {
        split(lowering, record, input(record, 0)?, integer(record, 2)?)
    }),
    Entry::by_shape(&["Unpack"], Family::Movement, unpack),
    Entry::by_shape(&["Pack"], Family::Movement, |lowering, record| {
        concat(lowering, record, &record.inputs, record.operation.int("axis").unwrap_or(0), true)
    }),
    Entry::by_shape(&["ConcatV2"], Family::Movement, |lowering, record| {
        let parts = record.inputs.len().saturating_sub(1);
        concat(lowering, record, &record.inputs[..parts], integer(record, parts)?, false)
    }),
    Entry::by_shape(&["Concat"], Family::Movement, |lowering, record| {
        concat(lowering, record, record.inputs.get(1..).unwrap_or_default(), integer(record, 0)?, false)
    }),
    Entry::by_shape(&["Pad", "PadV2"], Family::Movement, pad),
    Entry::by_shape(&["ReverseV2"], Family::Movement, reverse),
    Entry::by_shape(&["Select", "SelectV2"], Family::Movement, select),
    Entry::by_shape(
        &[
            "Tile",
            "MirrorPad",
            "Roll",
            "Reverse",
            "ReverseSequence",
            "GatherNd",
            "SpaceToDepth",
            "DepthToSpace",
            "SpaceToBatch",
            "SpaceToBatchND",
            "BatchToSpace",
            "BatchToSpaceND",
            "MatrixBandPart",
            "BatchMatrixBandPart",
            "Diag",
            "DiagPart",
            "MatrixDiag",
            "MatrixDiagPart",
            "MatrixDiagPartV2",
            "MatrixDiagPartV3",
            "ExtractImagePatches",
            "ExtractVolumePatches",
            "DynamicPartition",
        ],
        Family::Movement,
        |lowering, record| rearrange::lower(lowering, record, &[0]),
    ),
    // The last input fills what is off the diagonals.
    Entry::by_shape(&["MatrixDiagV2", "MatrixDiagV3"], Family::Movement, |lowering, record| {
        rearrange::lower_filling(lowering, record, &[0], Some(4))
    }),
    Entry::by_shape(
        &["MatrixSetDiag", "MatrixSetDiagV2", "MatrixSetDiagV3"],
        Family::Movement,
        |lowering, record| rearrange::lower(lowering, record, &[0, 1]),
    ),
    // Half of the inputs are indices.
    Entry::by_shape(&["DynamicStitch", "ParallelDynamicStitch"], Family::Movement, |lowering, record| {
        let count = record.inputs.len();
        rearrange::lower(lowering, record, &(count / 2..count).collect::<Vec<_>>())
    }),
];

type Operands = Vec<Operand<TfTensor>>;

/// The only operand that moves.
fn moving(lowering: &Lowering, record: &Record) -> Result<Operands> {
    Ok(vec![lowering.unread(input(record, 0)?)])
}

fn transpose(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let rank = shape(lowering, record, 0)?.len();
    let order = axes(record, 1, rank)?;
    let operands = moving(lowering, record)?;
    lowering.step(record, Box::new(Permute { order }), operands)
}

fn slice(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let begin = natural("begin", &integers(record, 1)?)?;
    let output = lowering.output_shape(record)?;
    let region = begin.into_iter().zip(output).map(|(start, len)| Range::span(start, len)).collect();
    let operands = moving(lowering, record)?;
    lowering.step(record, Box::new(Slice { regions: vec![region] }), operands)
}

/// Parts one after the other along an axis.
fn split(lowering: &mut Lowering, record: &Record, slot: &Slot, along: i64) -> Result<()> {
    let operand = lowering.unread(slot);
    let axis = axis(along, operand.meta.shape.len())?;
    let mut start = 0;
    let mut regions = Vec::with_capacity(record.outputs.len());
    for output in &record.outputs {
        let len = lowering.meta(output).shape.get(axis).copied().unwrap_or(0);
        let mut region: Vec<Range> = operand.meta.shape.iter().map(|&extent| Range::full(extent)).collect();
        region[axis] = Range::span(start, len);
        regions.push(region);
        start += len;
    }
    lowering.step(record, Box::new(Slice { regions }), vec![operand])
}

/// Each index of an axis as an output of its own.
fn unpack(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let shape = shape(lowering, record, 0)?;
    let axis = axis(record.operation.int("axis").unwrap_or(0), shape.len())?;
    let regions = (0..shape[axis])
        .map(|index| {
            let mut region: Vec<Range> = shape.iter().map(|&extent| Range::full(extent)).collect();
            region[axis] = Range::span(index, 1);
            region
        })
        .collect();
    let operands = moving(lowering, record)?;
    lowering.step(record, Box::new(Slice { regions }), operands)
}

fn concat(
    lowering: &mut Lowering,
    record: &Record,
    parts: &[Slot],
    along: i64,
    new_axis: bool,
) -> Result<()> {
    let operands: Operands = parts.iter().map(|slot| lowering.unread(slot)).collect();
    let axis = axis(along, lowering.output_shape(record)?.len())?;
    lowering.step(record, Box::new(Concat { axis, new_axis }), operands)
}

fn pad(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let sides = natural("padding", &integers(record, 1)?)?;
    let side = |side| sides.iter().skip(side).step_by(2).copied().collect();
    let operands = moving(lowering, record)?;
    lowering.step(record, Box::new(Pad { before: side(0), after: side(1) }), operands)
}

fn reverse(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let rank = shape(lowering, record, 0)?.len();
    let axes = axes(record, 1, rank)?;
    let operands = moving(lowering, record)?;
    lowering.step(record, Box::new(Flip { axes }), operands)
}

/// The condition of the first version may be one for each index of the first axis.
fn select(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let mut condition = lowering.operand(input(record, 0)?)?;
    let rank = lowering.output_shape(record)?.len();
    if record.operation.operator == "Select" && condition.meta.shape.len() == 1 {
        condition.meta.shape.resize(rank.max(1), 1);
        condition.data = condition.data.map(|data| data.reshape(&condition.meta.shape)).transpose()?;
    }
    let operands = vec![condition, lowering.unread(input(record, 1)?), lowering.unread(input(record, 2)?)];
    lowering.step(record, Box::new(Select { a: Some(1), b: Some(2) }), operands)
}
