//! Helpers for the tests of the operators.

use crate::array::Array;
use crate::{Amount, BacktraceOp, Context, Loss, Meta, Operand, Relevance, Tensor, ValueId, WeightCache};
use std::collections::BTreeMap;

/// Numbers in (−1, 1) without a pattern; the same seed gives the same numbers.
pub(in crate::ops) fn numbers(shape: &[usize], seed: u64) -> Array {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03;
    let values: Vec<f64> = (0..shape.iter().product::<usize>())
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
        })
        .collect();
    Array::from_slice(shape, &values)
}

/// Small whole numbers, so that some are equal.
pub(in crate::ops) fn whole_numbers(shape: &[usize], seed: u64) -> Array {
    let values: Vec<f64> = values(&numbers(shape, seed)).iter().map(|x| (x * 2.0).round()).collect();
    Array::from_slice(shape, &values)
}

/// The elements in row-major order.
pub(in crate::ops) fn values(x: &Array) -> Vec<f64> {
    x.to_array().unwrap().into_iter().collect()
}

/// An operand that depends on an explained input.
pub(in crate::ops) fn moving(data: Array) -> Operand<Array> {
    Operand { depends: true, ..Operand::new(ValueId(0), data) }
}

/// An operand that does not depend on one.
pub(in crate::ops) fn constant(data: Array) -> Operand<Array> {
    Operand::new(ValueId(1), data)
}

/// An operand whose data was not kept.
pub(in crate::ops) fn shape_only(shape: &[usize]) -> Operand<Array> {
    let meta = Meta::new(shape.to_vec(), crate::DType::F64);
    Operand { depends: true, ..Operand::shape_only(ValueId(0), meta) }
}

/// Relevance in both modes.
pub(in crate::ops) fn relevances(shape: &[usize]) -> [Relevance<Array>; 2] {
    [
        Relevance::default_mode(numbers(shape, 11)),
        Relevance::contrastive(numbers(shape, 12), numbers(shape, 13)),
    ]
}

/// Applies an operator's rule, and checks that its account closes without the help of the walk.
#[track_caller]
pub(in crate::ops) fn backtrace(
    op: &dyn BacktraceOp<Array>,
    operands: &[Operand<Array>],
    arriving: &[Option<Relevance<Array>>],
) -> (Vec<Option<Relevance<Array>>>, BTreeMap<Loss, Amount>) {
    let weights = WeightCache::new(0);
    let mut context = Context::new(&weights);
    let shares = op.backtrace(operands, arriving, &mut context).unwrap();
    assert_eq!(shares.len(), operands.len(), "one share for each operand");
    let of_all = |relevances: &[Option<Relevance<Array>>]| -> Amount {
        relevances.iter().flatten().map(|relevance| relevance.measure(Tensor::total).unwrap()).sum()
    };
    let gap = of_all(arriving) - of_all(&shares) - context.lost().values().copied().sum();
    assert!(gap.magnitude() < 1e-12, "{op:?} does not account for {gap:?}");
    for (operand, share) in operands.iter().zip(&shares) {
        if let Some(share) = share {
            assert!(operand.depends, "a constant received relevance");
            assert_eq!(share.shape(), operand.meta.shape);
        }
    }
    (shares, context.lost().clone())
}

/// The channels of a relevance.
pub(in crate::ops) fn channels(relevance: &Relevance<Array>) -> Vec<&Array> {
    std::iter::once(relevance.first()).chain(relevance.second()).collect()
}

#[track_caller]
pub(in crate::ops) fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (index, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "at {index}: {a}, expected {b}");
    }
}

/// The columns of the Jacobian of a linear map, which are its values at the unit tensors: one output for each element of the
/// input.
pub(in crate::ops) fn columns(shape: &[usize], forward: impl Fn(&Array) -> Vec<Array>) -> Vec<Vec<Array>> {
    (0..shape.iter().product())
        .map(|at| {
            let mut unit = vec![0.0; shape.iter().product()];
            unit[at] = 1.0;
            forward(&Array::from_slice(shape, &unit))
        })
        .collect()
}

/// Checks in both modes that each operand's share is the transposed Jacobian of `forward` times the relevance, that the rule
/// needs no data, and that it books what lands on constants. `fixed` operands come after the moving ones and keep their
/// data. `forward` maps the moving operands to the outputs linearly.
#[track_caller]
pub(in crate::ops) fn check_movement(
    op: &dyn BacktraceOp<Array>,
    shapes: &[&[usize]],
    fixed: &[Operand<Array>],
    forward: impl Fn(&[Array]) -> Vec<Array>,
) {
    let zeros: Vec<Array> = shapes.iter().map(|shape| numbers(shape, 0).scale(0.0).unwrap()).collect();
    let made = forward(&zeros);
    let mut inputs: Vec<_> = shapes.iter().map(|shape| shape_only(shape)).collect();
    inputs.extend_from_slice(fixed);
    let mut expected_unexplained = 0.0;
    for contrastive in [0, 1] {
        let outputs: Vec<_> =
            made.iter().map(|y| Some(relevances(&y.shape())[contrastive].clone())).collect();
        let (shares, _) = backtrace(op, &inputs, &outputs);
        for (k, shape) in shapes.iter().enumerate() {
            let columns = columns(shape, |x| {
                let mut all = zeros.clone();
                all[k] = x.clone();
                forward(&all)
            });
            let share = shares[k].as_ref().expect("a moving operand receives");
            for (channel, share) in channels(share).into_iter().enumerate() {
                let expected: Vec<f64> = columns
                    .iter()
                    .map(|column| {
                        let landed = column.iter().zip(&outputs).map(|(y, output)| {
                            channels(output.as_ref().unwrap())[channel].mul(y).unwrap().total().unwrap()
                        });
                        landed.sum()
                    })
                    .collect();
                assert_close(&values(share), &expected, 1e-12);
                if k == 0 && channel == 0 {
                    expected_unexplained = expected.iter().sum();
                }
            }
        }
        inputs[0].depends = false;
        let (shares, lost) = backtrace(op, &inputs, &outputs);
        inputs[0].depends = true;
        assert!(shares[0].is_none());
        assert_close(
            &[lost.get(&Loss::Unexplained).map_or(0.0, |lost| lost.positive)],
            &[expected_unexplained],
            1e-12,
        );
    }
}

/// Checks the rule of weighted sums (rules §2) in both modes, unit by unit, against the matrix of `forward`, which must have no
/// bias. One element of x is 0, and whole units may be.
#[track_caller]
pub(in crate::ops) fn check_weighted_sum(
    op: &dyn BacktraceOp<Array>,
    shape: &[usize],
    forward: impl Fn(&Array) -> Array,
) {
    let mut x = values(&numbers(shape, 5));
    x[0] = 0.0;
    let columns = columns(shape, |x| vec![forward(x)]);
    let contributions: Vec<Vec<f64>> = columns
        .iter()
        .zip(&x)
        .map(|(column, x)| values(&column[0]).iter().map(|w| w * x).collect())
        .collect();
    let inputs = [moving(Array::from_slice(shape, &x))];
    for relevance in relevances(&columns[0][0].shape()) {
        let arrived: Vec<Vec<f64>> = channels(&relevance).into_iter().map(values).collect();
        let mut expected = vec![vec![0.0; x.len()]; arrived.len()];
        for unit in 0..arrived[0].len() {
            let c: Vec<f64> = contributions.iter().map(|column| column[unit]).collect();
            let routed = route(&c, &arrived.iter().map(|channel| channel[unit]).collect::<Vec<_>>());
            for (expected, routed) in expected.iter_mut().zip(routed) {
                expected.iter_mut().zip(routed).for_each(|(sum, share)| *sum += share);
            }
        }
        let (shares, _) = backtrace(op, &inputs, &[Some(relevance)]);
        for (found, expected) in channels(shares[0].as_ref().unwrap()).into_iter().zip(&expected) {
            assert_close(&values(found), expected, 1e-11);
        }
    }
}

/// What the contributions to one unit receive from each channel.
fn route(c: &[f64], arrived: &[f64]) -> Vec<Vec<f64>> {
    let among = |r: f64, counts: &dyn Fn(f64) -> bool| -> Vec<f64> {
        let total: f64 = c.iter().filter(|&&c| counts(c)).map(|c| c.abs()).sum();
        c.iter().map(|&c| if counts(c) && total > 0.0 { r * c.abs() / total } else { 0.0 }).collect()
    };
    let [support, against] = arrived else { return vec![among(arrived[0], &|_| true)] };
    let (positive, negative) = (c.iter().any(|&c| c > 0.0), c.iter().any(|&c| c < 0.0));
    if !(positive && negative) {
        return vec![among(*support, &|_| true), among(*against, &|_| true)];
    }
    let net: f64 = c.iter().sum();
    let (up, down): (&dyn Fn(f64) -> bool, &dyn Fn(f64) -> bool) = (&|c| c > 0.0, &|c| c < 0.0);
    let straight = if net > 0.0 { support > against } else { support < against };
    if straight {
        vec![among(*support, up), among(*against, down)]
    } else {
        vec![among(*support, down), among(*against, up)]
    }
}
