//! Sparse tables: places, values and a shape.

use super::Row;
use super::call::Call;
use super::value::{Value, attempt};
use crate::eager::{Attributes, one_bool};

pub(super) const ROWS: &[Row] = &[
    // y ⊙ (R − Σ R ⊙ y) over the values in each row
    Row::each(&["SparseSoftmax"], &[1], |c, _| {
        let (places, shape) = (c.input(0), c.input(2));
        let product = c.r() * c.y();
        let last = places.number(-1.0).cast(crate::DataType::INT32).reshape(&[1]);
        let how = one_bool(c"keep_dims", true);
        let sums = Value::of(c"SparseReduceSum", &how, [&places, &product, &shape, &last]);
        product - spread(&places, &shape, &sums) * c.y()
    }),
    // With a dense table that is repeated: by the values and by the table.
    Row::each(&["SparseDenseCwiseMul"], &[1, 3], |c, by| {
        let dense = spread(&c.input(0), &c.input(2), &c.input(3));
        if by == 1 { c.r() * dense } else { gathered(c, &(c.r() * c.input(1))) }
    }),
    Row::each(&["SparseDenseCwiseDiv"], &[1, 3], |c, by| {
        let dense = spread(&c.input(0), &c.input(2), &c.input(3));
        match by {
            1 => c.r() / dense,
            _ => gathered(c, &(c.r() * (-c.input(1) / dense.apply(c"Square")))),
        }
    }),
];

/// What a dense table, repeated to the sparse table's shape, has at each place.
fn spread(places: &Value, shape: &Value, dense: &Value) -> Value {
    dense.with(c"BroadcastTo", shape).with(c"GatherNd", places)
}

/// The sum of values at places, in the dense table's shape.
fn gathered(c: &Call<'_>, values: &Value) -> Value {
    attempt(|| {
        let inputs = [&c.input(0), values, &c.input(2)];
        Ok(Value::of(c"ScatterNd", &Attributes::default(), inputs).sum_to(&c.input(3).shape()?))
    })
}
