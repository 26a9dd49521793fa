//! Discrete Fourier transforms of the last axes (rules §2). Spectrograms and cepstra are composed of them.

use super::Entry;
use crate::lowering::{Lowering, input, integers};
use crate::table::geometry::natural;
use crate::{Record, TfTensor};
use dlbacktrace_core::ops::{Fourier, Transform};
use dlbacktrace_core::{Error, Family, Operand, Result};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_data(&["FFT"], Family::WeightedSum, |lowering, record| between(lowering, record, 1, true))
        .of_complex(),
    Entry::by_data(&["FFT2D"], Family::WeightedSum, |lowering, record| between(lowering, record, 2, true))
        .of_complex(),
    Entry::by_data(&["FFT3D"], Family::WeightedSum, |lowering, record| between(lowering, record, 3, true))
        .of_complex(),
    Entry::by_data(&["IFFT"], Family::WeightedSum, |lowering, record| between(lowering, record, 1, false))
        .of_complex(),
    Entry::by_data(&["IFFT2D"], Family::WeightedSum, |lowering, record| between(lowering, record, 2, false))
        .of_complex(),
    Entry::by_data(&["IFFT3D"], Family::WeightedSum, |lowering, record| between(lowering, record, 3, false))
        .of_complex(),
    Entry::by_data(&["RFFT", "RFFT2D", "RFFT3D"], Family::WeightedSum, from_real).of_complex(),
    Entry::by_data(&["IRFFT", "IRFFT2D", "IRFFT3D"], Family::WeightedSum, to_real).of_complex(),
];

/// A transform along one axis. A transform back takes the mean.
fn along(transform: Transform, axis: usize, points: usize) -> Fourier {
    let back = matches!(transform, Transform::Between { forward: false } | Transform::ToReal);
    Fourier { transform, axis, points, factor: if back { 1.0 / points as f64 } else { 1.0 } }
}

/// The last `count` axes of x before the axis of parts.
fn last_axes(x: &Operand<TfTensor>, count: usize) -> Result<std::ops::Range<usize>> {
    let rank = x.meta.shape.len() - usize::from(x.meta.complex);
    let first = rank.checked_sub(count);
    first
        .map(|first| first..rank)
        .ok_or_else(|| Error::Uncovered(format!("there are no {count} axes among {rank}")))
}

fn between(lowering: &mut Lowering, record: &Record, count: usize, forward: bool) -> Result<()> {
    let x = lowering.operand(input(record, 0)?)?;
    let transform = Transform::Between { forward };
    let axes = last_axes(&x, count)?.rev();
    let transforms = axes.map(|axis| along(transform, axis, x.meta.shape[axis])).collect();
    let (op, operands) = lowering.writer.fourier(x, transforms)?;
    lowering.step(record, op, operands)
}

/// Transforms real numbers after cutting each axis to the requested number of points, or padding it with 0.
fn from_real(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let mut x = lowering.operand(input(record, 0)?)?;
    let lengths = natural("fft_length", &integers(record, 1)?)?;
    let axes = last_axes(&x, lengths.len())?;
    for (axis, &points) in axes.clone().zip(&lengths) {
        x = lowering.writer.resized(x, axis, points)?;
    }
    let transforms = axes.zip(lengths).rev().enumerate().map(|(place, (axis, points))| match place {
        0 => along(Transform::FromReal { one_sided: true }, axis, points),
        _ => along(Transform::Between { forward: true }, axis, points),
    });
    let (op, operands) = lowering.writer.fourier(x, transforms.collect())?;
    lowering.step(record, op, operands)
}

/// Transforms back to the requested number of points along each axis.
fn to_real(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let mut x = lowering.operand(input(record, 0)?)?;
    let lengths = natural("fft_length", &integers(record, 1)?)?;
    let axes = last_axes(&x, lengths.len())?;
    let last = axes.end - 1;
    for (axis, &points) in axes.clone().zip(&lengths) {
        x = lowering.writer.resized(x, axis, if axis == last { points / 2 + 1 } else { points })?;
    }
    let transforms = axes.zip(lengths).map(|(axis, points)| match axis == last {
        true => along(Transform::ToReal, axis, points),
        false => along(Transform::Between { forward: false }, axis, points),
    });
    let (op, operands) = lowering.writer.fourier(x, transforms.collect())?;
    lowering.step(record, op, operands)
}
