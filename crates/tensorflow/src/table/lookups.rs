//! Rows looked up by index, and words by table (rules §5).

use super::Entry;
use super::arguments::integer;
use super::geometry::shape;
use crate::lowering::{Lowering, axis, input};
use crate::{Record, Slot, TfTensor, rearrange};
use dlbacktrace_core::ops::{Constant, Embedding, OneHot, Pass, Permute, Rearrange};
use dlbacktrace_core::{DType, Error, Family, Operand, Result, Role, Tensor};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_shape(&["ResourceGather"], Family::Embedding, resource_gather),
    Entry::by_shape(&["Gather", "GatherV2"], Family::Embedding, gather).by_parts(),
    Entry::by_shape(&["OneHot"], Family::Embedding, |lowering, record| {
        let tokens = lowering.unread(input(record, 0)?);
        let rank = tokens.meta.shape.len() + 1;
        let axis = axis(record.operation.int("axis").unwrap_or(-1), rank)?;
        lowering.step(record, Box::new(OneHot { axis }), vec![tokens])?;
        with_rows(lowering, |lowering| lowering.result(record))
    }),
    Entry::by_shape(&["Unique", "UniqueV2", "UniqueWithCounts", "UniqueWithCountsV2"], Family::Pass, unique),
    Entry::by_result(&["SparseFillEmptyRows"], Family::Movement, filled),
    // One word or number for another: it is still the same token.
    Entry::by_shape(&["LookupTableFind", "LookupTableFindV2"], Family::Pass, |lowering, record| {
        lowering.all(record, Box::new(Pass { operand: 1, role: Role::Identity }))
    }),
    Entry::by_shape(
        &[
            "StringLower",
            "StringUpper",
            "StringStrip",
            "StaticRegexReplace",
            "RegexReplace",
            "Substr",
            "AsString",
            "StringToHashBucket",
            "StringToHashBucketFast",
            "StringToHashBucketStrong",
            "UnicodeTranscode",
            "UnicodeScript",
            "DecodeBase64",
            "EncodeBase64",
            "DecodeCompressed",
            "ReadFile",
        ],
        Family::Pass,
        |lowering, record| {
            let operand = lowering.unread(input(record, 0)?);
            lowering.step(record, Box::new(Pass::identity()), vec![operand])
        },
    ),
];

/// Rows of a variable.
fn resource_gather(lowering: &mut Lowering, record: &Record) -> Result<()> {
    if record.operation.int("batch_dims").unwrap_or(0) != 0 {
        return Err(Error::Uncovered("rows looked up batch by batch in a variable have no rule".into()));
    }
    embedding(lowering, record, input(record, 0)?)
}

fn embedding(lowering: &mut Lowering, record: &Record, table: &Slot) -> Result<()> {
    let operands = vec![lowering.unread(table), lowering.operand(input(record, 1)?)?];
    lowering.step(record, Box::new(Embedding), operands)?;
    with_rows(lowering, |lowering| lowering.result(record))
}

/// Notes the rows that the last step looked up, for rules that need them.
pub(super) fn with_rows(
    lowering: &mut Lowering,
    rows: impl FnOnce(&Lowering) -> Result<TfTensor>,
) -> Result<()> {
    if lowering.reads.more() {
        let rows = rows(lowering)?;
        // One-hot rows may be integers.
        let rows = if rows.dtype().is_float() { rows } else { rows.cast(DType::F32)? };
        if let Some(step) = lowering.writer.tape.steps.last_mut() {
            step.result = Some(rows);
        }
    }
    Ok(())
}

/// Rows of a table are an embedding, whether the table is constant or moves.
fn gather(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let (table, index) = (input(record, 0)?, input(record, 1)?);
    let (shape, rank) = (shape(lowering, record, 0)?, lowering.meta(index).shape.len());
    let along = if record.inputs.len() > 2 { integer(record, 2)? } else { 0 };
    let axis = axis(along, shape.len())?;
    if record.operation.int("batch_dims").unwrap_or(0) != 0 {
        return rearrange::lower(lowering, record, &[0]);
    }
    if axis == 0 {
        return embedding(lowering, record, table);
    }
    // The axis moves to the front. After the lookup, the axes of the index move to its place.
    let mut front: Vec<usize> = (0..shape.len()).collect();
    front[..=axis].rotate_right(1);
    let rows: Vec<usize> = front.iter().map(|&axis| shape[axis]).collect();
    let found = [&lowering.meta(index).shape[..], &rows[1..]].concat();
    let table = vec![lowering.unread(table)];
    let table = lowering.writer.inner_shape(Box::new(Permute { order: front }), table, rows);
    let operands = vec![table, lowering.operand(index)?];
    let embedded = lowering.writer.inner_shape(Box::new(Embedding), operands, found.clone());
    // As the axes of the result come from those of the lookup, they go back.
    let mut forth: Vec<usize> = (0..found.len()).collect();
    forth[..rank + axis].rotate_left(axis);
    with_rows(lowering, |lowering| lowering.result(record)?.permute(&forth))?;
    let mut back: Vec<usize> = (0..found.len()).collect();
    back[..rank + axis].rotate_left(rank);
    lowering.step(record, Box::new(Permute { order: back }), vec![embedded])
}

/// Returns each distinct token once, and for each occurrence the number of its token. Tables are read by the first, but
/// the second stands for the tokens, so each occurrence keeps its own relevance.
fn unique(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let tokens = lowering.unread(input(record, 0)?);
    let [each, which, counts @ ..] = record.outputs.as_slice() else {
        return Err(Error::Uncovered("it returned no places".into()));
    };
    if tokens.meta.dtype != DType::Int || tokens.meta.shape != lowering.meta(which).shape {
        return Err(Error::Uncovered("only tokens along one axis have a rule".into()));
    }
    constant(lowering, &tokens, [each].into_iter().chain(counts));
    lowering.writer.step(Box::new(Pass::identity()), vec![tokens], vec![which.value]);
    Ok(())
}

/// The values of a sparse table, and a filling value for each empty row. All places are constants.
fn filled(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let values = lowering.unread(input(record, 1)?);
    let [places, all, empty, places_of_old] = record.outputs.as_slice() else {
        return Err(Error::Uncovered("it returned no places".into()));
    };
    let moved = lowering.operand(places_of_old)?.data()?.to_indices()?;
    let mut sources = vec![-1; lowering.meta(all).shape.iter().product()];
    for (old, &new) in moved.iter().enumerate() {
        let source = usize::try_from(new).ok().and_then(|new| sources.get_mut(new));
        *source.ok_or_else(|| Error::Uncovered(format!("there is no place {new}")))? = old as i64;
    }
    let index = lowering.operand(places_of_old)?.data()?.indices(&sources)?;
    constant(lowering, &values, [places, empty, places_of_old]);
    lowering.writer.step(Box::new(Rearrange::new(index)), vec![values], vec![all.value]);
    Ok(())
}

/// Outputs that are made from an operand and carry nothing.
pub(super) fn constant<'a>(
    lowering: &mut Lowering,
    from: &Operand<TfTensor>,
    outputs: impl IntoIterator<Item = &'a Slot>,
) {
    let outputs = outputs.into_iter().map(|output| output.value).collect();
    lowering.writer.step(Box::new(Constant), vec![from.clone()], outputs);
}

#[cfg(test)]
mod tests {
    use super::super::jacobians::{Case, integers, values};
    use crate::proto::Attribute::Int;

    #[test]
    fn rows_of_a_moving_table_move() {
        for (axis, batch) in [(0, 0), (1, 0), (-1, 0), (1, 1), (2, 1)] {
            let index = integers(&[3, 2], &[1, 0, 1, 2, 2, 1]);
            let inputs = [values(&[3, 3, 4]), index, integers(&[], &[axis])];
            Case::new("GatherV2", &[("batch_dims", Int(batch))], &inputs).is_a_sum_of(&[0]);
        }
    }
}
