//! Weighted sums.

use super::{Check, both};
use crate::cases::{Case, Data, for_all, oracle};
use crate::forward::{broadcast, matmul};
use crate::geometry::{self, Axis};
use crate::numbers::Numbers;
use dlbacktrace_core::Tensor;
use dlbacktrace_core::ops::{
    Convolution, CumulativeSum, Einsum, Fourier, IndexAdd, Interpolation, MatMul, Reduce, Sampling,
    Separable, Sum, Transform, TransposedConvolution,
};
use ndarray::ArrayD;
use proptest::prelude::*;

/// All of them.
pub fn sums<T: Tensor>(like: &T, check: Check<T>) {
    convolution(check);
    matrix_product(check);
    einsum(check);
    sum(check);
    reduction(check);
    fourier(check);
    pooling(check);
    interpolation(check);
    index_add(like, check);
}

fn convolution<T: Tensor>(check: Check<T>) {
    // Any of input, kernel and bias may move; without the first two, nothing would be tested.
    let moving = any::<[bool; 3]>().prop_filter("something moves", |[x, weight, _]| *x || *weight);
    for_all(96, (geometry::convolution(), any::<bool>(), moving), |(geometry, transposed, moving)| {
        let mut numbers = Numbers::new(geometry.seed);
        let (narrow, wide) = (geometry.groups * geometry.first, geometry.groups * geometry.second);
        let (input, output, channels) = match transposed {
            false => (
                geometry.tensor(wide, |axis| axis.input),
                geometry.tensor(narrow, |axis| axis.windows()),
                narrow,
            ),
            true => (
                geometry.tensor(narrow, |axis| axis.input),
                geometry.tensor(wide, |axis| axis.unfolded()),
                wide,
            ),
        };
        let shapes = [Some(input), Some(geometry.kernel()), geometry.bias.then(|| vec![channels])];
        let drawn = shapes.into_iter().flatten().zip(moving);
        let operands = drawn.map(|(shape, depends)| Data { depends, ..Data::moving(numbers.exact(&shape)) });
        let case = Case::new(operands.collect(), &[&output], &mut numbers);
        let case = if moving[1] { case } else { case.gated() };
        let (spatial, geometry) =
            (geometry.axes.iter().map(|axis| axis.unfolded()).collect(), geometry.geometry());
        match transposed {
            false => both(check, &case, &Convolution { geometry }),
            true => both(check, &case, &TransposedConvolution { geometry, spatial }),
        }
    });
}

fn matrix_product<T: Tensor>(check: Check<T>) {
    let extents = (1_usize..5, 1_usize..5, 1_usize..5);
    for_all(48, (extents, geometry::broadcast(), 0_usize..3, 0_usize..3, any::<u64>()), |drawn| {
        let ((rows, inner, columns), (wide, narrow), form, bias, seed) = drawn;
        let mut numbers = Numbers::new(seed);
        let (transposed, moving_right) = (form == 1, form == 2);
        let a = numbers.exact(&[wide.as_slice(), &[rows, inner]].concat());
        let b = numbers.exact(&[narrow.as_slice(), &[inner, columns]].concat());
        let output = matmul(&a, &b).shape().to_vec();
        let mut stored = b;
        if transposed {
            let rank = stored.ndim();
            stored.swap_axes(rank - 2, rank - 1);
        }
        let mut operands = match moving_right {
            true => vec![Data::constant(a), Data::moving(stored)],
            false => vec![Data::moving(a), Data::constant(stored)],
        };
        match bias {
            1 if !moving_right => operands.push(Data::constant(numbers.exact(&[columns]))),
            2 if !moving_right => operands.push(Data::moving(numbers.exact(&output))),
            _ => {}
        }
        both(check, &Case::new(operands, &[&output], &mut numbers).gated(), &MatMul { transposed });
    });
    // Vectors.
    for_all(16, (1_usize..5, 1_usize..5, 0_usize..3, any::<u64>()), |(rows, inner, form, seed)| {
        let mut numbers = Numbers::new(seed);
        let (a, b, output): (&[usize], &[usize], &[usize]) = match form {
            0 => (&[rows, inner], &[inner], &[rows]),
            1 => (&[inner], &[inner, rows], &[rows]),
            _ => (&[inner], &[inner], &[]),
        };
        let operands = vec![Data::moving(numbers.exact(a)), Data::constant(numbers.exact(b))];
        both(check, &Case::new(operands, &[output], &mut numbers).gated(), &MatMul { transposed: false });
    });
}

fn einsum<T: Tensor>(check: Check<T>) {
    // Labels: 0 batch, 1 and 2 of a, 3 of b, 4 and 5 summed over; the output in an order of its own.
    let op = Einsum { a: vec![4, 1, 0, 2, 5], b: vec![0, 5, 3, 4], output: vec![0, 2, 1, 3] };
    for_all(
        16,
        (geometry::shape(6..7), any::<bool>(), any::<bool>(), any::<u64>()),
        |(extents, right, bias, seed)| {
            let mut numbers = Numbers::new(seed);
            let mut of =
                |labels: &[usize]| numbers.exact(&labels.iter().map(|&l| extents[l]).collect::<Vec<_>>());
            let (a, b, output) = (of(&op.a), of(&op.b), of(&op.output));
            let mut operands = match right {
                true => vec![Data::constant(a), Data::moving(b)],
                false => vec![Data::moving(a), Data::constant(b)],
            };
            operands.extend((bias && !right).then(|| Data::constant(numbers.exact(&[extents[3]]))));
            both(check, &Case::new(operands, &[output.shape()], &mut numbers).gated(), &op);
        },
    );
}

fn sum<T: Tensor>(check: Check<T>) {
    let factors = prop::collection::vec(prop_oneof![Just(1.0), Just(-1.0), Just(0.5), Just(0.0)], 1..4);
    let constant = prop_oneof![Just(0.0), Just(1.5), Just(-2.0)];
    for_all(
        48,
        (geometry::broadcast(), factors, constant, any::<u64>()),
        |((a, b), factors, constant, seed)| {
            let mut numbers = Numbers::new(seed);
            let operands: Vec<Data> = (0..factors.len())
                .map(|k| {
                    let shape = if numbers.chance(2) { &a } else { &b };
                    Data { depends: k == 0 || !numbers.chance(3), ..Data::moving(numbers.exact(shape)) }
                })
                .collect();
            let output =
                operands.iter().fold(Vec::new(), |shape, operand| broadcast(&shape, operand.values.shape()));
            both(check, &Case::new(operands, &[&output], &mut numbers), &Sum { factors, constant });
        },
    );
}

fn reduction<T: Tensor>(check: Check<T>) {
    let strategy =
        (geometry::shape(1..4), prop::collection::vec(any::<bool>(), 3), any::<bool>(), any::<u64>());
    for_all(32, strategy, |(shape, reduced, keep, seed)| {
        let mut numbers = Numbers::new(seed);
        let axes: Vec<usize> = (0..shape.len()).filter(|&axis| reduced[axis]).collect();
        let kept = |&axis: &usize| keep || !axes.contains(&axis);
        let output: Vec<usize> = (0..shape.len())
            .filter(kept)
            .map(|axis| if axes.contains(&axis) { 1 } else { shape[axis] })
            .collect();
        let of = |values: ArrayD<f64>| vec![Data::moving(values)];
        let case = Case::new(of(numbers.exact(&shape)), &[&output], &mut numbers);
        both(check, &case, &Reduce { axes: axes.clone() });
        let axis = numbers.below(shape.len());
        let case = Case::new(of(numbers.exact(&shape)), &[&shape], &mut numbers);
        both(check, &case, &CumulativeSum { axis });
    });
}

/// Sines are never exact, so numbers and relevance need not be either.
fn fourier<T: Tensor>(check: Check<T>) {
    for_all(32, (2_usize..9, 0_usize..2, 0_usize..5, any::<u64>()), |(points, axis, which, seed)| {
        let (half, parts) = (points / 2 + 1, [2].as_slice());
        let (transform, from, to) = match which {
            0 => (Transform::FromReal { one_sided: true }, (points, [].as_slice()), (half, parts)),
            1 => (Transform::FromReal { one_sided: false }, (points, [].as_slice()), (points, parts)),
            2 => (Transform::ToReal, (half, parts), (points, [].as_slice())),
            which => (Transform::Between { forward: which == 3 }, (points, parts), (points, parts)),
        };
        let mut numbers = Numbers::new(seed);
        let shape = |(extent, parts): (usize, &[usize])| {
            let mut shape = vec![3, 3];
            shape[axis] = extent;
            [&shape, parts].concat()
        };
        let operands = vec![Data::moving(numbers.rough(&shape(from)))];
        let output = shape(to);
        let arriving = vec![[numbers.rough(&output), numbers.rough(&output)]];
        let case = Case { operands, arriving, gated: false };
        both(check, &case, &Fourier { transform, axis, points, factor: 0.5 });
    });
}

fn pooling<T: Tensor>(check: Check<T>) {
    for_all(32, (geometry::axes(false), 0_usize..2, any::<u64>()), |(axes, ceil, seed)| {
        let mut numbers = Numbers::new(seed);
        let each = |of: &dyn Fn(&Axis) -> usize| -> Vec<usize> { axes.iter().map(of).collect() };
        let input = [&[2][..], &each(&|axis| axis.input)].concat();
        // If the number of windows is rounded up, the last may see nothing.
        let output = [&[2][..], &each(&|axis| axis.windows() + ceil)].concat();
        let (kernel, stride, padding) =
            (each(&|axis| axis.kernel), each(&|axis| axis.stride), each(&|axis| axis.padding));
        let op = Separable::average_pool(&input, &output, &kernel, &stride, &padding).unwrap();
        both(check, &Case::new(vec![Data::moving(numbers.exact(&input))], &[&output], &mut numbers), &op);
    });
    for_all(16, (prop::collection::vec((1_usize..7, 1_usize..6), 1..4), any::<u64>()), |(axes, seed)| {
        let mut numbers = Numbers::new(seed);
        let (input, output): (Vec<usize>, Vec<usize>) = axes.iter().copied().unzip();
        let op = Separable::adaptive_average_pool(&input, &output, axes.len()).unwrap();
        both(check, &Case::new(vec![Data::moving(numbers.exact(&input))], &[&output], &mut numbers), &op);
    });
}

fn interpolation<T: Tensor>(check: Check<T>) {
    let axes = prop::collection::vec((1_usize..6, 1_usize..7), 1..3);
    for_all(24, (axes, any::<bool>(), any::<bool>(), any::<bool>(), any::<u64>()), |drawn| {
        let (axes, cubic, align_corners, antialias, seed) = drawn;
        let mut numbers = Numbers::new(seed);
        let (input, output): (Vec<usize>, Vec<usize>) = axes.iter().copied().unzip();
        let kind = if cubic { Interpolation::Cubic } else { Interpolation::Linear };
        let sampling = Sampling { align_corners, antialias, scales: vec![None; axes.len()] };
        let op = Separable::interpolate(&input, &output, kind, &sampling).unwrap();
        both(check, &Case::new(vec![Data::moving(numbers.rough(&input))], &[&output], &mut numbers), &op);
    });
}

fn index_add<T: Tensor>(like: &T, check: Check<T>) {
    for_all(24, (geometry::shape(1..4), 1_usize..5, 0_usize..3, any::<u64>()), |(shape, to, base, seed)| {
        let mut numbers = Numbers::new(seed);
        let axis = numbers.below(shape.len());
        let index: Vec<i64> = (0..shape[axis]).map(|_| numbers.below(to) as i64).collect();
        let mut output = shape.clone();
        output[axis] = to;
        let mut operands = vec![Data::moving(numbers.exact(&shape))];
        match base {
            1 => operands.push(Data::moving(numbers.exact(&output))),
            2 => operands.push(Data::constant(numbers.exact(&output))),
            _ => {}
        }
        let case = Case::new(operands, &[&output], &mut numbers);
        let on_oracle = IndexAdd { axis, index: oracle().indices(&index).unwrap() };
        check(&case, &on_oracle, &IndexAdd { axis, index: like.indices(&index).unwrap() });
    });
}
