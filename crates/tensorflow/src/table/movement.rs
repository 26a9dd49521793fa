//! Movement of elements (rules §5).

use super::Entry;
use super::arguments::{axes, integer};
use super::geometry::{natural, shape};
use crate::lowering::{Lowering, axis, input, integers};
use crate::{Record, Slot, TfTensor, rearrange};
use dlbacktrace_core::ops::{Concat, Expand, Flip, Pad, Permute, Reshape, Select, Slice};
use dlbacktrace_core::{Family, Operand, Range, Result, Turn};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::movement(&["Reshape", "ExpandDims", "Squeeze", "EnsureShape"], |lowering, record| {
        let operands = moving(lowering, record)?;
        lowering.step(record, Box::new(Reshape), operands)
    })
    .of_complex(),
    Entry::movement(&["Transpose"], transpose).by_parts(),
    Entry::movement(&["BroadcastTo"], |lowering, record| {
        let operands = moving(lowering, record)?;
        lowering.step(record, Box::new(Expand), operands)
    })
    .of_complex(),
    Entry::movement(&["Slice"], slice).by_parts(),
    Entry::movement(&["Split"], |lowering, record| {
        split(lowering, record, input(record, 1)?, integer(record, 0)?)
    })
    .by_parts(),
    Entry::movement(&["SplitV"], |lowering, record| {
        split(lowering, record, input(record, 0)?, integer(record, 2)?)
    })
    .by_parts(),
    Entry::movement(&["Unpack"], unpack).by_parts(),
    Entry::movement(&["Pack"], |lowering, record| {
        concat(lowering, record, &record.inputs, record.operation.int("axis").unwrap_or(0), true)
    })
    .by_parts(),
    Entry::movement(&["ConcatV2"], |lowering, record| {
        let parts = record.inputs.len().saturating_sub(1);
        concat(lowering, record, &record.inputs[..parts], integer(record, parts)?, false)
    })
    .by_parts(),
    Entry::movement(&["Concat"], |lowering, record| {
        concat(lowering, record, record.inputs.get(1..).unwrap_or_default(), integer(record, 0)?, false)
    })
    .by_parts(),
    Entry::movement(&["Pad", "PadV2"], pad).by_parts(),
    Entry::movement(&["ReverseV2"], reverse).by_parts(),
    Entry::movement(&["Select", "SelectV2"], select).by_parts(),
    Entry::movement(
        &[
            "Tile",
            "MirrorPad",
            "Roll",
            "Reverse",
            "ReverseSequence",
            "GatherNd",
            "SpaceToDepth",
            "DepthToSpace",
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
        |lowering, record| rearrange::lower(lowering, record, &[0]),
    )
    .by_parts(),
    // The second input is a key, not an index.
    Entry::by_data(&["StatelessShuffle"], Family::Movement, |lowering, record| {
        rearrange::lower(lowering, record, &[0])
    }),
    Entry::movement(&["SpaceToBatch", "SpaceToBatchND", "BatchToSpace", "BatchToSpaceND"], blocks),
    // The last input fills the cells off the diagonals.
    Entry::movement(&["MatrixDiagV2", "MatrixDiagV3"], |lowering, record| {
        rearrange::lower_filling(lowering, record, &[0], Some(4))
    }),
    Entry::movement(&["MatrixSetDiag", "MatrixSetDiagV2", "MatrixSetDiagV3"], |lowering, record| {
        rearrange::lower(lowering, record, &[0, 1])
    }),
    // Half of the inputs are indices.
    Entry::movement(&["DynamicStitch", "ParallelDynamicStitch"], |lowering, record| {
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

/// Splits into parts along an axis.
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

/// Makes each index of an axis an output.
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

/// Takes cells apart as samples, and the reverse. Cells are padded on the way there and cropped on the way back.
fn blocks(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let blocks = match record.operation.int("block_size") {
        Some(size) => natural("block_size", &[size; 2])?,
        None => natural("block_shape", &integers(record, 1)?)?,
    };
    let apart = record.operation.operator.starts_with("Space");
    rearrange::lower_turning(lowering, record, Turn::Blocks { blocks, apart })
}

fn reverse(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let rank = shape(lowering, record, 0)?.len();
    let axes = axes(record, 1, rank)?;
    let operands = moving(lowering, record)?;
    lowering.step(record, Box::new(Flip { axes }), operands)
}

/// In the first version, the condition may have one entry for each index of the first axis.
fn select(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let mut condition = lowering.operand(input(record, 0)?)?;
    let rank = lowering.output_shape(record)?.len();
    if record.operation.operator == "Select" && condition.meta.shape.len() == 1 {
        let mut rows = condition.meta.shape.clone();
        rows.resize(rank.max(1), 1);
        condition = lowering.writer.reshape(&condition, &rows)?;
    }
    let operands = vec![condition, lowering.unread(input(record, 1)?), lowering.unread(input(record, 2)?)];
    lowering.step(record, Box::new(Select { a: Some(1), b: Some(2) }), operands)
}

#[cfg(test)]
mod tests {
    use super::super::jacobians::{Case, FLOAT, INT32, integers, ints, numbers, text, truths, values};
    use crate::Tensor;
    use crate::proto::Attribute::{self, Int};
    use std::slice::from_ref;

    fn moves(operator: &str, attributes: &[(&str, Attribute)], inputs: &[Tensor]) {
        Case::new(operator, attributes, inputs).is_a_sum_of(&[0]);
    }

    fn list(values: &[i32]) -> Tensor {
        integers(&[values.len()], values)
    }

    #[test]
    fn shapes_and_orders_of_axes() {
        let x = values(&[3, 1, 4]);
        moves("Reshape", &[], &[x.clone(), list(&[2, -1])]);
        moves("ExpandDims", &[], &[x.clone(), integers(&[], &[-2])]);
        moves("Squeeze", &[], from_ref(&x));
        moves("Transpose", &[], &[x.clone(), list(&[2, 0, 1])]);
        moves("BroadcastTo", &[], &[x.clone(), list(&[2, 3, 2, 4])]);
        moves("Tile", &[], &[x.clone(), list(&[2, 3, 1])]);
        moves("ReverseV2", &[], &[x.clone(), list(&[-1, 0])]);
        moves("Reverse", &[], &[x.clone(), truths(&[3], &[true, false, true])]);
        moves("Roll", &[], &[x.clone(), list(&[1, -2]), list(&[0, 2])]);
        let rows = [x, integers(&[3], &[2, 4, 1])];
        moves("ReverseSequence", &[("seq_dim", Int(2)), ("batch_dim", Int(0)), ("Tlen", INT32)], &rows);
    }

    #[test]
    fn parts_and_joints() {
        let x = values(&[3, 6]);
        moves("Slice", &[], &[x.clone(), list(&[1, 2]), list(&[-1, 3])]);
        let split = [integers(&[], &[-1]), x.clone()];
        Case::new("Split", &[("num_split", Int(3))], &split).outputs(3).is_a_sum_of(&[1]);
        let uneven = [x.clone(), list(&[1, 3, 2]), integers(&[], &[1])];
        Case::new("SplitV", &[("num_split", Int(3))], &uneven).outputs(3).is_a_sum_of(&[0]);
        Case::new("Unpack", &[("num", Int(6)), ("axis", Int(-1))], from_ref(&x)).outputs(6).is_a_sum_of(&[0]);
        let pair = [x.clone(), values(&[3, 6])];
        let two = [("N", Int(2)), ("T", FLOAT)];
        Case::new("Pack", &[&two[..], &[("axis", Int(-1))]].concat(), &pair).is_a_sum_of(&[0, 1]);
        let joined = [&pair[..], &[integers(&[], &[-1])]].concat();
        Case::new("ConcatV2", &[&two[..], &[("Tidx", INT32)]].concat(), &joined).is_a_sum_of(&[0, 1]);
        let joined = [&[integers(&[], &[1])], &pair[..]].concat();
        Case::new("Concat", &two, &joined).is_a_sum_of(&[1, 2]);
        let parts = [x.clone(), list(&[1, 0, 1])];
        Case::new("DynamicPartition", &[("num_partitions", Int(2))], &parts).outputs(2).is_a_sum_of(&[0]);
        let stitched = [list(&[2, 0]), list(&[1, 2]), values(&[2, 3]), values(&[2, 3])];
        Case::new("DynamicStitch", &two, &stitched).is_a_sum_of(&[2, 3]);
    }

    #[test]
    fn borders_and_choices() {
        let (x, sides) = (values(&[3, 4]), integers(&[2, 2], &[1, 0, 2, 1]));
        moves("Pad", &[], &[x.clone(), sides.clone()]);
        moves("PadV2", &[], &[x.clone(), sides.clone(), numbers(&[], &[2.5])]);
        moves("MirrorPad", &[("mode", text("REFLECT"))], &[x.clone(), sides.clone()]);
        moves("MirrorPad", &[("mode", text("SYMMETRIC"))], &[x.clone(), sides]);
        moves("GatherNd", &[], &[x.clone(), integers(&[3, 2], &[0, 1, 2, 3, 0, 1])]);
        let (by_row, y) = (truths(&[3], &[true, false, true]), values(&[3, 4]));
        Case::new("Select", &[], &[by_row, x.clone(), y]).is_a_sum_of(&[1, 2]);
        let (condition, row) = (truths(&[3, 1], &[true, false, true]), values(&[4]));
        Case::new("SelectV2", &[], &[condition, x, row]).is_a_sum_of(&[1, 2]);
    }

    #[test]
    fn blocks_and_diagonals() {
        let picture = values(&[2, 4, 6, 4]);
        moves("SpaceToDepth", &[("block_size", Int(2))], from_ref(&picture));
        moves("DepthToSpace", &[("block_size", Int(2))], from_ref(&picture));
        let (block, crops) = (list(&[2, 1]), integers(&[2, 2], &[1, 1, 0, 2]));
        moves("SpaceToBatchND", &[], &[picture.clone(), block.clone(), crops.clone()]);
        moves("BatchToSpaceND", &[], &[picture.clone(), block, crops]);
        let windows = [
            ("ksizes", ints(&[1, 2, 3, 1])),
            ("strides", ints(&[1, 2, 1, 1])),
            ("rates", ints(&[1, 1, 2, 1])),
            ("padding", text("SAME")),
        ];
        moves("ExtractImagePatches", &windows, &[picture]);
        let matrix = values(&[2, 3, 3]);
        moves(
            "MatrixBandPart",
            &[("Tindex", INT32)],
            &[matrix.clone(), integers(&[], &[1]), integers(&[], &[0])],
        );
        moves("MatrixDiagPart", &[], from_ref(&matrix));
        Case::new("MatrixSetDiag", &[], &[matrix, values(&[2, 3])]).is_a_sum_of(&[0, 1]);
        let off =
            [values(&[2, 3]), list(&[1]), integers(&[], &[-1]), integers(&[], &[-1]), numbers(&[], &[7.0])];
        moves("MatrixDiagV3", &[], &off);
    }
}
