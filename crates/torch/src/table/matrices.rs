//! Matrix products (rules §2 and §4).

use super::Entry;
use crate::arguments::Arguments;
use crate::lowering::{Lowering, matrix};
use crate::written;
use dlbacktrace_core::ops::{MatMul, Product, Reduce, Sum};
use dlbacktrace_core::rules::Kind::{Average, Linear, MatrixProduct};
use dlbacktrace_core::{Family, Result, Tensor};
use dlbacktrace_torch_recorder::Call;
use tch::{Kind, TchError};

/// Products of matrices, real or complex, and what is added to them.
const PRODUCTS: &[dlbacktrace_core::rules::Kind] =
    &[Linear, MatrixProduct, Average, dlbacktrace_core::rules::Kind::Sum];

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_data(&["aten::linear"], Family::WeightedSum, linear).of_kinds(&[Linear, MatrixProduct]).sums(),
    Entry::by_data(&["aten::matmul"], Family::WeightedSum, |lowering, call| {
        product(lowering, call, "self", "other")
    })
    .of_kinds(PRODUCTS)
    .sums()
    .of_complex(),
    Entry::by_data(&["aten::mm", "aten::bmm", "aten::smm"], Family::WeightedSum, |lowering, call| {
        product(lowering, call, "self", "mat2")
    })
    .of_kinds(PRODUCTS)
    .sums()
    .of_complex(),
    Entry::by_data(&["aten::_sparse_mm"], Family::WeightedSum, |lowering, call| {
        product(lowering, call, "sparse", "dense")
    }),
    Entry::by_data(&["aten::addr"], Family::WeightedSum, |lowering, call| {
        blend(lowering, call, ["vec1", "vec2"], |a, b| a.f_unsqueeze(1)?.f_mul(b))
    }),
    Entry::by_data(&["aten::addbmm"], Family::WeightedSum, |lowering, call| {
        blend(lowering, call, ["batch1", "batch2"], |a, b| {
            a.f_bmm(b)?.f_sum_dim_intlist(0, false, None::<Kind>)
        })
    }),
    Entry::by_data(&["aten::trace"], Family::WeightedSum, |lowering, call| {
        written::lower(lowering, call, ["self"], [], |[x], []| x.f_diagonal(0, 0, 1)?.f_sum(None))
    }),
    Entry::by_data(&["aten::mv"], Family::WeightedSum, |lowering, call| {
        product(lowering, call, "self", "vec")
    })
    .of_kinds(PRODUCTS)
    .sums()
    .of_complex(),
    Entry::by_data(&["aten::dot", "aten::vdot"], Family::Product, dot),
    Entry::by_data(&["aten::addmm", "aten::_sparse_addmm"], Family::WeightedSum, |lowering, call| {
        added(lowering, call, "mat1", "mat2")
    })
    .of_kinds(PRODUCTS)
    .sums(),
    Entry::by_data(&["aten::addmv"], Family::WeightedSum, |lowering, call| {
        added(lowering, call, "mat", "vec")
    })
    .of_kinds(PRODUCTS)
    .sums(),
    Entry::by_data(&["aten::baddbmm"], Family::WeightedSum, |lowering, call| {
        added(lowering, call, "batch1", "batch2")
    })
    .of_kinds(PRODUCTS)
    .sums(),
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
    let (a, b) = (matrix(lowering, call.tensor(a)?)?, matrix(lowering, call.tensor(b)?)?);
    let (op, operands) = lowering.writer.matrix_product(a, b)?;
    lowering.step(call, op, operands)
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

/// β·c + α·a·b: a product with a bias if c is one, otherwise a sum of both.
fn added(lowering: &mut Lowering, call: &Call, a: &str, b: &str) -> Result<()> {
    let (a, b) = (matrix(lowering, call.tensor(a)?)?, matrix(lowering, call.tensor(b)?)?);
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

/// β·c + α·(a ∘ b)
fn blend(
    lowering: &mut Lowering,
    call: &Call,
    [a, b]: [&str; 2],
    combine: impl FnOnce(&tch::Tensor, &tch::Tensor) -> std::result::Result<tch::Tensor, TchError>,
) -> Result<()> {
    let [alpha, beta] = ["alpha", "beta"].map(|name| call.optional_number(name).unwrap_or(1.0));
    written::lower(lowering, call, ["self", a, b], [], |[base, a, b], []| {
        base.f_mul_scalar(beta)?.f_add(&combine(a, b)?.f_mul_scalar(alpha)?)
    })
}
