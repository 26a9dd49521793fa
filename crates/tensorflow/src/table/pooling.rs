//! Pooling (rules §2 and §3). Windows have one extent for each axis, samples and channels included.

use super::Entry;
use super::geometry::{Layout, Window, extents, natural, padding, shape};
use crate::Record;
use crate::lowering::{Lowering, input, integers};
use dlbacktrace_core::ops::{MaxPool, Separable};
use dlbacktrace_core::rules::Kind;
use dlbacktrace_core::{Error, Family, Result};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_data(&["AvgPool", "AvgPool3D"], Family::WeightedSum, average).of_kinds(&[Kind::Average]),
    Entry::by_result(&["MaxPool", "MaxPoolV2", "MaxPool3D", "MaxPoolWithArgmax"], Family::Winner, max),
];

/// The windows along all axes, and the number of padded cells before the first.
fn windows(lowering: &Lowering, record: &Record) -> Result<(Vec<Window>, Vec<usize>)> {
    let (kernel, stride) = match record.operation.ints("ksize") {
        Some(_) => (extents(record, "ksize")?, extents(record, "strides")?),
        None => (natural("ksize", &integers(record, 1)?)?, natural("strides", &integers(record, 2)?)?),
    };
    // Other formats split the channels over two axes.
    Layout::of(record)?;
    let extents = shape(lowering, record, 0)?;
    if kernel.len() != extents.len() || stride.len() != extents.len() {
        return Err(Error::Uncovered(format!("windows {kernel:?} over {extents:?} have no rule")));
    }
    let windows: Vec<Window> = kernel
        .into_iter()
        .zip(stride)
        .map(|(kernel, stride)| Window { kernel, stride, dilation: 1 })
        .collect();
    let before = padding(record, &extents, &windows)?.into_iter().map(|(before, _)| before).collect();
    Ok((windows, before))
}

/// The divisor of an average cancels, so only the cells of each window matter.
fn average(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let (windows, before) = windows(lowering, record)?;
    let operand = lowering.operand(input(record, 0)?)?;
    let output = lowering.output_shape(record)?;
    let (kernel, stride) = numbers(&windows);
    let mut op = Separable::average_pool(&operand.meta.shape, &output, &kernel, &stride, &before)?;
    op.axes.matrices.retain(|(axis, _)| (kernel[*axis], stride[*axis]) != (1, 1));
    lowering.step(record, Box::new(op), vec![operand])
}

/// Adds the largest cells, which the operator has found already: its result.
fn max(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let (windows, padding) = windows(lowering, record)?;
    let operand = lowering.operand(input(record, 0)?)?;
    let result = lowering.result(record)?;
    let result = lowering.writer.constant(result);
    let (kernel, stride) = numbers(&windows);
    let op = MaxPool { dilation: vec![1; kernel.len()], kernel, stride, padding };
    lowering.step(record, Box::new(op), vec![operand, result])
}

fn numbers(windows: &[Window]) -> (Vec<usize>, Vec<usize>) {
    windows.iter().map(|window| (window.kernel, window.stride)).unzip()
}

#[cfg(test)]
mod tests {
    use super::super::jacobians::{Case, integers, ints, text, values};

    fn pool(operator: &str, x: &[usize], kernel: &[i64], strides: &[i64], padding: &str) -> Case {
        let attributes = [("ksize", ints(kernel)), ("strides", ints(strides)), ("padding", text(padding))];
        Case::new(operator, &attributes, &[values(x)])
    }

    #[test]
    fn averages_share_by_their_jacobian() {
        pool("AvgPool", &[2, 5, 4, 2], &[1, 2, 3, 1], &[1, 2, 1, 1], "VALID").is_a_sum_of(&[0]);
        pool("AvgPool", &[1, 6, 5, 2], &[1, 3, 2, 1], &[1, 2, 2, 1], "SAME").is_a_sum_of(&[0]);
        pool("AvgPool3D", &[1, 3, 4, 3, 2], &[1, 2, 3, 2, 1], &[1, 2, 2, 1, 1], "SAME").is_a_sum_of(&[0]);
    }

    #[test]
    fn the_largest_of_each_window_takes_all() {
        pool("MaxPool", &[2, 5, 4, 2], &[1, 2, 3, 1], &[1, 2, 1, 1], "VALID").is_won_by(&[0]);
        pool("MaxPool", &[1, 6, 5, 2], &[1, 3, 2, 1], &[1, 2, 2, 1], "SAME").is_won_by(&[0]);
        pool("MaxPool", &[1, 3, 2, 4], &[1, 1, 1, 2], &[1, 1, 1, 2], "VALID").is_won_by(&[0]);
        pool("MaxPool3D", &[1, 3, 4, 3, 2], &[1, 2, 3, 2, 1], &[1, 2, 2, 1, 1], "SAME").is_won_by(&[0]);
        pool("MaxPoolWithArgmax", &[1, 6, 5, 2], &[1, 3, 2, 1], &[1, 2, 2, 1], "SAME")
            .outputs(2)
            .is_won_by(&[0]);
        let windows = [values(&[1, 5, 4, 2]), integers(&[4], &[1, 2, 2, 1]), integers(&[4], &[1, 2, 1, 1])];
        Case::new("MaxPoolV2", &[("padding", text("SAME"))], &windows).is_won_by(&[0]);
    }
}
