//! Matrix products.

use super::selection::Selection;
use super::{Array, Real, shape};
use crate::{Error, Result};
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};

/// `[…, m, k]` · `[…, k, n]` → `[…, m, n]`, leading axes broadcast.
pub(super) fn matmul<F: Real>(left: &Array<F>, right: &Array<F>) -> Result<Array<F>> {
    let refuse = |why: &str| {
        Err(Error::tensor("matmul", format!("shapes {:?} and {:?}: {why}", left.shape, right.shape)))
    };
    let ([left_lead @ .., m, k], [right_lead @ .., depth, n]) = (&left.shape[..], &right.shape[..]) else {
        return refuse("both need at least two axes");
    };
    if k != depth {
        return refuse("the last axis of the first must match the last but one of the second");
    }
    let (m, k, n) = (*m, *k, *n);
    let batch = shape::broadcast("matmul", left_lead, right_lead)?;
    let product_shape = [batch.as_slice(), &[m, n]].concat();
    let mut product = vec![F::zero(); shape::volume("matmul", &product_shape)?];
    if product.is_empty() {
        return Ok(Array::of(product_shape, product));
    }

    let (left_values, right_values) = (left.float("matmul")?, right.float("matmul")?);
    let left_matrices = Selection::all("matmul", left_lead).broadcast(&batch)?.positions()?;
    let right_matrices = Selection::all("matmul", right_lead).broadcast(&batch)?.positions()?;
    for ((cells, left), right) in product.chunks_exact_mut(m * n).zip(left_matrices).zip(right_matrices) {
        let left = ArrayView2::from_shape((m, k), &left_values[left * m * k..][..m * k]).map_err(unshaped)?;
        let right =
            ArrayView2::from_shape((k, n), &right_values[right * k * n..][..k * n]).map_err(unshaped)?;
        let mut cells = ArrayViewMut2::from_shape((m, n), cells).map_err(unshaped)?;
        general_mat_mul(F::one(), &left, &right, F::zero(), &mut cells);
    }
    Ok(Array::of(product_shape, product))
}

fn unshaped(error: ndarray::ShapeError) -> Error {
    Error::tensor("matmul", error)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{integers, refused};
    use super::*;
    use crate::Tensor;
    use proptest::prelude::*;

    #[test]
    fn a_matrix_product() {
        let (a, b) =
            (Array::from_slice(&[1, 2], &[1.0, 2.0]), Array::from_slice(&[2, 2], &[1.0, 2.0, 3.0, 4.0]));
        assert_eq!(a.matmul(&b).unwrap(), Array::from_slice(&[1, 2], &[7.0, 10.0]));
    }

    #[test]
    fn single_precision_products() {
        let a = Array::<f32>::new(ndarray::array![[1.0, 2.0], [3.0, 4.0]].into_dyn());
        assert_eq!(a.matmul(&a).unwrap(), Array::new(ndarray::array![[7.0, 10.0], [15.0, 22.0]].into_dyn()));
    }

    #[test]
    fn a_product_over_no_terms_is_zero() {
        let (a, b) = (Array::from_slice(&[2, 0], &[]), Array::from_slice(&[0, 1], &[]));
        assert_eq!(a.matmul(&b).unwrap(), Array::from_slice(&[2, 1], &[0.0, 0.0]));
        assert_eq!(
            b.matmul(&a.reshape(&[1, 0, 2]).unwrap().sum(&[1], true).unwrap()).unwrap().shape(),
            [1, 0, 2]
        );
    }

    #[test]
    fn shapes_that_do_not_fit() {
        let matrix = Array::from_slice(&[1, 2], &[1.0, 2.0]);
        refused(matrix.matmul(&matrix), "matmul");
        refused(matrix.matmul(&Array::from_slice(&[2], &[1.0, 2.0])), "matmul");
        refused(matrix.matmul(&Array::ints(&[2, 1], &[1, 2])), "matmul");
        let (two, three) = (matrix.zeros(&[2, 1, 1]).unwrap(), matrix.zeros(&[3, 1, 1]).unwrap());
        refused(two.matmul(&three), "matmul");
    }

    proptest! {
        // a [2, 1, m, k] · b [3, k, n], against the product written out as a sum of broadcast factors.
        #[test]
        fn leading_axes_broadcast(
            (a, b) in (1_usize..4, 0_usize..4, 1_usize..4)
                .prop_flat_map(|(m, k, n)| (integers(vec![2, 1, m, k]), integers(vec![3, k, n])))
        ) {
            let (m, k, n) = (a.shape[2], a.shape[3], b.shape[2]);
            let factors = a.reshape(&[2, 1, m, k, 1]).unwrap().mul(&b.reshape(&[3, 1, k, n]).unwrap()).unwrap();
            prop_assert_eq!(a.matmul(&b).unwrap(), factors.sum(&[3], false).unwrap());
        }
    }
}
