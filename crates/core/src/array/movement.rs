//! Movements of elements, and their adjoints, which add where a movement reads.

use super::selection::Selection;
use super::{Array, Real, shape};
use crate::{DType, Error, Range, Result, Tensor};

fn gather<F: Real>(x: &Array<F>, selection: &Selection) -> Result<Array<F>> {
    Ok(Array { shape: selection.shape(), elements: x.elements.gather(&selection.positions()?) })
}

/// The adjoint of [`gather`]: adds each element of `part` where `gather` would have read it.
fn scatter<F: Real>(
    mut x: Array<F>,
    operation: &'static str,
    selection: &Selection,
    part: &Array<F>,
) -> Result<Array<F>> {
    shape::check_shape(operation, "what is added", &part.shape, &selection.shape())?;
    let (positions, values) = (selection.positions()?, part.float(operation)?);
    let cells = x.float_mut(operation)?;
    for (position, &value) in positions.into_iter().zip(values) {
        cells[position] = cells[position] + value;
    }
    Ok(x)
}

pub(super) fn reshape<F: Real>(x: &Array<F>, shape: &[usize]) -> Result<Array<F>> {
    if shape::volume("reshape", shape)? != x.elements.len() {
        let message = format!("the shapes {:?} and {shape:?} hold different numbers of elements", x.shape);
        return Err(Error::tensor("reshape", message));
    }
    Ok(Array { shape: shape.to_vec(), elements: x.elements.clone() })
}

pub(super) fn permute<F: Real>(x: &Array<F>, order: &[usize]) -> Result<Array<F>> {
    gather(x, &Selection::all("permute", &x.shape).permute(order)?)
}

/// Repeats elements; errors name `operation`.
pub(super) fn broadcast_to<F: Real>(
    x: &Array<F>,
    operation: &'static str,
    shape: &[usize],
) -> Result<Array<F>> {
    if x.shape == shape {
        return Ok(x.clone());
    }
    gather(x, &Selection::all(operation, &x.shape).broadcast(shape)?)
}

pub(super) fn slice<F: Real>(x: &Array<F>, region: &[Range]) -> Result<Array<F>> {
    gather(x, &Selection::all("slice", &x.shape).region(region)?)
}

pub(super) fn add_region<F: Real>(x: Array<F>, region: &[Range], part: &Array<F>) -> Result<Array<F>> {
    let selection = Selection::all("add_region", &x.shape).region(region)?;
    scatter(x, "add_region", &selection, part)
}

pub(super) fn flip<F: Real>(x: &Array<F>, axes: &[usize]) -> Result<Array<F>> {
    gather(x, &Selection::all("flip", &x.shape).flip(axes)?)
}

pub(super) fn index_select<F: Real>(x: &Array<F>, axis: usize, index: &Array<F>) -> Result<Array<F>> {
    let index = index_list("index_select", index)?;
    gather(x, &Selection::all("index_select", &x.shape).index(axis, &index)?)
}

pub(super) fn index_add<F: Real>(
    x: Array<F>,
    axis: usize,
    index: &Array<F>,
    source: &Array<F>,
) -> Result<Array<F>> {
    let index = index_list("index_add", index)?;
    let selection = Selection::all("index_add", &x.shape).index(axis, &index)?;
    scatter(x, "index_add", &selection, source)
}

fn index_list<F: Real>(operation: &'static str, index: &Array<F>) -> Result<Vec<i64>> {
    match index.elements.integers() {
        Some(values) if index.dtype() == DType::Int && index.shape.len() == 1 => Ok(values),
        _ => {
            let (dtype, shape) = (index.dtype(), &index.shape);
            let message = format!("an index has one axis of integers, not {dtype:?} of shape {shape:?}");
            Err(Error::tensor(operation, message))
        }
    }
}

/// Concatenates along the first axis by joining row-major buffers end to end. Any other axis is first moved to the front, and
/// moved back afterwards.
pub(super) fn concat<F: Real>(parts: &[Array<F>], axis: usize) -> Result<Array<F>> {
    let refuse = |message: String| Err(Error::tensor("concat", message));
    let [first, others @ ..] = parts else { return refuse("there is no tensor to join".into()) };
    shape::check_axes("concat", &first.shape, &[axis])?;
    let mut shape = first.shape();
    for other in others {
        let fits =
            |(other_axis, extents): (usize, (&usize, &usize))| other_axis == axis || extents.0 == extents.1;
        if other.shape.len() != shape.len() || !other.shape.iter().zip(&first.shape).enumerate().all(fits) {
            return refuse(format!(
                "the shapes {:?} and {:?} differ off axis {axis}",
                first.shape, other.shape
            ));
        }
        shape[axis] += other.shape[axis];
    }
    let mut to_front: Vec<usize> = (0..shape.len()).collect();
    to_front[..=axis].rotate_right(1);
    let mut back: Vec<usize> = (0..shape.len()).collect();
    back[..=axis].rotate_left(1);
    shape[..=axis].rotate_right(1);

    let parts: Vec<Array<F>> = parts.iter().map(|part| permute(part, &to_front)).collect::<Result<_>>()?;
    let mut elements = parts.iter().map(|part| &part.elements);
    let Some(joined) = elements.next().and_then(|first| first.join(elements)) else {
        return refuse("the tensors have different element types; cast them first".into());
    };
    permute(&Array { shape, elements: joined }, &back)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{inner, integers, refused};
    use super::*;
    use proptest::prelude::*;

    fn x() -> Array {
        Array::from_slice(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    }

    #[test]
    fn elements_keep_their_order_under_another_shape() {
        assert_eq!(
            x().reshape(&[3, 2]).unwrap(),
            Array::from_slice(&[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        );
        refused(x().reshape(&[4]), "reshape");
        refused(x().reshape(&[usize::MAX, 2]), "reshape");
    }

    #[test]
    fn axis_i_of_a_permutation_is_axis_order_i() {
        let x = integers_from_zero(&[2, 3, 4]);
        let moved = x.permute(&[2, 0, 1]).unwrap();
        let expected = x.as_array().unwrap().permuted_axes(vec![2, 0, 1]);
        assert_eq!(moved.as_array().unwrap(), expected);
        refused(x.permute(&[0, 1]), "permute");
    }

    #[test]
    fn integers_and_truth_values_move_too() {
        let bools = Array::<f64>::bools(&[1, 2], &[true, false]);
        assert_eq!(bools.transpose().unwrap(), Array::bools(&[2, 1], &[true, false]));
        assert_eq!(Array::<f64>::ints(&[2], &[1, 2]).flip(&[0]).unwrap(), Array::ints(&[2], &[2, 1]));
        refused(bools.flip(&[2]), "flip");
    }

    #[test]
    fn tensors_are_joined_along_any_axis() {
        for axis in 0..3 {
            let (left, mut shape) = (integers_from_zero(&[2, 3, 4]), vec![2, 3, 4]);
            shape[axis] = 2;
            let right = integers_from_zero(&shape).affine(1.0, 100.0).unwrap();
            let views = [left.as_array().unwrap(), right.as_array().unwrap()];
            let expected = ndarray::concatenate(ndarray::Axis(axis), &views).unwrap();
            let joined = Array::concat(&[left.clone(), right.clone()], axis).unwrap();
            assert_eq!(joined.as_array().unwrap(), expected);
        }
    }

    #[test]
    fn tensors_that_do_not_fit_are_not_joined() {
        refused(Array::<f64>::concat(&[], 0), "concat");
        refused(Array::concat(&[x()], 2), "concat");
        refused(Array::concat(&[x(), x().transpose().unwrap()], 0), "concat");
        refused(Array::concat(&[x(), Array::ints(&[2, 3], &[0; 6])], 0), "concat");
    }

    #[test]
    fn repeated_indices_add_up() {
        let index = Array::ints(&[3], &[1, 1, 0]);
        assert_eq!(
            x().zeros(&[2, 2]).unwrap().index_add(1, &index, &x()).unwrap(),
            Array::from_slice(&[2, 2], &[3.0, 3.0, 6.0, 9.0])
        );
        refused(x().index_add(1, &index, &Array::from_slice(&[1], &[0.0])), "index_add");
        refused(x().index_select(0, &Array::ints(&[1], &[-1])), "index_select");
        refused(x().index_select(0, &Array::ints(&[1, 1], &[0])), "index_select");
        refused(x().index_select(0, &Array::bools(&[1], &[true])), "index_select");
        refused(x().index_select(0, &x()), "index_select");
    }

    #[test]
    fn what_is_shared_is_not_written_to() {
        let x = x();
        let region = [Range::span(0, 1), Range::span(1, 2)];
        let more = x.clone().add_region(&region, &Array::from_slice(&[1, 2], &[10.0, 20.0])).unwrap();
        assert_eq!(more, Array::from_slice(&[2, 3], &[1.0, 12.0, 23.0, 4.0, 5.0, 6.0]));
        assert_eq!(x, super::tests::x());
        refused(x.add_region(&region, &Array::from_slice(&[1], &[1.0])), "add_region");
    }

    fn integers_from_zero(shape: &[usize]) -> Array {
        let values: Vec<f64> = (0..shape.iter().product()).map(|value: usize| value as f64).collect();
        Array::from_slice(shape, &values)
    }

    /// An extent and a range within it.
    fn range() -> impl Strategy<Value = (usize, Range)> {
        (0_usize..3, 0_usize..4, 1_usize..4, 0_usize..3).prop_map(|(start, len, step, rest)| {
            let end = if len == 0 { start } else { start + (len - 1) * step + 1 };
            (end + rest, Range { start, len, step })
        })
    }

    proptest! {
        #[test]
        fn adding_a_region_is_the_adjoint_of_slicing(
            (region, x, y) in prop::collection::vec(range(), 0..4).prop_flat_map(|axes| {
                let (shape, region): (Vec<usize>, Vec<Range>) = axes.into_iter().unzip();
                let part = region.iter().map(|range| range.len).collect();
                (Just(region), integers(shape), integers(part))
            })
        ) {
            let there = inner(&x.slice(&region).unwrap(), &y);
            let back = x.zeros(&x.shape()).unwrap().add_region(&region, &y).unwrap();
            prop_assert_eq!(there, inner(&x, &back));
        }

        #[test]
        fn adding_at_an_index_is_the_adjoint_of_selecting(
            (axis, index, x, y) in (prop::collection::vec(1_usize..4, 1..4), any::<prop::sample::Index>())
                .prop_flat_map(|(shape, axis)| {
                    let axis = axis.index(shape.len());
                    let index = prop::collection::vec(0..shape[axis] as i64, 0..5);
                    (Just((shape, axis)), index)
                })
                .prop_flat_map(|((shape, axis), index)| {
                    let mut part = shape.clone();
                    part[axis] = index.len();
                    (Just(axis), Just(index), integers(shape), integers(part))
                })
        ) {
            let index = x.indices(&index).unwrap();
            let there = inner(&x.index_select(axis, &index).unwrap(), &y);
            let back = x.zeros(&x.shape()).unwrap().index_add(axis, &index, &y).unwrap();
            prop_assert_eq!(there, inner(&x, &back));
        }
    }
}
