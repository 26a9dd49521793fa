//! Any movement of elements, given by their numbers: gather, index, take, roll, repeat, tile, unfold, pixel shuffle, diagonal,
//! reflecting padding … (rules §5).

use super::pieces::movement::{collected, deliver_all, volume};
use crate::{
    BacktraceOp, Context, Error, Family, Loss, Operand, Range, Relevance, Result, Role, Tensor, Turn,
};

/// The elements of the operands are numbered one after the other, operand by operand, in row-major order from 0. Element `i`
/// of output `k` is the element with number `indices[k][i]`; a negative number marks a constant. r adds R up where it was
/// read from.
///
/// Only what moves is an operand; an index that says how is not. To find the numbers, apply the operator to the numbers
/// themselves.
#[derive(Debug, Clone)]
pub struct Rearrange<T> {
    /// For each output, an integer tensor with as many elements as the output.
    pub indices: Vec<T>,
    /// How it turns axes, if that is known.
    pub turn: Option<Turn>,
}

impl<T: Tensor> Rearrange<T> {
    /// A movement with one output.
    pub fn new(index: T) -> Self {
        Self::of(vec![index])
    }

    /// A movement with one output for each of the indices.
    pub fn of(indices: Vec<T>) -> Self {
        Self { indices, turn: None }
    }
}

impl<T: Tensor> Rearrange<T> {
    /// The relevance of each operand, constants included.
    pub(super) fn back(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let count = operands.iter().map(|operand| volume(&operand.meta.shape)).sum();
        let (mut parts, mut numbers) = (Vec::new(), Vec::new());
        for (index, relevance) in self.indices.iter().zip(arriving) {
            let Some(relevance) = relevance else { continue };
            let (part, number) = read_from_operands(relevance, index, count, context)?;
            parts.push(part);
            numbers.push(number);
        }
        let all = collected(&parts, &[count], |sum, k, part: &T| sum.index_add(0, &numbers[k], part))?;
        let mut start = 0;
        operands
            .iter()
            .map(|operand| {
                let shape = &operand.meta.shape;
                let part = [Range::span(start, volume(shape))];
                start += volume(shape);
                all.map(|channel| channel.slice(&part)?.reshape(shape)).map(Some)
            })
            .collect()
    }
}

impl<T: Tensor> BacktraceOp<T> for Rearrange<T> {
    fn family(&self) -> Family {
        Family::Movement
    }

    fn role(&self, _: &[Operand<T>]) -> Role {
        Role::Movement
    }

    fn turn(&self) -> Option<Turn> {
        self.turn.clone()
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let shares = self.back(operands, arriving, context)?;
        deliver_all(operands, shares, context)
    }
}

/// The relevance as a vector without what lands on constants, which is booked; and the numbers of the elements to which it
/// belongs.
fn read_from_operands<T: Tensor>(
    relevance: &Relevance<T>,
    index: &T,
    count: usize,
    context: &mut Context<'_, T>,
) -> Result<(Relevance<T>, T)> {
    let numbers = index.to_indices()?;
    if numbers.len() != volume(&relevance.shape()) || numbers.iter().any(|&number| number >= count as i64) {
        let (len, shape) = (numbers.len(), relevance.shape());
        return Err(Error::Uncovered(format!(
            "{len} numbers, for {count} elements, do not fill an output of shape {shape:?}"
        )));
    }
    let flat = relevance.map_conserving(|channel| channel.reshape(&[numbers.len()]))?;
    let (constants, read): (Vec<(i64, i64)>, Vec<_>) =
        (0..).zip(numbers.iter().copied()).partition(|&(_, number)| number < 0);
    if constants.is_empty() {
        return Ok((flat, index.reshape(&[numbers.len()])?));
    }
    let chosen = |positions: &[(i64, i64)]| {
        let positions: Vec<i64> = positions.iter().map(|&(position, _)| position).collect();
        let positions = index.indices(&positions)?;
        flat.map(|channel| channel.index_select(0, &positions))
    };
    context.lose(Loss::Padding, chosen(&constants)?.amount()?);
    let numbers: Vec<i64> = read.iter().map(|&(_, number)| number).collect();
    Ok((chosen(&read)?, index.indices(&numbers)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WeightCache;
    use crate::array::Array;
    use crate::ops::pieces::testing::{backtrace, check_movement, relevances, shape_only, values};
    use proptest::prelude::*;

    /// The outputs that the numbers describe; constants count as 0, so that the map is linear.
    fn forward(x: &[Array], indices: &[Array]) -> Vec<Array> {
        let all: Vec<f64> = x.iter().flat_map(values).collect();
        let read = |number: &i64| usize::try_from(*number).map_or(0.0, |number| all[number]);
        indices
            .iter()
            .map(|index| {
                let read: Vec<f64> = index.to_indices().unwrap().iter().map(read).collect();
                Array::from_slice(&index.shape(), &read)
            })
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn elements_go_back_to_where_they_were_read(
            indices in prop::collection::vec(prop::collection::vec(-2_i64..8, 4), 1..3)
        ) {
            let indices: Vec<Array> = indices.iter().map(|index| Array::ints(&[2, 2], index)).collect();
            let op = Rearrange::of(indices.clone());
            check_movement(&op, &[&[2, 2], &[1, 3], &[]], &[], |x| forward(x, &indices));
        }
    }

    #[test]
    fn constants_lose_what_lands_on_them() {
        let op = Rearrange::new(Array::ints(&[3], &[1, -1, 0]));
        let relevance = &relevances(&[3])[1];
        let (_, lost) = backtrace(&op, &[shape_only(&[2])], &[Some(relevance.clone())]);
        let middle = relevance.measure(|channel| Ok(values(channel)[1])).unwrap();
        assert_eq!(lost[&Loss::Padding], middle);
    }

    #[test]
    fn numbers_nobody_has_are_refused() {
        let weights = WeightCache::new(0);
        for index in [Array::ints(&[2], &[0, 2]), Array::ints(&[1], &[0])] {
            let outputs = [Some(relevances(&[2])[0].clone())];
            let result =
                Rearrange::new(index).backtrace(&[shape_only(&[2])], &outputs, &mut Context::new(&weights));
            assert!(matches!(result, Err(Error::Uncovered(_))));
        }
    }
}
