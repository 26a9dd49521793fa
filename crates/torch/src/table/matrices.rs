//! Matrix products (rules §2 and §4).

use super::Entry;
use crate::arguments::Arguments;
use crate::lowering::Lowering;
use dlbacktrace_core::ops::{MatMul, Product, Reduce, Sum};
use dlbacktrace_core::{Family, Result, Tensor};
use dlbacktrace_torch_recorder::Call;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_data(&["aten::linear"], Family::WeightedSum, linear),
    Entry::by_data(&["aten::matmul"], Family::WeightedSum, |lowering, call| {
        product(lowering, call, "self", "other")
    }),
    Entry::by_data(&["aten::mm", "aten::bmm"], Family::WeightedSum, |lowering, call| {
        product(lowering, call, "self", "mat2")
    }),
    Entry::by_data(&["aten::mv"], Family::WeightedSum, |lowering, call| {
        product(lowering, call, "self", "vec")
    }),
    Entry::by_data(&["aten::dot", "aten::vdot"], Family::Product, dot),
    Entry::by_data(&["aten::addmm"], Family::WeightedSum, |lowering, call| {
        added(lowering, call, "mat1", "mat2")
    }),
    Entry::by_data(&["aten::addmv"], Family::WeightedSum, |lowering, call| {
        added(lowering, call, "mat", "vec")
    }),
    Entry::by_data(&["aten::baddbmm"], Family::WeightedSum, |lowering, call| {
        added(lowering, call, "batch1", "batch2")
    }),
];

fn linear(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let mut operands =
        vec![lowering.operand(call.tensor("input")?)?, lowering.operand(call.tensor("weight")?)?];
    if let Some(bias) = call.optional("bias") {
        operands.push(lowering.operand(bias)?);
    }
    lowering.step(call, Box::new(MatMul { transposed: true }), operands)
}

fn product(lowering: &mut Lowering, call: &Call, a: &str, b: &str) -> Result<()> {
    let operands = vec![lowering.operand(call.tensor(a)?)?, lowering.operand(call.tensor(b)?)?];
    lowering.step(call, Box::new(MatMul { transposed: false }), operands)
}

/// Σ aᵢbᵢ
fn dot(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let (a, b) = (
        lowering.operand(call.tensor("self")?)?,
        lowering.operand(call.optional("tensor").map_or_else(|| call.tensor("other"), Ok)?)?,
    );
    let data = a.data()?.mul(b.data()?)?;
    let products = lowering.writer.inner(Box::new(Product), vec![a, b], data);
    lowering.step(call, Box::new(Reduce { axes: vec![0] }), vec![products])
}

/// β·c + α·a·b: a product with a bias where c is one, otherwise a sum of two.
fn added(lowering: &mut Lowering, call: &Call, a: &str, b: &str) -> Result<()> {
    let (a, b) = (lowering.operand(call.tensor(a)?)?, lowering.operand(call.tensor(b)?)?);
    let added = call.tensor("self")?;
    let constant = lowering.operand(added)?;
    let (alpha, beta) =
        (call.optional_number("alpha").unwrap_or(1.0), call.optional_number("beta").unwrap_or(1.0));
    let per_feature = constant.meta.shape.len() == 1 && constant.meta.shape.last() == b.meta.shape.last();
    if (alpha, beta) == (1.0, 1.0)
        && per_feature
        && lowering.is_stored(added)
        && lowering.is_stored(call.tensor("mat2").unwrap_or(added))
    {
        return lowering.step(call, Box::new(MatMul { transposed: false }), vec![a, b, constant]);
    }
    let data = if b.meta.shape.len() == 1 {
        let rows = [a.meta.shape.first().copied().unwrap_or(1)];
        a.data()?.matmul(&b.data()?.reshape(&[b.meta.shape[0], 1])?)?.reshape(&rows)?
    } else {
        a.data()?.matmul(b.data()?)?
    };
    let product = lowering.writer.inner(Box::new(MatMul { transposed: false }), vec![a, b], data);
    lowering.step(call, Box::new(Sum { factors: vec![alpha, beta], constant: 0.0 }), vec![product, constant])
}
