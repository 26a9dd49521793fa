//! Pooling, and sums with a maximum.

use super::Row;
use super::call::Call;
use super::value::{Value, attempt};
use crate::DataType;
use crate::eager::Attributes;

pub(super) const ROWS: &[Row] = &[
    Row::first(&["AvgPool"], |c| {
        Value::of(c"AvgPoolGrad", &windows(c), [&shape(c).cast(DataType::INT32), &c.r()])
    }),
    Row::first(&["AvgPool3D"], |c| {
        Value::of(c"AvgPool3DGrad", &windows(c), [&shape(c).cast(DataType::INT32), &c.r()])
    }),
    Row::first(&["MaxPool"], |c| Value::of(c"MaxPoolGrad", &windows(c), [&c.x(), &c.y(), &c.r()])),
    Row::first(&["MaxPoolV2"], |c| {
        Value::of(c"MaxPoolGradV2", &windows(c), [&c.x(), &c.y(), &c.r(), &c.input(1), &c.input(2)])
    }),
    Row::first(&["MaxPool3D"], |c| Value::of(c"MaxPool3DGrad", &windows(c), [&c.x(), &c.y(), &c.r()])),
    Row::first(&["MaxPoolWithArgmax"], |c| {
        let how = c.given(&["ksize", "strides", "padding", "include_batch_in_index"]);
        Value::of(c"MaxPoolGradWithArgmax", &how, [&c.x(), &c.r(), &c.output(1)])
    }),
    Row::first(&["FractionalMaxPool"], |c| {
        let inputs = [&c.x(), &c.y(), &c.r(), &c.output(1), &c.output(2)];
        Value::of(c"FractionalMaxPoolGrad", &c.given(&["overlapping"]), inputs)
    }),
    Row::first(&["FractionalAvgPool"], |c| {
        let inputs = [&shape(c), &c.r(), &c.output(1), &c.output(2)];
        Value::of(c"FractionalAvgPoolGrad", &c.given(&["overlapping"]), inputs)
    }),
    Row::each(&["Dilation2D"], &[0, 1], |c, by| {
        let how = c.given(&["strides", "rates", "padding"]);
        let operator = if by == 0 { c"Dilation2DBackpropInput" } else { c"Dilation2DBackpropFilter" };
        Value::of(operator, &how, [&c.input(0), &c.input(1), &c.r()])
    }),
];

fn windows(c: &Call<'_>) -> Attributes {
    c.given(&["ksize", "strides", "padding", "explicit_paddings", "data_format"])
}

fn shape(c: &Call<'_>) -> Value {
    attempt(|| Ok(c.x().integers(&c.x().shape()?)))
}
