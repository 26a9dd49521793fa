//! Products of values that both depend on the input.

use super::{Check, both};
use crate::cases::{Case, Data, for_all};
use crate::forward::broadcast;
use crate::geometry;
use crate::numbers::Numbers;
use dlbacktrace_core::ops::{
    Attention, CircularConvolution, ComplexProduct, Einsum, MatMul, Product, Quotient,
};
use dlbacktrace_core::{DType, Tensor};
use proptest::prelude::*;

/// All of them.
pub fn products<T: Tensor>(check: Check<T>) {
    by_element(check);
    matrices(check);
    complex(check);
    around(check);
    attention(check);
}

fn by_element<T: Tensor>(check: Check<T>) {
    for_all(
        48,
        (geometry::broadcast(), any::<bool>(), 0_usize..3, any::<u64>()),
        |((a, b), swapped, fixed, seed)| {
            let mut numbers = Numbers::new(seed);
            let shapes = if swapped { [&b, &a] } else { [&a, &b] };
            let mut operands: Vec<Data> =
                shapes.iter().map(|shape| Data::moving(numbers.exact(shape))).collect();
            if let Some(operand) = operands.get_mut(fixed) {
                operand.depends = false;
            }
            let output = broadcast(&a, &b);
            both(check, &Case::new(operands.clone(), &[&output], &mut numbers), &Product);
            both(check, &Case::new(operands, &[&output], &mut numbers), &Quotient);
        },
    );
}

fn matrices<T: Tensor>(check: Check<T>) {
    let extents = (1_usize..4, 1_usize..4, 1_usize..4);
    for_all(32, (extents, geometry::broadcast(), any::<bool>(), any::<u64>()), |drawn| {
        let ((rows, inner, columns), (wide, narrow), transposed, seed) = drawn;
        let mut numbers = Numbers::new(seed);
        let right = if transposed { [columns, inner] } else { [inner, columns] };
        let a = numbers.exact(&[wide.as_slice(), &[rows, inner]].concat());
        let b = numbers.exact(&[narrow.as_slice(), &right].concat());
        let output = [broadcast(&wide, &narrow).as_slice(), &[rows, columns]].concat();
        let case = Case::new(vec![Data::moving(a), Data::moving(b)], &[&output], &mut numbers);
        both(check, &case, &MatMul { transposed });
        let (a, b) = (numbers.exact(&[rows, 2, inner]), numbers.exact(&[inner, 2, columns]));
        let case = Case::new(vec![Data::moving(a), Data::moving(b)], &[&[2, columns, rows]], &mut numbers);
        both(check, &case, &Einsum { a: vec![1, 0, 2], b: vec![2, 0, 3], output: vec![0, 3, 1] });
    });
}

/// The last axis holds real and imaginary parts.
fn complex<T: Tensor>(check: Check<T>) {
    let extents = (1_usize..4, 1_usize..4, 1_usize..4);
    for_all(32, (extents, 0_usize..3, any::<u64>()), |((rows, inner, columns), fixed, seed)| {
        let mut numbers = Numbers::new(seed);
        let mut factors = |shapes: [&[usize]; 2]| -> Vec<Data> {
            let place = |(place, shape): (usize, &&[usize])| Data {
                depends: place != fixed,
                ..Data::moving(numbers.exact(shape))
            };
            shapes.iter().enumerate().map(place).collect()
        };
        let by_element = factors([&[rows, inner, 2], &[inner, 2]]);
        let matrices = factors([&[rows, inner, 2], &[inner, columns, 2]]);
        let case = Case::new(by_element, &[&[rows, inner, 2]], &mut numbers);
        both(check, &case, &ComplexProduct { of_parts: Product });
        let case = Case::new(matrices, &[&[rows, columns, 2]], &mut numbers);
        both(check, &case, &ComplexProduct { of_parts: MatMul { transposed: false } });
    });
}

/// A kernel around the last axis of `[N, C, T]`: `[C, T]`, or `[T]` for all channels.
fn around<T: Tensor>(check: Check<T>) {
    let extents = (2_usize..4, 2_usize..4, 2_usize..6);
    let drawn = (extents, any::<bool>(), any::<bool>(), 0_usize..3, any::<u64>());
    for_all(32, drawn, |((samples, channels, points), shared, complex, fixed, seed)| {
        let mut numbers = Numbers::new(seed);
        let kernel = if shared { vec![points] } else { vec![channels, points] };
        let mut operands = vec![
            Data::moving(numbers.exact(&[samples, channels, points])),
            Data::moving(numbers.exact(&kernel)),
        ];
        if let Some(operand) = operands.get_mut(fixed) {
            operand.depends = false;
        }
        let mut output = vec![samples, channels, points];
        output.extend(complex.then_some(2));
        let places = [vec![0, 1, 2], if shared { vec![2] } else { vec![1, 2] }];
        let case = Case::new(operands, &[&output], &mut numbers);
        both(check, &case, &CircularConvolution { rank: 3, axis: 2, places, complex });
    });
}

/// Scores of a softmax are never exact, so numbers and relevance are not either: rounding would decide ties.
fn attention<T: Tensor>(check: Check<T>) {
    let extents = (1_usize..4, 1_usize..4, 1_usize..4, 1_usize..4);
    let moving = any::<[bool; 3]>().prop_filter("something moves", |moving| moving.contains(&true));
    for_all(
        64,
        (extents, 1_usize..3, 1_usize..3, moving, any::<bool>(), 0_usize..3, any::<u64>()),
        |drawn| {
            let ((queries, keys, inner, width), groups, repeats, moving, causal, mask, seed) = drawn;
            let mut numbers = Numbers::new(seed);
            let mut part = |heads: usize, length: usize, width: usize| {
                Data::moving(numbers.rough(&[2, heads, length, width]))
            };
            let mut operands = vec![
                part(groups * repeats, queries, inner),
                part(groups, keys, inner),
                part(groups, keys, width),
            ];
            for (operand, depends) in operands.iter_mut().zip(moving) {
                operand.depends = depends;
            }
            match mask {
                1 => {
                    // Whole rows may be hidden.
                    let visible = numbers.whole(&[2, 1, queries, keys], 2);
                    operands.push(Data::of(visible, DType::Bool));
                }
                2 => operands.push(Data::constant(numbers.rough(&[queries, keys]))),
                _ => {}
            }
            let output = [2, groups * repeats, queries, width];
            let arriving = vec![[numbers.rough(&output), numbers.rough(&output)]];
            let case = Case { operands, arriving, gated: false };
            both(check, &case, &Attention { scale: 1.0 / (inner as f64).sqrt(), causal });
        },
    );
}
