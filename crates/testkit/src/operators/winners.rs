//! Operators with a winner.

use super::{Check, both};
use crate::cases::{Case, Data, for_all, oracle};
use crate::geometry::{self, Axis};
use crate::numbers::Numbers;
use dlbacktrace_core::Tensor;
use dlbacktrace_core::ops::{AdaptiveMaxPool, Extremum, IndexExtremum, MaxPool, PairwiseExtremum};
use ndarray::ArrayD;
use proptest::prelude::*;

/// All of them.
pub fn winners<T: Tensor>(like: &T, check: Check<T>) {
    pooling(check);
    extrema(check);
    pairwise(check);
    index_extremum(like, check);
}

fn pooling<T: Tensor>(check: Check<T>) {
    for_all(32, (geometry::axes(true), 0_usize..2, any::<u64>()), |(axes, ceil, seed)| {
        let mut numbers = Numbers::new(seed);
        let each = |of: &dyn Fn(&Axis) -> usize| -> Vec<usize> { axes.iter().map(of).collect() };
        let input = [&[2][..], &each(&|axis| axis.input)].concat();
        let output = [&[2][..], &each(&|axis| axis.windows() + ceil)].concat();
        let op = MaxPool {
            kernel: each(&|axis| axis.kernel),
            stride: each(&|axis| axis.stride),
            padding: each(&|axis| axis.padding),
            dilation: each(&|axis| axis.dilation),
        };
        both(check, &Case::new(vec![Data::moving(numbers.exact(&input))], &[&output], &mut numbers), &op);
    });
    for_all(16, (prop::collection::vec((1_usize..7, 1_usize..6), 1..4), any::<u64>()), |(axes, seed)| {
        let mut numbers = Numbers::new(seed);
        let (input, output): (Vec<usize>, Vec<usize>) = axes.iter().copied().unzip();
        let case = Case::new(vec![Data::moving(numbers.exact(&input))], &[&output], &mut numbers);
        both(check, &case, &AdaptiveMaxPool { spatial: axes.len() });
    });
}

fn extrema<T: Tensor>(check: Check<T>) {
    let strategy =
        (geometry::shape(1..4), prop::collection::vec(any::<bool>(), 3), any::<bool>(), any::<u64>());
    for_all(24, strategy, |(shape, reduced, largest, seed)| {
        let mut numbers = Numbers::new(seed);
        let mut axes: Vec<usize> = (0..shape.len()).filter(|&axis| reduced[axis]).collect();
        if axes.is_empty() {
            axes.push(0);
        }
        let output: Vec<usize> =
            (0..shape.len()).filter(|axis| !axes.contains(axis)).map(|axis| shape[axis]).collect();
        let case = Case::new(vec![Data::moving(numbers.exact(&shape))], &[&output], &mut numbers);
        both(check, &case, &Extremum { axes, largest });
    });
}

fn pairwise<T: Tensor>(check: Check<T>) {
    for_all(24, (geometry::broadcast(), any::<bool>(), any::<bool>(), any::<u64>()), |drawn| {
        let ((wide, narrow), largest, fixed, seed) = drawn;
        let mut numbers = Numbers::new(seed);
        let other = Data { depends: !fixed, ..Data::moving(numbers.exact(&narrow)) };
        let case = Case::new(vec![Data::moving(numbers.exact(&wide)), other], &[&wide], &mut numbers);
        both(check, &case, &PairwiseExtremum { largest });
    });
}

fn index_extremum<T: Tensor>(like: &T, check: Check<T>) {
    for_all(24, (1_usize..6, 1_usize..4, any::<bool>(), any::<u64>()), |(count, to, with_base, seed)| {
        let mut numbers = Numbers::new(seed);
        let index: Vec<i64> = (0..count).map(|_| numbers.below(to) as i64).collect();
        let (source, base) = (numbers.exact(&[2, count]), numbers.exact(&[2, to]));
        let result = ArrayD::from_shape_fn(vec![2, to], |at| {
            let landed = (0..count).filter(|&j| index[j] == at[1] as i64).map(|j| source[[at[0], j]]);
            let all: Vec<f64> = landed.chain(with_base.then(|| base[&at])).collect();
            if all.is_empty() { 0.0 } else { all.into_iter().fold(f64::NEG_INFINITY, f64::max) }
        });
        let mut operands = vec![Data::moving(source)];
        operands.extend(with_base.then(|| Data { depends: numbers.chance(2), ..Data::moving(base) }));
        let case = Case::new(operands, &[&[2, to]], &mut numbers);
        fn on<T: Tensor>(like: &T, index: &[i64], result: &ArrayD<f64>) -> IndexExtremum<T> {
            let (index, result) = (like.indices(index).unwrap(), like.floats(result.view()).unwrap());
            IndexExtremum { axis: 1, index, result }
        }
        check(&case, &on(&oracle(), &index, &result), &on(like, &index, &result));
    });
}
