//! Reductions along axes, and running ones.

use super::Row;
use super::call::Call;
use super::value::{Value, attempt};
use crate::eager::{Attributes, one_bool};
use std::ffi::CStr;

pub(super) const ROWS: &[Row] = &[
    Row::first(&["Mean"], |c| attempt(|| mean(c))).of_complex(),
    // Equal values share.
    Row::first(&["Max", "Min"], |c| {
        attempt(|| {
            let kept = kept(c)?;
            let (y, r) = (c.y().reshape(&kept), c.r().reshape(&kept));
            let won = c.x().with(c"Equal", &y).cast_like(&y);
            Ok(r / won.sum_to(&kept) * won)
        })
    }),
    // R · x / y, with y = √Σx²
    Row::first(&["EuclideanNorm"], |c| {
        attempt(|| {
            let kept = kept(c)?;
            Ok(c.x() / (c.y().reshape(&kept) / c.r().reshape(&kept)))
        })
    }),
    Row::first(&["Prod"], |c| attempt(|| product(c))),
    // Σ R ⊙ y over all later elements, divided by x; TensorFlow takes 0 where x is 0.
    Row::first(&["Cumprod"], |c| running(c"Cumsum", c, &(c.r() * c.y())).with(c"DivNoNan", &c.x())),
    // Σ R · exp(x − y) over all later elements y, with the positive and the negative R as logarithms.
    Row::first(&["CumulativeLogsumexp"], |c| {
        attempt(|| {
            let least = -f64::from(f32::MAX);
            let part = |r: Value| {
                let logarithm = r.apply(c"Relu").apply(c"Log");
                let logarithm = logarithm.with(c"Maximum", &logarithm.number(least));
                (running(c"CumulativeLogsumexp", c, &(logarithm - c.y())) + c.x()).apply(c"Exp")
            };
            Ok(part(c.r()) - part(-c.r()))
        })
    }),
];

/// The shape of the input, with 1 along the reduced axes.
fn kept(c: &Call<'_>) -> Result<Vec<usize>, String> {
    let mut shape = c.x().shape()?;
    for axis in c.axes(1, shape.len())? {
        shape[axis] = 1;
    }
    Ok(shape)
}

fn mean(c: &Call<'_>) -> Result<Value, String> {
    let (shape, kept) = (c.x().shape()?, kept(c)?);
    let count = shape.iter().product::<usize>() / kept.iter().product::<usize>().max(1);
    Ok(c.r().reshape(&kept).broadcast_to(&shape) / count as f64)
}

/// R times the product of all other elements: of those before each and of those after it, along the reduced axes as one.
fn product(c: &Call<'_>) -> Result<Value, String> {
    let (shape, kept) = (c.x().shape()?, kept(c)?);
    let reduced = c.axes(1, shape.len())?;
    let rest = (0..shape.len()).filter(|axis| !reduced.contains(axis));
    let mut axes: Vec<usize> = (0..shape.len()).filter(|axis| reduced.contains(axis)).collect();
    let factors: usize = axes.iter().map(|&axis| shape[axis]).product();
    axes.extend(rest);
    let moved: Vec<usize> = axes.iter().map(|&axis| shape[axis]).collect();
    let others = moved.iter().product::<usize>().checked_div(factors).unwrap_or(0);
    let table = c.x().permute(&axes).reshape(&[factors, others]);
    let along = |reverse| {
        let how = one_bool(c"exclusive", true).and(one_bool(c"reverse", reverse));
        Value::of(c"Cumprod", &how, [&table, &first_axis(&table)])
    };
    let mut back = vec![0; axes.len()];
    axes.iter().enumerate().for_each(|(to, &axis)| back[axis] = to);
    let others = (along(false) * along(true)).reshape(&moved).permute(&back);
    Ok(c.r().reshape(&kept) * others)
}

fn first_axis(like: &Value) -> Value {
    like.integers(&[0]).reshape(&[])
}

/// A running operator of the later elements where the call runs over the earlier ones.
fn running(operator: &CStr, c: &Call<'_>, x: &Value) -> Value {
    let how: Attributes =
        one_bool(c"exclusive", c.flag("exclusive")).and(one_bool(c"reverse", !c.flag("reverse")));
    Value::of(operator, &how, [x, &c.input(1)])
}
