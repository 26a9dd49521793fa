//! Reductions along axes and over segments (rules §2, §3 and "Statistics that are not part of a norm").

use super::Entry;
use super::arguments::{axes, flag, integer};
use crate::lowering::{Lowering, axis, input};
use crate::{Record, TfTensor};
use dlbacktrace_core::ops::{
    Concat, CumulativeSum, Extremum, Flip, IndexAdd, IndexExtremum, LogAddExp, Measure, Pad, Pass, Product,
    Rearrange, Reduce, Reshape, Statistic,
};
use dlbacktrace_core::rules::Kind;
use dlbacktrace_core::{BacktraceOp, DType, Error, Family, Result, Tensor};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_data(&["Sum", "Mean"], Family::WeightedSum, |lowering, record| {
        over_axes(lowering, record, |axes| Box::new(Reduce { axes }))
    })
    .of_kinds(&[Kind::Average])
    .by_parts(),
    Entry::by_data(&["Max"], Family::Winner, |lowering, record| {
        over_axes(lowering, record, |axes| Box::new(Extremum { axes, largest: true }))
    }),
    Entry::by_data(&["Min"], Family::Winner, |lowering, record| {
        over_axes(lowering, record, |axes| Box::new(Extremum { axes, largest: false }))
    }),
    Entry::by_data(&["EuclideanNorm"], Family::WeightedSum, |lowering, record| {
        over_axes(lowering, record, |axes| Box::new(Statistic { axes, measure: Measure::Norm(2.0) }))
    }),
    Entry::by_data(&["Cumsum"], Family::WeightedSum, cumulative).of_kinds(&[Kind::Average]).by_parts(),
    Entry::by_data(&["Prod"], Family::Product, factors),
    Entry::by_result(&["Cumprod"], Family::Product, |lowering, record| {
        running(lowering, record, || Box::new(Product))
    }),
    Entry::by_result(&["CumulativeLogsumexp"], Family::WeightedSum, |lowering, record| {
        running(lowering, record, || Box::new(LogAddExp))
    }),
    Entry::by_result(&["TopK", "TopKV2"], Family::Movement, largest),
    Entry::by_data(&["SegmentSum", "SegmentMean"], Family::WeightedSum, segment_sum),
    Entry::by_result(&["SegmentMax", "SegmentMin"], Family::Winner, segment_extremum),
];

/// A reduction over no axis passes.
fn over_axes(
    lowering: &mut Lowering,
    record: &Record,
    rule: fn(Vec<usize>) -> Box<dyn BacktraceOp<TfTensor>>,
) -> Result<()> {
    let operand = lowering.number(record, input(record, 0)?)?;
    let axes = axes(record, 1, operand.meta.shape.len())?;
    let op = if axes.is_empty() { Box::new(Pass::identity()) } else { rule(axes) };
    lowering.step(record, op, vec![operand])
}

/// Reversed: from the end. Exclusive: each sum lacks its own element, so the sums of all but the last come after a 0.
fn cumulative(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let mut x = lowering.number(record, input(record, 0)?)?;
    let shape = x.meta.shape.clone();
    let axis = axis(integer(record, 1)?, shape.len())?;
    let (exclusive, reverse) = (flag(record, "exclusive") && shape[axis] > 0, flag(record, "reverse"));
    let flip = || Box::new(Flip { axes: vec![axis] });
    if reverse {
        let data = x.data()?.flip(&[axis])?;
        x = lowering.writer.inner(flip(), vec![x], data);
    }
    if exclusive {
        x = lowering.writer.narrow(&x, axis, 0, shape[axis] - 1)?;
    }
    let mut rules: Vec<Box<dyn BacktraceOp<TfTensor>>> = vec![Box::new(CumulativeSum { axis })];
    if exclusive {
        let mut before = vec![0; shape.len()];
        before[axis] = 1;
        rules.push(Box::new(Pad { before, after: vec![0; shape.len()] }));
    }
    if reverse {
        rules.push(flip());
    }
    let last = rules.pop().ok_or_else(|| Error::Uncovered("a running sum is at least a sum".into()))?;
    for (place, rule) in rules.into_iter().enumerate() {
        let extents = if place == 0 { x.meta.shape.clone() } else { shape.clone() };
        x = lowering.writer.inner_shape(rule, vec![x], extents);
    }
    lowering.step(record, last, vec![x])
}

/// A product of all elements, factor by factor.
fn factors(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let operand = lowering.number(record, input(record, 0)?)?;
    let axes = axes(record, 1, operand.meta.shape.len())?;
    let product = lowering.writer.product_over(&operand, &axes)?;
    lowering.step(record, Box::new(Reshape), vec![product])
}

/// Combines all elements up to each one along an axis, two at a time. Reversed: from the end. Exclusive: each result lacks its
/// own element, so the first has none.
fn running(
    lowering: &mut Lowering,
    record: &Record,
    combine: fn() -> Box<dyn BacktraceOp<TfTensor>>,
) -> Result<()> {
    let x = lowering.number(record, input(record, 0)?)?;
    let axis = axis(integer(record, 1)?, x.meta.shape.len())?;
    let single = vec![1; x.meta.shape[axis]];
    let mut results = lowering.result(record)?.split(axis, &single)?;
    let mut elements = lowering.writer.parts(&x, axis, &single)?;
    if flag(record, "reverse") {
        results.reverse();
        elements.reverse();
    }
    let mut found = Vec::with_capacity(single.len());
    if flag(record, "exclusive") && elements.pop().is_some() {
        found.push(lowering.writer.constant(results.remove(0)));
    }
    found.extend(lowering.writer.running(combine, elements, results));
    if flag(record, "reverse") {
        found.reverse();
    }
    lowering.step(record, Box::new(Concat { axis, new_axis: false }), found)
}

/// The largest elements of each row. The indices beside them name the places to which relevance goes back.
fn largest(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let operand = lowering.unread(input(record, 0)?);
    let nothing = || Error::Uncovered("the operator returned no indices".into());
    let indices = record.outputs.get(1).ok_or_else(nothing)?;
    let indices = lowering.operand(indices)?.data()?.to_indices()?;
    let extent = operand.meta.shape.last().copied().unwrap_or(1) as i64;
    let kept = indices.shape().last().copied().unwrap_or(1).max(1);
    let cells: Vec<i64> =
        indices.iter().enumerate().map(|(place, index)| (place / kept) as i64 * extent + index).collect();
    let made = lowering.result(record)?;
    let indices = vec![made.indices(&cells)?, made.indices(&vec![-1; cells.len()])?];
    lowering.step(record, Box::new(Rearrange::of(indices)), vec![operand])
}

/// The number of each row's segment.
fn segments(record: &Record) -> Result<TfTensor> {
    let numbers = input(record, 1)?.tensor.clone();
    let not_kept = || Error::NotKept { what: "the numbers of the segments".into() };
    TfTensor::from(numbers.ok_or_else(not_kept)?).cast(DType::Int)
}

/// The divisor of a mean cancels.
fn segment_sum(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let source = lowering.number(record, input(record, 0)?)?;
    lowering.step(record, Box::new(IndexAdd { axis: 0, index: segments(record)? }), vec![source])
}

fn segment_extremum(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let source = lowering.operand(input(record, 0)?)?;
    let op = IndexExtremum { axis: 0, index: segments(record)?, result: lowering.result(record)? };
    lowering.step(record, Box::new(op), vec![source])
}

#[cfg(test)]
mod tests {
    use super::super::jacobians::{Case, integers, values};
    use crate::proto::Attribute;

    #[test]
    fn sums_and_means_share_over_their_axes() {
        for operator in ["Sum", "Mean"] {
            for (axes, keep) in [(&[-1, 0][..], true), (&[1], false), (&[], false)] {
                let inputs = [values(&[2, 3, 4]), integers(&[axes.len()], axes)];
                Case::new(operator, &[("keep_dims", Attribute::Bool(keep))], &inputs).is_a_sum_of(&[0]);
            }
        }
    }

    #[test]
    fn the_extremes_over_axes_take_all() {
        for operator in ["Max", "Min"] {
            for axes in [&[-1, 0][..], &[1], &[]] {
                Case::new(operator, &[], &[values(&[2, 3, 4]), integers(&[axes.len()], axes)])
                    .is_won_by(&[0]);
            }
        }
    }

    #[test]
    fn running_sums_share_by_their_jacobian() {
        for (exclusive, reverse) in [(false, false), (false, true), (true, false), (true, true)] {
            let flags = [("exclusive", Attribute::Bool(exclusive)), ("reverse", Attribute::Bool(reverse))];
            for axis in [0, -1] {
                Case::new("Cumsum", &flags, &[values(&[3, 4]), integers(&[], &[axis])]).is_a_sum_of(&[0]);
            }
        }
    }

    #[test]
    fn the_largest_few_move_back() {
        for count in [1, 3] {
            Case::new("TopKV2", &[], &[values(&[2, 3, 5]), integers(&[], &[count])])
                .outputs(2)
                .is_won_by(&[0]);
        }
    }

    #[test]
    fn segments_share_what_is_theirs() {
        let inputs = [values(&[4, 3]), integers(&[4], &[0, 0, 2, 2])];
        for operator in ["SegmentSum", "SegmentMean"] {
            Case::new(operator, &[], &inputs).is_a_sum_of(&[0]);
        }
        for operator in ["SegmentMax", "SegmentMin"] {
            Case::new(operator, &[], &inputs).is_won_by(&[0]);
        }
    }
}
