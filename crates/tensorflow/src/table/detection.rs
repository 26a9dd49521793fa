//! Boxes of detectors: picking them among many, and cropping pictures to them (rules §2 and §5).

use super::Entry;
use super::lookups::constant;
use crate::lowering::{Lowering, input};
use crate::{Record, Slot, TfTensor};
use dlbacktrace_core::maps::{Axes, BlockMatrix, LinearMap};
use dlbacktrace_core::ops::{Linear, OwnedMap, Rearrange, Reshape};
use dlbacktrace_core::{Error, Family, Operand, Result, Tensor, ValueId};
use ndarray::{ArrayD, ArrayView1, Axis};
use std::collections::HashSet;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::constant(&[
        "NonMaxSuppression",
        "NonMaxSuppressionV2",
        "NonMaxSuppressionV3",
        "NonMaxSuppressionV4",
        "NonMaxSuppressionWithOverlaps",
    ]),
    Entry::by_result(&["NonMaxSuppressionV5"], Family::Movement, best),
    Entry::by_result(&["CombinedNonMaxSuppression"], Family::Movement, best_of_classes),
    Entry::by_data(&["CropAndResize"], Family::WeightedSum, crops),
];

fn array(lowering: &Lowering, slot: &Slot) -> Result<ArrayD<f64>> {
    lowering.operand(slot)?.data()?.to_array()
}

fn value(slot: &Slot) -> ValueId {
    slot.value
}

/// The places of the best boxes carry nothing. The scores beside them are moved from these places.
fn best(lowering: &mut Lowering, record: &Record) -> Result<()> {
    if array(lowering, input(record, 5)?)?.iter().any(|&sigma| sigma != 0.0) {
        return Err(Error::Uncovered("scores that fall where boxes overlap have no rule".into()));
    }
    let [places, scores, count] = record.outputs.as_slice() else {
        return Err(Error::Uncovered("it returned no scores".into()));
    };
    let valid = array(lowering, count)?.first().map_or(0, |&count| count as usize);
    let picked = lowering.operand(places)?.data()?.to_indices()?;
    let numbers: Vec<i64> =
        picked.iter().enumerate().map(|(place, &index)| if place < valid { index } else { -1 }).collect();
    let index = lowering.operand(places)?.data()?.indices(&numbers)?;
    let given = lowering.unread(input(record, 1)?);
    constant(lowering, &given, [places, count]);
    lowering.writer.step(Box::new(Rearrange::new(index)), vec![given], vec![value(scores)]);
    Ok(())
}

/// Each box and each score is one of those given. The operator does not say which; its class, score and box tell.
/// Classes and counts carry nothing.
fn best_of_classes(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let [boxes, scores, classes, valid] = record.outputs.as_slice() else {
        return Err(Error::Uncovered("it returned no classes".into()));
    };
    let given = Candidates {
        boxes: array(lowering, input(record, 0)?)?,
        scores: array(lowering, input(record, 1)?)?,
        clipped: record.operation.bool("clip_boxes").unwrap_or(true),
    };
    let (found, found_scores) = (array(lowering, boxes)?, array(lowering, scores)?);
    let (found_classes, counts) = (array(lowering, classes)?, array(lowering, valid)?);
    let (offset, kinds) = (given.boxes.len(), given.boxes.shape()[2]);
    let mut of_boxes = vec![-1; found.len()];
    let mut of_scores = vec![-1; found_scores.len()];
    for (sample, &count) in counts.iter().enumerate() {
        let mut used = HashSet::new();
        for place in 0..count as usize {
            let class = found_classes[[sample, place]] as usize;
            let row = found.index_axis(Axis(0), sample);
            let row = row.index_axis(Axis(0), place).into_dimensionality().map_err(shape)?;
            let anchor = given.find(sample, class, found_scores[[sample, place]], row, &mut used)?;
            let anchors = sample * given.scores.shape()[1] + anchor;
            let first = (anchors * kinds + class.min(kinds - 1)) * 4;
            let at = sample * found_scores.shape()[1] + place;
            (0..4).for_each(|side| of_boxes[at * 4 + side] = (first + side) as i64);
            of_scores[at] = (offset + anchors * given.scores.shape()[2] + class) as i64;
        }
    }
    let operands = vec![lowering.unread(input(record, 0)?), lowering.unread(input(record, 1)?)];
    let like = lowering.operand(valid)?;
    let indices = vec![like.data()?.indices(&of_boxes)?, like.data()?.indices(&of_scores)?];
    constant(lowering, &operands[1], [classes, valid]);
    lowering.writer.step(Box::new(Rearrange::of(indices)), operands, vec![value(boxes), value(scores)]);
    Ok(())
}

fn shape(error: ndarray::ShapeError) -> Error {
    Error::Uncovered(error.to_string())
}

/// Boxes `[N, anchors, 1 or classes, 4]` and scores `[N, anchors, classes]`.
struct Candidates {
    boxes: ArrayD<f64>,
    scores: ArrayD<f64>,
    clipped: bool,
}

impl Candidates {
    /// The anchor that a result of this class came from; equal ones are used one after the other.
    fn find(
        &self,
        sample: usize,
        class: usize,
        score: f64,
        found: ArrayView1<f64>,
        used: &mut HashSet<(usize, usize)>,
    ) -> Result<usize> {
        let kind = class.min(self.boxes.shape()[2] - 1);
        let side = |anchor: usize, side: usize| {
            let side = self.boxes[[sample, anchor, kind, side]];
            if self.clipped { side.clamp(0.0, 1.0) } else { side }
        };
        let is = |&anchor: &usize| {
            self.scores[[sample, anchor, class]] == score
                && (0..4).all(|index| side(anchor, index) == found[index])
                && !used.contains(&(class, anchor))
        };
        let anchor = (0..self.scores.shape()[1]).find(is);
        let anchor =
            anchor.ok_or_else(|| Error::Uncovered("a box is not among those that were given".into()))?;
        used.insert((class, anchor));
        Ok(anchor)
    }
}

/// Cells of a picture's crops are weighted sums of those around them.
fn crops(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let (x, boxes) = (lowering.operand(input(record, 0)?)?, lowering.operand(input(record, 1)?)?);
    let (&[pictures, height, width, channels], output) =
        (x.meta.shape.as_slice(), lowering.output_shape(record)?)
    else {
        return Err(Error::Uncovered("pictures have four axes".into()));
    };
    let nearest = record.operation.text("method") == Some("nearest");
    let owners = lowering.operand(input(record, 2)?)?.data()?.to_indices()?;
    let numbers: Vec<f32> = boxes.data()?.to_array()?.iter().map(|&side| side as f32).collect();
    let mut rows = Vec::with_capacity(output[..3].iter().product());
    for (sides, &owner) in numbers.chunks_exact(4).zip(&owners) {
        let across = along(sides[0], sides[2], height, output[1], nearest);
        let down = along(sides[1], sides[3], width, output[2], nearest);
        let cell = |(y, wy): (usize, f64), (x, wx): (usize, f64)| {
            (owner as usize * height * width + y * width + x, wy * wx)
        };
        for y in &across {
            rows.extend(
                down.iter()
                    .map(|x| y.iter().flat_map(|&y| x.iter().map(move |&x| cell(y, x))).collect::<Vec<_>>()),
            );
        }
    }
    let matrix = BlockMatrix::new(pictures * height * width, &rows)?;
    let cells = lowering.writer.reshape(&x, &[pictures * height * width, channels])?;
    let op = Linear { map: Crops { of_cells: Axes { matrices: vec![(0, matrix)] } } };
    let cropped = lowering.writer.inner_shape(Box::new(op), vec![cells, boxes], vec![rows.len(), channels]);
    lowering.step(record, Box::new(Reshape), vec![cropped])
}

/// The cells along an axis that each of `to` places between two sides sees, with their weights; none outside.
fn along(from: f32, until: f32, extent: usize, to: usize, nearest: bool) -> Vec<Vec<(usize, f64)>> {
    let last = (extent - 1) as f32;
    let scale = if to > 1 { (until - from) * last / (to - 1) as f32 } else { 0.0 };
    let place = |index: usize| match to {
        0 | 1 => 0.5 * (from + until) * last,
        _ => from * last + index as f32 * scale,
    };
    let seen = |place: f32| {
        if !(0.0..=last).contains(&place) {
            Vec::new()
        } else if nearest {
            vec![(place.round() as usize, 1.0)]
        } else {
            let part = f64::from(place - place.floor());
            vec![(place.floor() as usize, 1.0 - part), (place.ceil() as usize, part)]
        }
    };
    (0..to).map(|index| seen(place(index))).collect()
}

/// Crops of the pictures' cells `[cells, C]` by boxes.
#[derive(Debug)]
struct Crops {
    of_cells: Axes,
}

impl OwnedMap<TfTensor> for Crops {
    fn name(&self) -> &'static str {
        "cropping at boxes"
    }

    fn map<'a>(&'a self, _: &'a [Operand<TfTensor>]) -> Result<Box<dyn LinearMap<TfTensor> + 'a>> {
        Ok(Box::new(self.of_cells.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::jacobians::{Case, FLOAT, integers, numbers, text, values};
    use crate::proto::Attribute::{Bool, Float};

    fn boxes(count: usize) -> Vec<f32> {
        (0..count)
            .flat_map(|index| {
                let (row, column) = ((index / 3) as f32 * 0.3, (index % 3) as f32 * 0.3);
                [row, column, row + 0.35, column + 0.4]
            })
            .collect()
    }

    #[test]
    fn scores_of_the_best_boxes_move() {
        let scalar = |value: f32| numbers(&[], &[value]);
        let inputs = [
            numbers(&[9, 4], &boxes(9)),
            numbers(&[9], &[0.3, 0.9, 0.2, 0.8, 0.1, 0.7, 0.65, 0.4, 0.5]),
            integers(&[], &[6]),
            scalar(0.05),
            scalar(0.25),
            scalar(0.0),
        ];
        let attributes = [("pad_to_max_output_size", Bool(true)), ("T", FLOAT)];
        Case::new("NonMaxSuppressionV5", &attributes, &inputs).outputs(3).is_won_by_change(&[1], 0.004);
    }

    #[test]
    fn boxes_and_scores_of_each_class_move() {
        let scalar = |value: f32| numbers(&[], &[value]);
        let scores: Vec<f32> = (0..36).map(|index| ((index * 7 + 3) % 37) as f32 / 37.0).collect();
        for kinds in [1, 2] {
            let of = boxes(9 * 2 * kinds).iter().map(|side| (side - 0.2) % 1.1).collect::<Vec<f32>>();
            let inputs = [
                numbers(&[2, 9, kinds, 4], &of),
                numbers(&[2, 9, 2], &scores),
                integers(&[], &[4]),
                integers(&[], &[7]),
                scalar(0.05),
                scalar(0.35),
            ];
            let attributes = [("pad_per_class", Bool(false)), ("clip_boxes", Bool(true))];
            Case::new("CombinedNonMaxSuppression", &attributes, &inputs)
                .outputs(4)
                .counting(&[0, 1])
                .is_won_by_change(&[1], 0.002);
        }
    }

    #[test]
    fn crops_share_by_their_jacobian() {
        let sides = [0.1, 0.2, 0.9, 0.8, -0.3, 0.0, 0.6, 1.2, 0.9, 0.7, 0.2, 0.1];
        for (method, size) in [("bilinear", [3, 4]), ("nearest", [4, 3]), ("bilinear", [1, 2])] {
            let inputs = [
                values(&[2, 5, 6, 2]),
                numbers(&[3, 4], &sides),
                integers(&[3], &[1, 0, 1]),
                integers(&[2], &size),
            ];
            let attributes = [("method", text(method)), ("extrapolation_value", Float(0.0)), ("T", FLOAT)];
            Case::new("CropAndResize", &attributes, &inputs).is_a_sum_of(&[0]);
        }
    }
}
