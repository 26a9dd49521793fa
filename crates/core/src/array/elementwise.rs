//! Functions of each element.

use super::{Array, Elements, Real, shape};
use crate::tensor::BOUND;
use crate::{Binary, Error, Result, Tensor, Unary};
use std::cmp::Ordering;

pub(super) fn unary<F: Real>(x: &Array<F>, function: Unary) -> Result<Array<F>> {
    let function: fn(f64) -> f64 = match function {
        Unary::Abs => f64::abs,
        // Written so that NaN stays NaN.
        Unary::Positive => |x| if x <= 0.0 { 0.0 } else { x },
        Unary::Negative => |x| if x >= 0.0 { 0.0 } else { -x },
        Unary::Sigmoid => |x| 1.0 / (1.0 + (-x).exp()),
        Unary::Tanh => f64::tanh,
        Unary::Bounded => |x| x.clamp(-BOUND, BOUND),
    };
    map(x, "unary", function)
}

pub(super) fn map<F: Real>(
    x: &Array<F>,
    operation: &'static str,
    function: impl Fn(f64) -> f64,
) -> Result<Array<F>> {
    let values = x.float(operation)?.iter().map(|&x| F::nearest(function(x.into()))).collect();
    Ok(Array::of(x.shape(), values))
}

pub(super) fn binary<F: Real>(a: &Array<F>, function: Binary, b: &Array<F>) -> Result<Array<F>> {
    let shape = shape::broadcast("binary", &a.shape, &b.shape)?;
    let (a, b) = (a.broadcast_to(&shape)?, b.broadcast_to(&shape)?);
    let values = match (&a.elements, &b.elements) {
        (Elements::Float(a), Elements::Float(b)) => zip(a, b, of_numbers(function)),
        (Elements::Int(a), Elements::Int(b)) => mask(a, b, of_orders(function)?),
        (Elements::Bool(a), Elements::Bool(b)) => mask(a, b, of_orders(function)?),
        _ => {
            let message =
                format!("operands of types {:?} and {:?}; cast one of them first", a.dtype(), b.dtype());
            return Err(Error::tensor("binary", message));
        }
    };
    Ok(Array::of(shape, values))
}

fn of_numbers(function: Binary) -> fn(f64, f64) -> f64 {
    match function {
        Binary::Add => |a, b| a + b,
        Binary::Sub => |a, b| a - b,
        Binary::Mul => |a, b| a * b,
        Binary::Equal => |a, b| f64::from(a == b),
        Binary::Greater => |a, b| f64::from(a > b),
    }
}

fn of_orders(function: Binary) -> Result<fn(Ordering) -> bool> {
    match function {
        Binary::Equal => Ok(Ordering::is_eq),
        Binary::Greater => Ok(Ordering::is_gt),
        Binary::Add | Binary::Sub | Binary::Mul => {
            let message =
                format!("{function:?} takes floating-point operands; cast integers and truth values first");
            Err(Error::tensor("binary", message))
        }
    }
}

fn zip<F: Real>(a: &[F], b: &[F], function: fn(f64, f64) -> f64) -> Vec<F> {
    a.iter().zip(b).map(|(&a, &b)| F::nearest(function(a.into(), b.into()))).collect()
}

fn mask<F: Real, A: Ord>(a: &[A], b: &[A], holds: fn(Ordering) -> bool) -> Vec<F> {
    a.iter().zip(b).map(|(a, b)| F::nearest(f64::from(holds(a.cmp(b))))).collect()
}

pub(super) fn accumulate<F: Real>(mut a: Array<F>, b: &Array<F>) -> Result<Array<F>> {
    shape::check_shape("accumulate", "the other tensor", &b.shape, &a.shape)?;
    let values = b.float("accumulate")?;
    a.float_mut("accumulate")?.iter_mut().zip(values).for_each(|(a, &b)| *a = *a + b);
    Ok(a)
}

pub(super) fn quotient<F: Real>(x: &Array<F>, denominator: &Array<F>) -> Result<(Array<F>, f64)> {
    let denominator = super::movement::broadcast_to(denominator, "quotient", &x.shape)?;
    let mut lost = 0.0;
    let divide = |(&x, &denominator): (&F, &F)| {
        let (x, denominator): (f64, f64) = (x.into(), denominator.into());
        if denominator.abs() < F::DTYPE.negligible() {
            lost += x;
            return F::nearest(0.0);
        }
        F::nearest(x / denominator)
    };
    let values = x.float("quotient")?.iter().zip(denominator.float("quotient")?).map(divide).collect();
    Ok((Array::of(x.shape(), values), lost))
}

#[cfg(test)]
mod tests {
    use super::super::testing::refused;
    use super::*;

    fn row(values: &[f64]) -> Array {
        Array::from_slice(&[values.len()], values)
    }

    #[test]
    fn functions_of_one_number() {
        let x = row(&[-2.0, 0.0, 3.0]);
        assert_eq!(x.abs().unwrap(), row(&[2.0, 0.0, 3.0]));
        assert_eq!(x.positive().unwrap(), row(&[0.0, 0.0, 3.0]));
        assert_eq!(x.negative().unwrap(), row(&[2.0, 0.0, 0.0]));
        assert_eq!(x.unary(Unary::Tanh).unwrap(), row(&[(-2.0_f64).tanh(), 0.0, 3.0_f64.tanh()]));
        assert_eq!(row(&[-1000.0, 0.0, 1000.0]).unary(Unary::Sigmoid).unwrap(), row(&[0.0, 0.5, 1.0]));
        let infinite = row(&[f64::NEG_INFINITY, 7.0, f64::INFINITY]);
        assert_eq!(infinite.bounded().unwrap(), row(&[-BOUND, 7.0, BOUND]));
        assert_eq!(x.affine(2.0, 1.0).unwrap(), row(&[-3.0, 1.0, 7.0]));
    }

    #[test]
    fn nan_stays_nan() {
        for function in [Unary::Abs, Unary::Positive, Unary::Negative, Unary::Bounded] {
            assert!(row(&[f64::NAN]).unary(function).unwrap().total().unwrap().is_nan());
        }
    }

    #[test]
    fn functions_of_two_numbers_broadcast() {
        let (column, row) = (Array::from_slice(&[2, 1], &[1.0, 2.0]), row(&[1.0, 2.0, 3.0]));
        let both = |values: &[f64]| Array::from_slice(&[2, 3], values);
        assert_eq!(column.add(&row).unwrap(), both(&[2.0, 3.0, 4.0, 3.0, 4.0, 5.0]));
        assert_eq!(column.sub(&row).unwrap(), both(&[0.0, -1.0, -2.0, 1.0, 0.0, -1.0]));
        assert_eq!(column.mul(&row).unwrap(), both(&[1.0, 2.0, 3.0, 2.0, 4.0, 6.0]));
        assert_eq!(column.equal(&row).unwrap(), both(&[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]));
        assert_eq!(column.greater(&row).unwrap(), both(&[0.0, 0.0, 0.0, 1.0, 0.0, 0.0]));
        refused(row.add(&Array::from_slice(&[2], &[0.0, 0.0])), "binary");
    }

    #[test]
    fn integers_compare_exactly_and_answer_in_the_floating_type() {
        let (a, b) = (Array::ints(&[2], &[i64::MAX, 1]), Array::ints(&[2], &[i64::MAX - 1, 1]));
        assert_eq!(a.equal(&b).unwrap(), row(&[0.0, 1.0]));
        assert_eq!(a.greater(&b).unwrap(), row(&[1.0, 0.0]));
        assert_eq!(a.less_than(2.0).unwrap(), row(&[0.0, 1.0]));
        let (yes, no) = (Array::bools(&[1], &[true]), Array::bools(&[1], &[false]));
        assert_eq!(yes.equal(&no).unwrap(), row(&[0.0]));
        refused(a.add(&b), "binary");
        refused(a.equal(&row(&[1.0, 1.0])), "binary");
    }

    #[test]
    fn accumulating_leaves_shared_data_alone() {
        let x = row(&[1.0, 2.0]);
        assert_eq!(x.clone().accumulate(&row(&[10.0, 20.0])).unwrap(), row(&[11.0, 22.0]));
        assert_eq!(x, row(&[1.0, 2.0]));
        refused(x.accumulate(&row(&[1.0])), "accumulate");
    }

    #[test]
    fn a_quotient_by_zero_is_zero_and_counted() {
        let x = Array::from_slice(&[2, 2], &[1.0, 5.0, -8.0, 0.5]);
        let (quotient, lost) = x.quotient(&row(&[2.0, -0.0])).unwrap();
        assert_eq!(quotient, Array::from_slice(&[2, 2], &[0.5, 0.0, -4.0, 0.0]));
        assert_eq!(lost, 5.5);
        refused(row(&[1.0, 2.0]).quotient(&x), "quotient");
        let (quotient, lost) = row(&[1.0, 2.0]).quotient(&row(&[-1e-300, 1e-280])).unwrap();
        assert_eq!((quotient, lost), (row(&[0.0, 2e280]), 1.0));
    }
}
