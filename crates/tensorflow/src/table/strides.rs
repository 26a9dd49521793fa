//! Regions in the notation of Python's slices (rules §5).

use super::Entry;
use super::geometry::shape;
use crate::lowering::{Lowering, input, integers};
use crate::{Record, rearrange};
use dlbacktrace_core::ops::Slice;
use dlbacktrace_core::{Error, Family, Range, Result};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_shape(&["StridedSlice"], Family::Movement, strided_slice).by_parts(),
    // Replaces a region of a tensor by another.
    Entry::by_shape(&["TensorStridedSliceUpdate"], Family::Movement, |lowering, record| {
        rearrange::lower(lowering, record, &[0, 4])
    }),
];

fn strided_slice(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let shape = shape(lowering, record, 0)?;
    // A range that runs backwards is not a region.
    let Some(region) = region(record, &shape)? else { return rearrange::lower(lowering, record, &[0]) };
    let volume = |extents: &mut dyn Iterator<Item = usize>| extents.product::<usize>();
    let output = lowering.output_shape(record)?;
    if volume(&mut region.iter().map(|range| range.len)) != volume(&mut output.iter().copied()) {
        return Err(Error::Uncovered(format!(
            "the region {region:?} of shape {shape:?} does not have the shape {output:?}"
        )));
    }
    let operand = lowering.unread(input(record, 0)?);
    lowering.step(record, Box::new(Slice { regions: vec![region] }), vec![operand])
}

/// One range for each axis; `None` if one runs backwards.
fn region(record: &Record, shape: &[usize]) -> Result<Option<Vec<Range>>> {
    let mask = |name: &str| record.operation.int(name).unwrap_or(0);
    let at = |mask: i64, place: usize| place < 64 && mask >> place & 1 == 1;
    let (begin, end, step) = (integers(record, 1)?, integers(record, 2)?, integers(record, 3)?);
    let [begins, ends, ellipsis, new, single] =
        ["begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"].map(mask);
    // The axes that the notation names; the others belong to the ellipsis, or to one at the end.
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
        let too_many = || Error::Uncovered(format!("a slice of shape {shape:?} names too many axes"));
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

#[cfg(test)]
mod tests {
    use super::super::jacobians::{Case, integers, values};
    use crate::proto::Attribute::Int;

    #[test]
    fn parts_are_those_of_the_notation() {
        // Begin, end, step; masks of begin, end, ellipsis, new and single axes.
        let cases: [([&[i32]; 3], [i64; 5]); 9] = [
            ([&[1, 0, 1], &[3, 4, 2], &[1, 2, 1]], [0, 0, 0, 0, 0]),
            ([&[0, 0, -2], &[0, 0, 0], &[1, 3, 1]], [3, 7, 0, 0, 0]),
            ([&[-1], &[9], &[1]], [0, 0, 0, 0, 1]),
            ([&[0, 1], &[0, 2], &[1, 1]], [0, 0, 1, 0, 2]),
            ([&[0, 0, 1], &[0, 0, -1], &[1, 1, 1]], [0, 0, 1, 2, 0]),
            ([&[1, 0, 0, 0], &[2, 0, 0, 2], &[1, 1, 1, 1]], [0, 0, 4, 2, 1]),
            ([&[2, -9, 9], &[0, 9, -9], &[-1, 1, -2]], [0, 0, 0, 0, 0]),
            ([&[0, 0, 0], &[0, 0, 0], &[1, -1, 1]], [7, 7, 0, 0, 0]),
            ([&[0, 3, 0], &[3, 9, 2], &[2, 1, 2]], [0, 0, 0, 0, 2]),
        ];
        let masks = ["begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"];
        for (bounds, mask) in cases {
            let attributes: Vec<_> = masks.into_iter().zip(mask.map(Int)).collect();
            let mut inputs = vec![values(&[3, 4, 5])];
            inputs.extend(bounds.map(|numbers| integers(&[numbers.len()], numbers)));
            Case::new("StridedSlice", &attributes, &inputs).is_a_sum_of(&[0]);
        }
    }

    #[test]
    fn an_exchanged_part_takes_its_own() {
        let bounds = [[1, 0], [3, 4], [1, 2]].map(|numbers| integers(&[2], &numbers));
        let inputs = [&[values(&[3, 4])][..], &bounds, &[values(&[2, 2])]].concat();
        Case::new("TensorStridedSliceUpdate", &[], &inputs).is_a_sum_of(&[0, 4]);
    }
}
