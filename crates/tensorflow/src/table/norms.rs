//! Norms (rules §5, §10).

use super::{Entry, Lower};
use crate::lowering::{Lowering, input};
use crate::{Keep, Record, TfTensor};
use dlbacktrace_core::ops::{Norm, Pass, Statistics};
use dlbacktrace_core::rules::Kind;
use dlbacktrace_core::{Binary, Error, Family, Operand, Result, Tensor};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::new(
        &["FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"],
        Family::Pass,
        Keep::Rest,
        Lower::By(batch_norm),
    )
    .of_kinds(&[Kind::Norm])
    .norms(),
    Entry::by_shape(&["LRN"], Family::Pass, responses),
    Entry::new(&["BatchNormWithGlobalNormalization"], Family::Pass, Keep::Indices, Lower::Norm),
];

/// By statistics of the batch or by given ones, one for each channel. Only rules other than those of DLBacktrace read x.
fn batch_norm(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let x = lowering.known(input(record, 0)?)?;
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
    if !lowering.reads.more() {
        return lowering.pass(record, Pass::norm());
    }
    let (x, y) = (lowering.operand(input(record, 0)?)?, lowering.result(record)?);
    let silent = y.binary(Binary::Equal, &y.zeros(&y.shape())?)?;
    let level = x.data()?.quotient(&y)?.0.add(&silent)?;
    let mean = lowering.writer.constant(level.zeros(&[])?);
    let variance = lowering.writer.constant(level.mul(&level)?);
    let norm = Norm { statistics: Statistics::Held, epsilon: 0.0, scaled: false, shifted: false };
    lowering.step(record, Box::new(norm), vec![x, mean, variance])
}

#[cfg(test)]
mod tests {
    use super::super::jacobians::{Case, array, numbers, relevance, values};
    use crate::proto::Attribute::{Bool, Float, Int};

    /// The share of x in y = x·s + b, by the rule ε.
    fn share(x: f64, s: f64, y: f64, r: f64) -> f64 {
        x * s * r / (y + 1e-6 * y.signum())
    }

    #[test]
    fn a_norm_by_given_statistics_is_a_scale() {
        let (gamma, beta, mean, variance) = ([0.8, -1.1], [0.2, 0.3], [0.1, -0.2], [0.9, 1.6]);
        let x = values(&[2, 1, 3, 2]);
        let of_channels = |values: [f32; 2]| numbers(&[2], &values);
        let inputs = [&[x.clone()][..], &[gamma, beta, mean, variance].map(of_channels)].concat();
        let attributes = [("is_training", Bool(false)), ("epsilon", Float(0.01))];
        let case = Case::new("FusedBatchNormV3", &attributes, &inputs).outputs(6).counting(&[0]);
        let expected = array(&x).into_iter().zip(relevance(12)).enumerate().map(|(place, (x, r))| {
            let channel = |of: [f32; 2]| f64::from(of[place % 2]);
            let s = channel(gamma) / (channel(variance) + 0.01).sqrt();
            share(x, s, (x - channel(mean)) * s + channel(beta), r)
        });
        case.by("attn-lrp").compare(&[0], expected.collect());
    }

    /// The share of each x in its own and in all other y of the channel, of which the mean makes it a part.
    #[test]
    fn a_norm_by_statistics_of_the_batch_centres() {
        let (gamma, beta) = (0.8, 0.3);
        let x = values(&[3, 1, 2, 1]);
        let one = |value: f64| numbers(&[1], &[value as f32]);
        let inputs = [x.clone(), one(gamma), one(beta), numbers(&[0], &[]), numbers(&[0], &[])];
        let case = Case::new("FusedBatchNormV3", &[("epsilon", Float(0.01))], &inputs).outputs(6);
        let x = array(&x);
        let mean = x.iter().sum::<f64>() / 6.0;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 6.0;
        let s = gamma / (variance + 0.01).sqrt();
        let y = |j: usize| (x[j] - mean) * s + beta;
        let weight = |i: usize, j: usize| if i == j { s - s / 6.0 } else { -s / 6.0 };
        let of = |i: usize| (0..6).map(|j| share(x[i], weight(i, j), y(j), relevance(6)[j])).sum();
        case.counting(&[0]).by("attn-lrp").compare(&[0], (0..6).map(of).collect());
    }

    #[test]
    fn responses_take_what_is_theirs() {
        let attributes = [("depth_radius", Int(1)), ("alpha", Float(0.4))];
        let case = Case::new("LRN", &attributes, &[values(&[1, 2, 1, 4])]);
        case.by("attn-lrp").compare(&[0], relevance(8));
    }
}
