//! Matrix products.

use super::TfTensor;
use super::run::run;
use crate::Tensor as Handle;
use crate::eager::one_bool;
use dlbacktrace_core::{Error, Result};

/// The matrices as they are stored, and whether their axes are exchanged, which the product can undo.
fn stored(x: &TfTensor) -> Result<(Handle, bool)> {
    let mut exchanged: Vec<usize> = (0..x.extents().len()).collect();
    let rank = exchanged.len();
    exchanged.swap(rank - 2, rank - 1);
    if x.order() == exchanged { Ok((x.stored().clone(), true)) } else { Ok((x.to_tensor()?, false)) }
}

pub(super) fn matmul(left: &TfTensor, right: &TfTensor) -> Result<TfTensor> {
    let name = "matmul";
    if left.extents().len() < 2 || right.extents().len() < 2 {
        return Err(Error::tensor(name, format!("{left:?} and {right:?} are not both matrices")));
    }
    let ((a, turned_a), (b, turned_b)) = (stored(left)?, stored(right)?);
    let turned = one_bool(c"adj_x", turned_a).and(one_bool(c"adj_y", turned_b));
    run(name, c"BatchMatMulV2", &turned, a, &[&b]).map(TfTensor::from)
}
