//! Sums, means, products and extremes of the rows of each segment, and of values that meet in a cell.

use super::Row;
use super::call::Call;
use super::value::{Value, attempt};
use crate::DataType;
use crate::eager::Attributes;
use std::ffi::CStr;

pub(super) const ROWS: &[Row] = &[
    Row::first(&["SegmentMean"], |c| {
        let ones = c.x().apply(c"OnesLike");
        (c.r() / ones.with(c"SegmentSum", &c.input(1))).rows(&c.input(1))
    }),
    // Equal values share.
    Row::first(&["SegmentMax", "SegmentMin"], |c| {
        let won = c.x().with(c"Equal", &c.y().rows(&c.input(1))).cast_like(&c.x());
        (c.r() / won.with(c"SegmentSum", &c.input(1))).rows(&c.input(1)).only(&won.cast(DataType::BOOL))
    }),
    Row::first(&["SegmentProd"], |c| {
        others(c, |x| x.with(c"SegmentSum", &c.input(1)), |x| x.with(c"SegmentProd", &c.input(1)), &|x| {
            x.rows(&c.input(1))
        })
    }),
    // Segments in any order, of which a negative number is none.
    Row::first(&["UnsortedSegmentMax", "UnsortedSegmentMin"], |c| {
        let won = c.x().with(c"Equal", &spread(c, &c.y())).cast_like(&c.x());
        let count = unsorted(c"UnsortedSegmentSum", c, &won);
        spread(c, &c.r().with(c"DivNoNan", &count)).only(&won.cast(DataType::BOOL))
    }),
    Row::first(&["UnsortedSegmentProd"], |c| {
        others(
            c,
            |x| unsorted(c"UnsortedSegmentSum", c, x),
            |x| unsorted(c"UnsortedSegmentProd", c, x),
            &|x| spread(c, x),
        )
    }),
    // Written onto x at indices: those that equal the result share.
    Row::each(&["TensorScatterMax", "TensorScatterMin"], &[0, 2], |c, by| {
        attempt(|| {
            let (x, indices, written) = (c.input(0), c.input(1), c.input(2));
            let stayed = x.with(c"Equal", &c.y()).cast_like(&x);
            let at = |of: &Value| of.with(c"GatherNd", &indices);
            let won = written.with(c"Equal", &at(&c.y())).cast_like(&x);
            let shape = x.integers(&x.shape()?);
            let shape = shape.cast(indices.data_type()?);
            let met = Value::of(c"ScatterNd", &Attributes::default(), [&indices, &won, &shape]);
            let each = c.r() / (stayed.clone() + met);
            Ok(if by == 0 { each * stayed } else { at(&each) * won })
        })
    }),
];

/// What stands in each segment, at each of its rows; 0 at rows without a segment.
fn spread(c: &Call<'_>, of_segments: &Value) -> Value {
    attempt(|| {
        let numbers = c.input(1);
        let zero = numbers.number(0.0);
        let rows = of_segments.rows(&numbers.with(c"Maximum", &zero));
        let mut shape = numbers.shape()?;
        shape.resize(rows.shape()?.len(), 1);
        Ok(rows.only(&numbers.with(c"GreaterEqual", &zero).reshape(&shape)))
    })
}

fn unsorted(operator: &CStr, c: &Call<'_>, x: &Value) -> Value {
    Value::of(operator, &Attributes::default(), [x, &c.input(1), &c.input(2)])
}

/// R times the product of the other elements of the segment: the product of those that are not 0, divided by the element itself,
/// unless another one is 0.
fn others(
    c: &Call<'_>,
    sum: impl Fn(&Value) -> Value,
    product: impl Fn(&Value) -> Value,
    spread: &dyn Fn(&Value) -> Value,
) -> Value {
    let x = c.x();
    let zero = x.with(c"Equal", &x.number(0.0));
    let factors = x.number(1.0).select(&zero, &x);
    let zero = zero.cast_like(&x);
    let other_zeros = spread(&sum(&zero)) - zero;
    let whole = spread(&product(&factors)) / factors;
    spread(&c.r()) * whole.only(&other_zeros.with(c"Equal", &x.number(0.0)))
}
