//! Parts of texts (rules §5): a word's relevance goes to the text from which it was cut.

use super::{Entry, Lower};
use crate::lowering::{Lowering, input};
use crate::{Keep, Record, rearrange};
use dlbacktrace_core::ops::{Rearrange, Unruled};
use dlbacktrace_core::{Error, Family, Range, Result, Tensor};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_result(&["StringSplit", "StringSplitV2"], Family::Movement, split),
    // Shape, values, the value for gaps, and the partition of rows.
    Entry::by_shape(&["RaggedTensorToTensor"], Family::Movement, |lowering, record| {
        rearrange::lower_filling(lowering, record, &[1], Some(2))
    }),
    Entry::by_shape(&["RaggedGather"], Family::Movement, ragged_gather),
    // A name made from several names.
    Entry::by_shape(&["StringJoin"], Family::Pass, |lowering, record| {
        lowering.all(record, Box::new(Unruled { discrete: true, ..Unruled::default() }))
    }),
    Entry::new(
        &["StringLength", "UnicodeDecode", "StringNGrams", "ReduceJoin", "UnsortedSegmentJoin"],
        Family::Unruled,
        Keep::Indices,
        Lower::Unruled,
    ),
];

/// Each word comes from the text whose number stands beside it. The numbers and their shape carry nothing.
fn split(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let operand = lowering.unread(input(record, 0)?);
    let [places, words, shape] = record.outputs.as_slice() else {
        return Err(Error::Uncovered("splitting a text must return places, words and their shape".into()));
    };
    let (count, places) = (lowering.meta(words).shape.iter().product(), lowering.operand(places)?);
    let places = places.data()?;
    let nothing = |count: usize| places.indices(&vec![-1; count]);
    let texts = places.slice(&[Range::full(count), Range::span(0, 1)])?.reshape(&[count])?;
    let indices = vec![nothing(2 * count)?, texts, nothing(lowering.meta(shape).shape.iter().product())?];
    lowering.step(record, Box::new(Rearrange::of(indices)), vec![operand])
}

/// Rows of unequal length, chosen by number: first their bounds, then the values.
fn ragged_gather(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let values = record.operation.int("PARAMS_RAGGED_RANK").and_then(|rank| usize::try_from(rank).ok());
    rearrange::lower(lowering, record, &[values.unwrap_or(1)])
}
