//! Norms in one operator.

use super::Row;
use super::call::Call;
use super::value::{Value, attempt};
use crate::eager::one_bool;

pub(super) const ROWS: &[Row] = &[
    Row::each(&["FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"], &[0, 1, 2], |c, by| {
        if c.flag("is_training") { of_batch(c, by) } else { attempt(|| of_constants(c, by)) }
    }),
    Row::first(&["LRN"], |c| {
        let how = c.given(&["depth_radius", "bias", "alpha", "beta"]);
        Value::of(c"LRNGrad", &how, [&c.r(), &c.x(), &c.y()])
    }),
];

/// Statistics of the batch: by x, scale and shift. The kernel kept the statistics in its last outputs.
fn of_batch(c: &Call<'_>, by: usize) -> Value {
    let how = c.given(&["epsilon", "data_format"]).and(one_bool(c"is_training", true));
    let [x, scale] = [0, 1].map(|index| c.input(index));
    let mut inputs = vec![c.r(), x, scale, c.output(3), c.output(4)];
    let operator = match c.operation.operator.as_str() {
        "FusedBatchNorm" => c"FusedBatchNormGrad",
        "FusedBatchNormV2" => c"FusedBatchNormGradV2",
        _ => {
            inputs.push(c.output(5));
            c"FusedBatchNormGradV3"
        }
    };
    Value::output_of(operator, &how, &inputs, (by, 5))
}

/// y = s · (x − μ) / √(v + ε) + b with constant statistics, one for each channel: by x, s and b.
fn of_constants(c: &Call<'_>, by: usize) -> Result<Value, String> {
    let shape = c.x().shape()?;
    let first = c.operation.text("data_format").is_some_and(|format| format.starts_with("NC"));
    let channel = if first { 1 } else { shape.len().saturating_sub(1) };
    let channels = *shape.get(channel).ok_or("it has no axis of channels")?;
    let mut along = vec![1; shape.len()];
    along[channel] = channels;
    let [scale, mean, variance] = [1, 3, 4].map(|index| c.input(index).reshape(&along));
    let ratio = (variance + c.float("epsilon")?).apply(c"Rsqrt");
    Ok(match by {
        0 => c.r() * (scale * ratio),
        1 => (c.r() * ((c.x() - mean) * ratio)).sum_to(&along).reshape(&[channels]),
        _ => c.r().sum_to(&along).reshape(&[channels]),
    })
}
