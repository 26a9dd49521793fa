//! Checks of shapes and axes, made before any element is touched.

use crate::{Error, Result};

/// The number of elements of a shape.
pub(super) fn volume(operation: &'static str, shape: &[usize]) -> Result<usize> {
    // The product of the extents other than 0 must fit the address space, at the widest element of 8 bytes.
    let span = shape
        .iter()
        .filter(|&&extent| extent != 0)
        .try_fold(8_usize, |span, &extent| span.checked_mul(extent));
    if span.is_some_and(|span| isize::try_from(span).is_ok()) {
        return Ok(shape.iter().product());
    }
    Err(Error::tensor(operation, format!("a tensor of shape {shape:?} does not fit in memory")))
}

/// The common shape of two operands, as in NumPy.
pub(super) fn broadcast(operation: &'static str, left: &[usize], right: &[usize]) -> Result<Vec<usize>> {
    let rank = left.len().max(right.len());
    // The extent of an axis counted from the last; missing leading axes have extent 1.
    let extent = |shape: &[usize], axis: usize| shape.iter().rev().nth(axis).copied().unwrap_or(1);
    (0..rank)
        .rev()
        .map(|axis| match (extent(left, axis), extent(right, axis)) {
            (1, other) | (other, 1) => Ok(other),
            (one, other) if one == other => Ok(one),
            _ => Err(Error::tensor(operation, format!("shapes {left:?} and {right:?} do not broadcast"))),
        })
        .collect()
}

/// Checks that axes exist and that none occurs twice.
pub(super) fn check_axes(operation: &'static str, shape: &[usize], axes: &[usize]) -> Result<()> {
    for (position, &axis) in axes.iter().enumerate() {
        if axis >= shape.len() || axes[..position].contains(&axis) {
            let message = format!("axes {axes:?} must be different axes of the shape {shape:?}");
            return Err(Error::tensor(operation, message));
        }
    }
    Ok(())
}

/// Checks that an operand has the shape it must have.
pub(super) fn check_shape(
    operation: &'static str,
    what: &str,
    shape: &[usize],
    expected: &[usize],
) -> Result<()> {
    if shape == expected {
        return Ok(());
    }
    Err(Error::tensor(operation, format!("{what} has shape {shape:?}, not {expected:?}")))
}

#[cfg(test)]
mod tests {
    use super::super::testing::refused;
    use super::*;

    #[test]
    fn volumes_are_products_that_fit() {
        assert_eq!(volume("test", &[]).unwrap(), 1);
        assert_eq!(volume("test", &[2, 0, 3]).unwrap(), 0);
        refused(volume("test", &[usize::MAX, 0, 2]), "test");
        refused(volume("test", &[1 << 60]), "test");
    }

    #[test]
    fn shapes_broadcast_from_the_last_axis() {
        assert_eq!(broadcast("test", &[3, 1], &[2, 1, 4]).unwrap(), [2, 3, 4]);
        assert_eq!(broadcast("test", &[], &[0]).unwrap(), [0]);
        assert_eq!(broadcast("test", &[1], &[0]).unwrap(), [0]);
        refused(broadcast("test", &[2], &[3]), "test");
    }

    #[test]
    fn axes_are_distinct_and_exist() {
        assert!(check_axes("test", &[2, 3], &[1, 0]).is_ok());
        refused(check_axes("test", &[2, 3], &[2]), "test");
        refused(check_axes("test", &[2, 3], &[1, 1]), "test");
    }
}
