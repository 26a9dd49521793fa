//! Matrix products (rules §2 and §4).

use super::Entry;
use super::arguments::flag;
use crate::lowering::{Lowering, input};
use crate::{Record, TfTensor};
use dlbacktrace_core::ops::MatMul;
use dlbacktrace_core::rules::Kind;
use dlbacktrace_core::{Family, Operand, Result};

/// Products of matrices, real or complex.
const PRODUCTS: &[Kind] = &[Kind::Linear, Kind::MatrixProduct, Kind::Average, Kind::Activation];

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_data(&["MatMul"], Family::WeightedSum, |lowering, record| {
        product(lowering, record, ["transpose_a", "transpose_b"])
    })
    .of_kinds(PRODUCTS)
    .sums()
    .of_complex(),
    Entry::by_data(
        &["BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"],
        Family::WeightedSum,
        |lowering, record| product(lowering, record, ["adj_x", "adj_y"]),
    )
    .of_kinds(PRODUCTS)
    .sums()
    .of_complex(),
];

/// A flag says for each factor whether it is transposed; the conjugate of a real matrix is the matrix itself.
fn product(lowering: &mut Lowering, record: &Record, turned: [&str; 2]) -> Result<()> {
    let (a, b) = (input(record, 0)?, input(record, 1)?);
    let (mut left, mut right) = (lowering.operand(a)?, lowering.operand(b)?);
    if left.meta.complex || right.meta.complex {
        let adjoint = turned[0].starts_with("adj");
        let mut factor = |x: Operand<TfTensor>, flag_name| match flag(record, flag_name) {
            true => lowering.writer.turned(x, adjoint),
            false => Ok(x),
        };
        let (left, right) = (factor(left, turned[0])?, factor(right, turned[1])?);
        let (op, operands) = lowering.writer.matrix_product(left, right)?;
        return lowering.step(record, op, operands);
    }
    if flag(record, turned[0]) {
        left = upright(lowering, &left)?;
    }
    let mut transposed = flag(record, turned[1]);
    // A weight stays as it is stored, so that the cache finds what is derived from it.
    if transposed && !lowering.is_stored(b) {
        right = upright(lowering, &right)?;
        transposed = false;
    }
    lowering.step(record, Box::new(MatMul { transposed }), vec![left, right])
}

pub(super) fn upright(lowering: &mut Lowering, x: &Operand<TfTensor>) -> Result<Operand<TfTensor>> {
    let rank = x.meta.shape.len();
    let mut order: Vec<usize> = (0..rank).collect();
    order[rank.saturating_sub(2)..].reverse();
    lowering.writer.permute(x, &order)
}

#[cfg(test)]
mod tests {
    use super::super::jacobians::{Case, values};
    use crate::proto::Attribute;

    /// Each factor as it is and turned, with the other constant.
    fn check(operator: &str, flags: [&str; 2], lead: [&[usize]; 2]) {
        for turned in [[false, false], [false, true], [true, false], [true, true]] {
            let shape = |lead: &[usize], mut matrix: [usize; 2], turned: bool| {
                if turned {
                    matrix.reverse();
                }
                [lead, &matrix].concat()
            };
            let a = values(&shape(lead[0], [2, 3], turned[0]));
            let b = values(&shape(lead[1], [3, 4], turned[1]));
            let attributes = [(flags[0], Attribute::Bool(turned[0])), (flags[1], Attribute::Bool(turned[1]))];
            let case = Case::new(operator, &attributes, &[a, b]);
            case.is_a_sum_of(&[0]);
            case.is_a_sum_of(&[1]);
        }
    }

    #[test]
    fn factors_share_by_their_jacobian() {
        check("MatMul", ["transpose_a", "transpose_b"], [&[], &[]]);
        check("BatchMatMul", ["adj_x", "adj_y"], [&[5], &[5]]);
        check("BatchMatMulV2", ["adj_x", "adj_y"], [&[5, 1], &[2]]);
    }
}
