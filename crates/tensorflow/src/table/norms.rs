//! Norms (rules §5, §10).

use super::{Entry, Lower};
use crate::lowering::{Lowering, input};
use crate::{Keep, Record, TfTensor};
use dlbacktrace_core::ops::{Norm, Pass, Statistics};
use dlbacktrace_core::{Binary, Error, Family, Operand, Result, Tensor};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_shape(&["FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"], Family::Pass, batch_norm),
    Entry::by_shape(&["LRN"], Family::Pass, responses),
    Entry::new(&["BatchNormWithGlobalNormalization"], Family::Pass, Keep::Indices, Lower::Norm),
];

/// By statistics of the batch or by given ones, one for each channel. A norm whose operands were all kept knows its map.
fn batch_norm(lowering: &mut Lowering, record: &Record) -> Result<()> {
    if !lowering.derivatives {
        return lowering.pass(record, Pass::norm());
    }
    let x = lowering.operand(input(record, 0)?)?;
    let shape = x.meta.shape.clone();
    let first = record.operation.text("data_format").is_some_and(|format| format.starts_with("NC"));
    let channel = if first { 1 } else { shape.len().saturating_sub(1) };
    let training = record.operation.bool("is_training") == Some(true);
    let axes = (0..shape.len()).filter(|axis| *axis != channel).collect();
    let statistics = if training {
        Statistics::Own { view: shape.clone(), axes, centred: true }
    } else {
        Statistics::Given
    };
    let along = |index: usize| -> Result<Operand<TfTensor>> {
        let operand = lowering.operand(input(record, index)?)?;
        let mut view = vec![1; shape.len()];
        view[channel] = shape[channel];
        let data = operand.data()?.reshape(&view)?;
        Ok(operand.holding(data))
    };
    let mut operands = vec![x, along(1)?, along(2)?];
    if !training {
        operands.extend([along(3)?, along(4)?]);
    }
    let epsilon = record.operation.float("epsilon").map(f64::from);
    let epsilon = epsilon.ok_or_else(|| Error::Uncovered("the norm has no epsilon".into()))?;
    lowering.step(record, Box::new(Norm { statistics, epsilon, scaled: true, shifted: true }), operands)
}

/// Responses divided by a power of those of neighbours: y = x / s. With s held fixed, it is a norm by the mean 0 and the
/// variance s². Where x is 0, s does not matter.
fn responses(lowering: &mut Lowering, record: &Record) -> Result<()> {
    if !lowering.derivatives {
        return lowering.pass(record, Pass::norm());
    }
    let (x, y) = (lowering.operand(input(record, 0)?)?, lowering.result(record)?);
    let silent = y.binary(Binary::Equal, &y.zeros(&y.shape())?)?;
    let level = x.data()?.quotient(&y)?.0.add(&silent)?;
    let mean = lowering.writer.constant(level.zeros(&[])?);
    let variance = lowering.writer.constant(level.mul(&level)?);
    let norm = Norm { statistics: Statistics::Given, epsilon: 0.0, scaled: false, shifted: false };
    lowering.step(record, Box::new(norm), vec![x, mean, variance])
}
