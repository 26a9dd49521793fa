//! Sub-tensors chosen by index along one axis (rules §5).

use super::pieces::movement::{Movement, moved, operand, volume};
use crate::{Context, Error, Operand, Relevance, Result, Tensor};

/// The sub-tensors of operand 0 at operand 1 (integers, at most one axis) along an axis: r adds R up where it was read from.
#[derive(Debug, Clone, Copy)]
pub struct IndexSelect {
    /// The axis of operand 0; 0 when it has none.
    pub axis: usize,
}

impl Movement for IndexSelect {
    fn back<T: Tensor>(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        _: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let index = operand(operands, 1)?;
        let count = volume(&index.meta.shape);
        let index = index.data()?.reshape(&[count])?;
        moved(operands, arriving, |relevance, shape| {
            // A tensor without axes is read like a vector of one element.
            let from = if shape.is_empty() { &[1] } else { shape };
            let mut chosen = from.to_vec();
            *chosen
                .get_mut(self.axis)
                .ok_or_else(|| Error::Uncovered(format!("no axis {} in {shape:?}", self.axis)))? = count;
            relevance.map(|channel| {
                channel.zeros(from)?.index_add(self.axis, &index, &channel.reshape(&chosen)?)?.reshape(shape)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::ops::pieces::testing::{check_movement, constant};

    #[test]
    fn repeated_indices_add_up() {
        let index = Array::ints(&[4], &[2, 0, 2, 2]);
        for axis in 0..2 {
            check_movement(&IndexSelect { axis }, &[&[3, 3]], &[constant(index.clone())], |x| {
                vec![x[0].index_select(axis, &index).unwrap()]
            });
        }
    }

    #[test]
    fn scalars_are_vectors_of_one_element() {
        let op = IndexSelect { axis: 0 };
        check_movement(&op, &[&[3, 2]], &[constant(Array::ints(&[], &[1]))], |x| {
            vec![x[0].index_select(0, &Array::ints(&[1], &[1])).unwrap()]
        });
        check_movement(&op, &[&[]], &[constant(Array::ints(&[1], &[0]))], |x| vec![x[0].clone()]);
    }
}
