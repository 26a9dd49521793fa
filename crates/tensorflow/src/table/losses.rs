//! Losses, which serve as anomaly scores, as their written-out forms (rules, "Losses"). The gradients beside them have no rule.

use super::Entry;
use super::arithmetic::computed;
use crate::lowering::{Lowering, input};
use crate::{Record, TfTensor};
use dlbacktrace_core::ops::{Pass, Rearrange, Reduce, Unruled};
use dlbacktrace_core::{Error, Family, Function, Operand, Result, Tensor};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_data(&["L2Loss"], Family::WeightedSum, half_of_squares),
    Entry::by_data(&["SoftmaxCrossEntropyWithLogits"], Family::WeightedSum, cross_entropy),
    Entry::by_data(&["SparseSoftmaxCrossEntropyWithLogits"], Family::Pass, of_class),
];

/// Σx² / 2
fn half_of_squares(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let x = lowering.operand(input(record, 0)?)?;
    let (axes, squares) = ((0..x.meta.shape.len()).collect(), x.data()?.mul(x.data()?)?);
    let squares = lowering.writer.pass(Pass::function(Function::Power(2.0)), &x, squares);
    let sum = lowering.writer.inner_shape(Box::new(Reduce { axes }), vec![squares], Vec::new());
    lowering.step(record, Box::new(Pass::function(Function::Scale(0.5))), vec![sum])
}

/// −Σ labels · log softmax x
fn cross_entropy(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let (logarithms, labels) = (logarithms(lowering, record)?, lowering.operand(input(record, 1)?)?);
    let products = lowering.writer.product(&logarithms, &labels)?;
    let samples = products.meta.shape[..1].to_vec();
    let sum = lowering.writer.inner_shape(Box::new(Reduce { axes: vec![1] }), vec![products], samples);
    negated(lowering, record, sum)
}

/// −log softmax x at the class of each sample
fn of_class(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let logarithms = logarithms(lowering, record)?;
    let classes =
        *logarithms.meta.shape.last().ok_or_else(|| Error::Uncovered("there are no classes".into()))?;
    let labels = lowering.operand(input(record, 1)?)?;
    let chosen: Vec<i64> = labels
        .data()?
        .to_indices()?
        .into_iter()
        .zip(0..)
        .map(|(label, sample)| sample * classes as i64 + label)
        .collect();
    let index = labels.data()?.indices(&chosen)?;
    let chosen = vec![chosen.len()];
    let chosen = lowering.writer.inner_shape(Box::new(Rearrange::new(index)), vec![logarithms], chosen);
    negated(lowering, record, chosen)
}

fn logarithms(lowering: &mut Lowering, record: &Record) -> Result<Operand<TfTensor>> {
    let x = lowering.operand(input(record, 0)?)?;
    let data = computed(lowering, &[c"LogSoftmax"], input(record, 0)?)?.cast(x.data()?.dtype())?;
    Ok(lowering.writer.pass(Pass::function(Function::Other), &x, data))
}

fn negated(lowering: &mut Lowering, record: &Record, loss: Operand<TfTensor>) -> Result<()> {
    let [first, gradient] = record.outputs.as_slice() else {
        return Err(Error::Uncovered("it returned no loss".into()));
    };
    let reason = Some("the gradient of a loss has no rule".into());
    let unruled = Unruled { reason, ..Unruled::default() };
    lowering.writer.step(Box::new(unruled), vec![loss.clone()], vec![gradient.value]);
    let negative = Pass::function(Function::Scale(-1.0));
    lowering.writer.step(Box::new(negative), vec![loss], vec![first.value]);
    Ok(())
}
