//! Tapes written by hand, on any tensors: each function computes a step and records it.

use dlbacktrace_core::ops::{Convolution, MatMul, MaxPool, Pass, Reshape, Sum};
use dlbacktrace_core::{
    BacktraceOp, ConvGeometry, Function, Meta, Operand, Place, Step, Tape, Tensor, Unary,
};

/// A value to explain.
pub fn input<T: Tensor>(tape: &mut Tape<T>, data: T) -> Operand<T> {
    let operand = value(tape, data);
    tape.inputs.push(operand.value);
    operand
}

fn value<T: Tensor>(tape: &mut Tape<T>, data: T) -> Operand<T> {
    Operand::new(tape.value(Meta::new(data.shape(), data.dtype())), data)
}

fn step<T: Tensor>(
    tape: &mut Tape<T>,
    op: impl BacktraceOp<T> + 'static,
    inputs: Vec<Operand<T>>,
    result: T,
) -> Operand<T> {
    let made = value(tape, result);
    let place = Place { step: tape.steps.len(), ..Place::default() };
    let (operator, outputs) = (format!("{op:?}"), vec![made.value]);
    tape.steps.push(Step::new(operator, place, Box::new(op), inputs, outputs));
    made
}

fn with_parameters<T: Tensor>(
    tape: &mut Tape<T>,
    x: &Operand<T>,
    weight: T,
    bias: Option<T>,
) -> Vec<Operand<T>> {
    let mut operands = vec![x.clone(), value(tape, weight)];
    operands.extend(bias.map(|bias| value(tape, bias)));
    operands
}

fn data<T: Tensor>(operand: &Operand<T>) -> &T {
    operand.data.as_ref().unwrap()
}

/// x·Wᵀ + b
pub fn linear<T: Tensor>(tape: &mut Tape<T>, x: &Operand<T>, weight: T, bias: Option<T>) -> Operand<T> {
    let mut y = data(x).matmul(&weight.transpose().unwrap()).unwrap();
    if let Some(bias) = &bias {
        y = y.add(bias).unwrap();
    }
    let inputs = with_parameters(tape, x, weight, bias);
    step(tape, MatMul { transposed: true }, inputs, y)
}

/// w ∗ x + b in two dimensions, with a stride of 1 and no padding.
pub fn convolution<T: Tensor>(tape: &mut Tape<T>, x: &Operand<T>, weight: T, bias: Option<T>) -> Operand<T> {
    let geometry = ConvGeometry { stride: vec![1; 2], padding: vec![0; 2], dilation: vec![1; 2], groups: 1 };
    let mut y = data(x).convolve(&weight, &geometry).unwrap();
    if let Some(bias) = &bias {
        let channels = bias.shape()[0];
        y = y.add(&bias.reshape(&[channels, 1, 1]).unwrap()).unwrap();
    }
    let inputs = with_parameters(tape, x, weight, bias);
    step(tape, Convolution { geometry }, inputs, y)
}

/// a + b
pub fn add<T: Tensor>(tape: &mut Tape<T>, a: &Operand<T>, b: &Operand<T>) -> Operand<T> {
    let sum = data(a).add(data(b)).unwrap();
    step(tape, Sum::add(), vec![a.clone(), b.clone()], sum)
}

pub fn relu<T: Tensor>(tape: &mut Tape<T>, x: &Operand<T>) -> Operand<T> {
    let y = data(x).positive().unwrap();
    step(tape, Pass::function(Function::Other), vec![x.clone()], y)
}

pub fn tanh<T: Tensor>(tape: &mut Tape<T>, x: &Operand<T>) -> Operand<T> {
    let y = data(x).unary(Unary::Tanh).unwrap();
    step(tape, Pass::function(Function::Tanh), vec![x.clone()], y)
}

/// Dropout in evaluation mode.
pub fn identity<T: Tensor>(tape: &mut Tape<T>, x: &Operand<T>) -> Operand<T> {
    let y = data(x).clone();
    step(tape, Pass::identity(), vec![x.clone()], y)
}

pub fn reshape<T: Tensor>(tape: &mut Tape<T>, x: &Operand<T>, shape: &[usize]) -> Operand<T> {
    let y = data(x).reshape(shape).unwrap();
    step(tape, Reshape, vec![x.clone()], y)
}

/// Pools the last `dims` axes to the given shape. The result is not computed: zeros stand for it.
pub fn max_pool<T: Tensor>(
    tape: &mut Tape<T>,
    x: &Operand<T>,
    dims: usize,
    kernel: usize,
    stride: usize,
    shape: &[usize],
) -> Operand<T> {
    let each = |number: usize| vec![number; dims];
    let op = MaxPool { kernel: each(kernel), stride: each(stride), padding: each(0), dilation: each(1) };
    let y = data(x).zeros(shape).unwrap();
    step(tape, op, vec![x.clone()], y)
}
