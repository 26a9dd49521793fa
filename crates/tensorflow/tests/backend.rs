//! TensorFlow's tensors against the oracle: every operation of the tensor trait, every operator of the core.

use dlbacktrace_core::{ConvGeometry, DType, Range, Tensor, Unary};
use dlbacktrace_tensorflow::{Context, DataType, TfTensor};
use ndarray::arr2;
use testkit::numbers::Numbers;
use testkit::saved_models::library;
use testkit::suite::Backend;

fn single() -> TfTensor {
    let context = Context::new(library(), Some(1)).unwrap();
    context.tensor(DataType::FLOAT, &[], &[0; 4]).unwrap().into()
}

fn tensorflow_single() -> Backend<TfTensor> {
    Backend { like: single(), of_operations: 1e-5, of_rules: 1e-4 }
}

fn tensorflow_double() -> Backend<TfTensor> {
    Backend { like: single().cast(DType::F64).unwrap(), of_operations: 1e-9, of_rules: 1e-9 }
}

testkit::suite!(tensorflow_single, tensorflow_double);

#[test]
fn what_is_no_number_stays_none() {
    let x = single().full(&[], f64::NAN).unwrap();
    for function in [Unary::Abs, Unary::Positive, Unary::Negative, Unary::Bounded] {
        assert!(x.unary(function).unwrap().total().unwrap().is_nan(), "{function:?}");
    }
}

#[test]
fn what_is_shared_is_not_written_to() {
    let one = single();
    let x = one.floats(arr2(&[[1.0, 2.0], [3.0, 4.0]]).into_dyn().view()).unwrap();
    let (before, index) = (x.to_array().unwrap(), one.indices(&[1]).unwrap());
    for x in [x.clone(), x.transpose().unwrap()] {
        let row = [Range::span(1, 1), Range::full(2)];
        let part = x.slice(&row).unwrap();
        let expected = x.to_array().unwrap() + arr2(&[[0.0, 0.0], [1.0, 1.0]]) * part.to_array().unwrap();
        assert_eq!(x.clone().add_region(&row, &part).unwrap().to_array().unwrap(), expected);
        assert_eq!(x.clone().index_add(0, &index, &part).unwrap().to_array().unwrap(), expected);
        let doubled = x.clone().accumulate(&x).unwrap().to_array().unwrap();
        assert_eq!(doubled, x.to_array().unwrap() * 2.0);
    }
    assert_eq!(x.to_array().unwrap(), before);
}

/// The ledger balances totals of ten million numbers.
#[test]
fn totals_are_added_in_double_precision() {
    let x = single().full(&[1 << 20, 10], 0.1).unwrap();
    let expected = f64::from(0.1_f32) * 10.0 * f64::from(1 << 20);
    assert!((x.total().unwrap() - expected).abs() < 1e-9 * expected);
}

#[test]
fn the_same_bits_every_time() {
    let many = Context::new(library(), Some(2)).unwrap();
    let like: TfTensor = many.tensor(DataType::FLOAT, &[], &[0; 4]).unwrap().into();
    let mut numbers = Numbers::new(1);
    let (x, weight) = (numbers.rough(&[2, 8, 30, 30]), numbers.rough(&[16, 8, 3, 3]));
    let geometry = ConvGeometry { stride: vec![1; 2], padding: vec![1; 2], dilation: vec![1; 2], groups: 1 };
    let run = || -> dlbacktrace_core::Result<_> {
        let (x, weight) = (like.floats(x.view())?, like.floats(weight.view())?);
        let y = x.convolve(&weight, &geometry)?;
        let (ratio, lost) = y.quotient(&y.sum(&[0, 2, 3], true)?)?;
        let back = ratio.convolve_adjoint(&weight, &geometry, &[30, 30])?;
        Ok((back.to_array()?, lost, back.total()?))
    };
    let first = run().unwrap();
    for _ in 0..5 {
        assert_eq!(run().unwrap(), first);
    }
}
