//! Discrete Fourier transforms (rules §2 and "Complex numbers"). Transforms along several axes, and spectrograms, are composed of
//! transforms along one axis.

use super::Entry;
use crate::arguments::{Arguments, axes};
use crate::lowering::Lowering;
use dlbacktrace_core::ops::{Fourier, Transform};
use dlbacktrace_core::{Error, Family, Result};
use dlbacktrace_torch_recorder::Call;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_data(&["aten::_fft_r2c"], Family::WeightedSum, |lowering, call| {
        let first = Transform::FromReal { one_sided: call.flag("onesided") };
        transform(lowering, call, |axes| {
            let others = axes.iter().rev().skip(1).map(|&axis| (axis, Transform::Between { forward: true }));
            axes.last().map(|&last| (last, first)).into_iter().chain(others).collect()
        })
    })
    .of_complex(),
    Entry::by_data(&["aten::_fft_c2c"], Family::WeightedSum, |lowering, call| {
        let between = Transform::Between { forward: call.flag("forward") };
        transform(lowering, call, |axes| axes.iter().rev().map(|&axis| (axis, between)).collect())
    })
    .of_complex(),
    Entry::by_data(&["aten::_fft_c2r"], Family::WeightedSum, |lowering, call| {
        transform(lowering, call, |axes| {
            let others = axes.iter().rev().skip(1).map(|&axis| (axis, Transform::Between { forward: false }));
            others.chain(axes.last().map(|&last| (last, Transform::ToReal))).collect()
        })
    })
    .of_complex(),
];

/// Transforms along one axis after the other, as they would be written out: towards a spectrum, from the last axis on.
fn transform(
    lowering: &mut Lowering,
    call: &Call,
    steps: impl Fn(&[usize]) -> Vec<(usize, Transform)>,
) -> Result<()> {
    let x = lowering.operand(call.tensor("self")?)?;
    let axes = axes(call.ints("dim"), x.meta.shape.len() - usize::from(x.meta.complex))?;
    let normalisation = call.int("normalization")?;
    let transforms = steps(&axes).into_iter().map(|(axis, transform)| {
        let points = match transform {
            Transform::ToReal => call.extents("last_dim_size", 1)?[0],
            _ => x.meta.shape[axis],
        };
        let factor = match normalisation {
            0 => 1.0,
            1 => 1.0 / (points as f64).sqrt(),
            2 => 1.0 / points as f64,
            other => {
                return Err(Error::Uncovered(format!(
                    "Fourier transforms with normalisation {other} have no rule"
                )));
            }
        };
        Ok(Fourier { transform, axis, points, factor })
    });
    let transforms = transforms.collect::<Result<Vec<_>>>()?;
    let (op, operands) = lowering.writer.fourier(x, transforms)?;
    lowering.step(call, op, operands)
}
