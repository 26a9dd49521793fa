//! Regular parts in the notation of Python's slices (rules §5).

use super::Entry;
use super::geometry::shape;
use crate::lowering::{Lowering, input, integers};
use crate::{Record, rearrange};
use dlbacktrace_core::ops::Slice;
use dlbacktrace_core::{Error, Family, Range, Result};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_shape(&["StridedSlice"], Family::Movement, strided_slice),
    // A part of a tensor exchanged for another.
    Entry::by_shape(&["TensorStridedSliceUpdate"], Family::Movement, |lowering, record| {
        rearrange::lower(lowering, record, &[0, 4])
    }),
];

fn strided_slice(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let shape = shape(lowering, record, 0)?;
    // Backwards is no regular part.
    let Some(region) = region(record, &shape)? else { return rearrange::lower(lowering, record, &[0]) };
    let volume = |extents: &mut dyn Iterator<Item = usize>| extents.product::<usize>();
    let output = lowering.output_shape(record)?;
    if volume(&mut region.iter().map(|range| range.len)) != volume(&mut output.iter().copied()) {
        return Err(Error::Shape(format!("a part {region:?} of {shape:?} does not make {output:?}")));
    }
    let operand = lowering.unread(input(record, 0)?);
    lowering.step(record, Box::new(Slice { regions: vec![region] }), vec![operand])
}

/// One range for each axis; `None` where one runs backwards.
fn region(record: &Record, shape: &[usize]) -> Result<Option<Vec<Range>>> {
    let mask = |name: &str| record.operation.int(name).unwrap_or(0);
    let at = |mask: i64, place: usize| place < 64 && mask >> place & 1 == 1;
    let (begin, end, step) = (integers(record, 1)?, integers(record, 2)?, integers(record, 3)?);
    let [begins, ends, ellipsis, new, single] =
        ["begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"].map(mask);
    // Axes that the notation names; those it does not name belong to the ellipsis, or to one at the end.
    let named = (0..begin.len()).filter(|&place| !at(ellipsis, place) && !at(new, place)).count();
    let unnamed = shape.len().saturating_sub(named);
    let mut region = Vec::with_capacity(shape.len());
    for place in 0..begin.len() {
        if at(ellipsis, place) {
            let axes = shape.iter().skip(region.len()).take(unnamed);
            region.extend(axes.map(|&extent| Range::full(extent)).collect::<Vec<_>>());
            continue;
        }
        if at(new, place) {
            continue;
        }
        let too_many = || Error::Shape(format!("a part of {shape:?} names too many axes"));
        let extent = *shape.get(region.len()).ok_or_else(too_many)? as i64;
        let counted = |index: i64| if index < 0 { index + extent } else { index };
        let start =
            if at(begins, place) && !at(single, place) { 0 } else { counted(begin[place]).clamp(0, extent) };
        let stop = match at(ends, place) {
            _ if at(single, place) => start + 1,
            true => extent,
            false => counted(end[place]).clamp(0, extent),
        };
        let (Ok(start), Ok(len), Ok(step)) =
            (usize::try_from(start), usize::try_from((stop - start).max(0)), usize::try_from(step[place]))
        else {
            return Ok(None);
        };
        let step = step.max(1);
        region.push(Range { start, len: len.div_ceil(step), step });
    }
    let rest = shape.iter().skip(region.len());
    region.extend(rest.map(|&extent| Range::full(extent)).collect::<Vec<_>>());
    Ok(Some(region))
}
