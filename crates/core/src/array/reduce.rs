//! Reductions over axes: every element is combined into the cell from which broadcasting would read it.

use super::selection::Selection;
use super::{Array, Real, shape};
use crate::{Error, Result};

/// The adjoint of repeating the reduced axes: y[j] is the sum of x[i] over all i to which j would be repeated.
pub(super) fn sum<F: Real>(x: &Array<F>, axes: &[usize], keep: bool) -> Result<Array<F>> {
    let mut summed = reduce("sum", x, axes, 0.0, |sum, x| sum + x)?;
    if !keep {
        let mut axis = 0..;
        summed.shape.retain(|_| axis.next().is_some_and(|axis| !axes.contains(&axis)));
    }
    Ok(summed)
}

pub(super) fn max_over<F: Real>(x: &Array<F>, axes: &[usize]) -> Result<Array<F>> {
    if axes.iter().any(|&axis| x.shape.get(axis) == Some(&0)) {
        let message = format!("axes {axes:?} of the shape {:?} hold no element to choose from", x.shape);
        return Err(Error::tensor("max_over", message));
    }
    // NaN counts as the largest, so that it is noticed.
    reduce("max_over", x, axes, f64::NEG_INFINITY, |max, x| if x > max || x.is_nan() { x } else { max })
}

/// eˣ / Σeˣ over the last axis.
pub(super) fn softmax<F: Real>(x: &Array<F>) -> Result<Array<F>> {
    let Some(&columns) = x.shape.last() else {
        return Err(Error::tensor("softmax", "a tensor without axes has no softmax"));
    };
    let mut shares: Vec<f64> = x.float("softmax")?.iter().map(|&value| value.into()).collect();
    for row in shares.chunks_mut(columns.max(1)) {
        let largest = row.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
        row.iter_mut().for_each(|x| *x = (*x - largest).exp());
        let sum: f64 = row.iter().sum();
        row.iter_mut().for_each(|x| *x /= sum);
    }
    Ok(Array::of(x.shape.clone(), shares.into_iter().map(F::nearest).collect()))
}

fn reduce<F: Real>(
    operation: &'static str,
    x: &Array<F>,
    axes: &[usize],
    start: f64,
    combine: fn(f64, f64) -> f64,
) -> Result<Array<F>> {
    let values = x.float(operation)?;
    shape::check_axes(operation, &x.shape, axes)?;
    let kept: Vec<usize> = x
        .shape
        .iter()
        .enumerate()
        .map(|(axis, &extent)| if axes.contains(&axis) { 1 } else { extent })
        .collect();
    let cells = Selection::all(operation, &kept).broadcast(&x.shape)?.positions()?;
    let mut reduced = vec![start; shape::volume(operation, &kept)?];
    for (cell, &value) in cells.into_iter().zip(values) {
        reduced[cell] = combine(reduced[cell], value.into());
    }
    Ok(Array::of(kept, reduced.into_iter().map(F::nearest).collect()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{inner, integers, refused};
    use super::*;
    use crate::Tensor;
    use proptest::prelude::*;

    fn x() -> Array {
        Array::from_slice(&[2, 3], &[1.0, -2.0, 3.0, 4.0, 5.0, -6.0])
    }

    #[test]
    fn sums_over_axes() {
        assert_eq!(x().sum(&[0], false).unwrap(), Array::from_slice(&[3], &[5.0, 3.0, -3.0]));
        assert_eq!(x().sum(&[1], true).unwrap(), Array::from_slice(&[2, 1], &[2.0, 3.0]));
        assert_eq!(x().sum(&[1, 0], false).unwrap(), Array::from_slice(&[], &[5.0]));
        assert_eq!(x().sum(&[], false).unwrap(), x());
        assert_eq!(x().total().unwrap(), 5.0);
        refused(x().sum(&[2], false), "sum");
        refused(x().sum(&[0, 0], false), "sum");
    }

    #[test]
    fn an_empty_sum_is_zero_and_an_empty_maximum_is_refused() {
        let empty = Array::from_slice(&[2, 0], &[]);
        assert_eq!(empty.sum(&[1], false).unwrap(), Array::from_slice(&[2], &[0.0, 0.0]));
        assert_eq!(empty.total().unwrap(), 0.0);
        assert_eq!(empty.max_over(&[0]).unwrap(), Array::from_slice(&[1, 0], &[]));
        refused(empty.max_over(&[1]), "max_over");
    }

    #[test]
    fn maxima_keep_their_axes() {
        assert_eq!(x().max_over(&[1]).unwrap(), Array::from_slice(&[2, 1], &[3.0, 5.0]));
        assert_eq!(x().max_over(&[0, 1]).unwrap(), Array::from_slice(&[1, 1], &[5.0]));
        for values in [[f64::NAN, 1.0], [1.0, f64::NAN]] {
            assert!(Array::from_slice(&[2], &values).max_over(&[0]).unwrap().total().unwrap().is_nan());
        }
    }

    #[test]
    fn single_precision_sums_in_double() {
        // 2²⁴ + 1 has no single-precision number: summed in single precision both ones would be lost.
        let x = Array::<f32>::new(ndarray::array![16_777_216.0, 1.0, 1.0].into_dyn());
        assert_eq!(x.sum(&[0], false).unwrap().total().unwrap(), 16_777_218.0);
        assert_eq!(x.total().unwrap(), 16_777_218.0);
    }

    /// A shape, and one that repeats to it.
    fn repeated() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
        let axes = prop::collection::vec((0_usize..4, any::<bool>()), 0..4);
        (axes, 0_usize..4).prop_map(|(axes, lead)| {
            let to: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
            let from = axes.iter().map(|&(extent, once)| if once { 1 } else { extent });
            (from.skip(lead).collect(), to)
        })
    }

    proptest! {
        #[test]
        fn summing_is_the_adjoint_of_repeating(
            (x, y) in repeated().prop_flat_map(|(from, to)| (integers(from), integers(to)))
        ) {
            let there = inner(&x.broadcast_to(&y.shape()).unwrap(), &y);
            let back = inner(&x, &y.sum_to(&x.shape()).unwrap());
            prop_assert_eq!(there, back);
        }
    }
}
