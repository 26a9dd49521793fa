//! The rule `gradient` of operators that bring their own derivative, against central differences.

use dlbacktrace_core::array::Array;
use dlbacktrace_core::ops::{Attention, MatMul, Multiply, Product, Quotient, Sum};
use dlbacktrace_core::rules::Rule;
use dlbacktrace_core::{BacktraceOp, Context, Operand, Relevance, Tensor, ValueId, WeightCache};
use proptest::prelude::*;
use testkit::cases::for_all;
use testkit::numbers::Numbers;

const STEP: f64 = 1e-5;

fn values(x: &Array) -> Vec<f64> {
    x.to_array().unwrap().into_iter().collect()
}

/// Checks JᵀR of each operand, all of which move.
fn check(op: &dyn BacktraceOp<Array>, operands: &[Array], forward: impl Fn(&[Array]) -> Array, seed: u64) {
    let output = forward(operands);
    let relevance = Array::new(Numbers::new(seed).rough(&output.shape()));
    let moving = operands
        .iter()
        .enumerate()
        .map(|(number, data)| Operand { depends: true, ..Operand::new(ValueId(number), data.clone()) });
    let weights = WeightCache::new(0);
    let mut context = Context::new(&weights).with_rule(Rule::Gradient);
    let arriving = [Some(Relevance::default_mode(relevance.clone()))];
    let shares = op.backtrace(&moving.collect::<Vec<_>>(), &arriving, &mut context).unwrap();
    for (number, x) in operands.iter().enumerate() {
        let found = values(shares[number].as_ref().unwrap().first());
        for (cell, found) in found.iter().enumerate() {
            let at = |step: f64| {
                let mut moved = values(x);
                moved[cell] += step;
                let mut operands = operands.to_vec();
                operands[number] = Array::from_slice(&x.shape(), &moved);
                forward(&operands).mul(&relevance).unwrap().total().unwrap()
            };
            let expected = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            assert!(
                (found - expected).abs() < 1e-6 * expected.abs().max(1.0),
                "{op:?}, operand {number}, cell {cell}: {found}, expected {expected}"
            );
        }
    }
}

#[test]
fn products_and_quotients() {
    for_all(24, (1..4_usize, 1..4_usize, any::<bool>(), any::<u64>()), |(rows, columns, broadcast, seed)| {
        let mut numbers = Numbers::new(seed);
        let a = Array::new(numbers.rough(&[rows, columns]));
        let shape = if broadcast { vec![columns] } else { vec![rows, columns] };
        // Away from 0, where a quotient has no derivative.
        let away = |x: f64| if x < 0.0 { x - 1.0 } else { x + 1.0 };
        let operands = [a, Array::new(numbers.rough(&shape).mapv(away))];
        check(&Product, &operands, |x| x[0].mul(&x[1]).unwrap(), seed);
        check(&Quotient, &operands, |x| x[0].quotient(&x[1]).unwrap().0, seed);
        let difference = Sum { factors: vec![2.0, -1.0], constant: 0.5 };
        let forward = |x: &[Array]| x[0].scale(2.0).unwrap().sub(&x[1]).unwrap().affine(1.0, 0.5).unwrap();
        check(&difference, &operands, forward, seed);
    });
}

#[test]
fn matrix_products() {
    let strategy = (1..3_usize, 1..4_usize, 1..4_usize, 1..4_usize, any::<bool>(), any::<u64>());
    for_all(24, strategy, |(batch, m, n, k, transposed, seed)| {
        let mut numbers = Numbers::new(seed);
        let right = if transposed { [n, k] } else { [k, n] };
        let operands = [Array::new(numbers.rough(&[batch, m, k])), Array::new(numbers.rough(&right))];
        let op = MatMul { transposed };
        check(&op, &operands, |x| op.multiply(&x[0], &x[1]).unwrap(), seed);
    });
}

#[test]
fn attention() {
    for_all(24, (1..3_usize, 1..4_usize, 1..4_usize, any::<u64>()), |(heads, queries, keys, seed)| {
        let mut numbers = Numbers::new(seed);
        let mut drawn = |rows: usize| Array::new(numbers.rough(&[1, heads, rows, 2]));
        let operands = [drawn(queries), drawn(keys), drawn(keys)];
        let op = Attention { scale: 0.7, causal: false };
        let forward = |x: &[Array]| {
            let scores = x[0].scale(0.7).unwrap().matmul(&x[1].transpose().unwrap()).unwrap();
            scores.softmax().unwrap().matmul(&x[2]).unwrap()
        };
        check(&op, &operands, forward, seed);
    });
}
