//! Movements that turn axes: where an axis ends up, and which movement takes another back.

use crate::{Tape, Tensor, Turn};

/// How a step turns its operand, with the shapes of its operand and result.
pub(super) fn between<T: Tensor>(tape: &Tape<T>, step: usize) -> Option<(Turn, &[usize], &[usize])> {
    let made = &tape.steps[step];
    let (operand, &output) = (made.inputs.first()?, made.outputs.first()?);
    Some((made.op.turn()?, &operand.meta.shape, &tape.meta(output).shape))
}

/// The position of an axis after a movement, if every element keeps its index along it.
pub(super) fn axis_after(turn: &Turn, from: &[usize], to: &[usize], axis: usize) -> Option<usize> {
    match turn {
        Turn::Permute(order) => order.iter().position(|&old| old == axis),
        Turn::Blocks { blocks, .. } => (axis > blocks.len()).then_some(axis),
        Turn::Reshape => {
            let before = |shape: &[usize], axis: usize| shape[..axis].iter().product::<usize>();
            let same = |&new: &usize| to[new] == from[axis] && before(to, new) == before(from, axis);
            let mut places = (0..to.len()).filter(same);
            // Among axes of extent 1, the last remains the last.
            if axis + 1 == from.len() { places.next_back() } else { places.next() }
        }
        Turn::Border => None,
    }
}

/// A movement with the shapes before and after it.
pub(super) type Moved<'a> = (Turn, &'a [usize], &'a [usize]);

/// Whether a movement takes back an earlier one, even if the axes that stay have other extents by now.
pub(super) fn takes_back((turn, from, to): &Moved<'_>, (earlier, before, after): &Moved<'_>) -> bool {
    match (turn, earlier) {
        (Turn::Permute(order), Turn::Permute(first)) => {
            let back = |(axis, &place): (usize, &usize)| first.get(place) == Some(&axis);
            order.len() == first.len() && order.iter().enumerate().all(back)
        }
        (Turn::Blocks { blocks, apart }, Turn::Blocks { blocks: first, apart: other }) => {
            blocks == first && apart != other
        }
        (Turn::Reshape, Turn::Reshape) => {
            before.len() == to.len() && after.len() == from.len() && reshaped_back(from, to, before, after)
        }
        _ => false,
    }
}

/// Whether some axes were reshaped and are now shaped back, while the axes before and after them stayed.
fn reshaped_back(from: &[usize], to: &[usize], before: &[usize], after: &[usize]) -> bool {
    let shorter = before.len().min(after.len());
    let parted = |start: usize, kept: usize| {
        let (one, other) = (before.len() - start - kept, after.len() - start - kept);
        let tails = |a: &[usize], b: &[usize]| a[a.len() - kept..] == b[b.len() - kept..];
        before[..start] == after[..start]
            && from[..start] == to[..start]
            && tails(before, after)
            && tails(from, to)
            && before[start..start + one] == to[start..start + one]
            && after[start..start + other] == from[start..start + other]
    };
    // The last axis, which counts features, stays.
    (0..shorter).any(|start| (1..=shorter - start).any(|kept| parted(start, kept)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_is_found_again() {
        let reshape = |from: &[usize], to: &[usize], axis| axis_after(&Turn::Reshape, from, to, axis);
        assert_eq!(reshape(&[2, 1, 5, 3], &[2, 5, 3], 3), Some(2));
        assert_eq!(reshape(&[2, 1, 5, 1], &[2, 5, 1], 3), Some(2));
        assert_eq!(reshape(&[2, 4, 1, 5], &[2, 4, 5], 1), Some(1));
        assert_eq!(reshape(&[6, 4], &[2, 3, 2, 2], 1), None);
        assert_eq!(axis_after(&Turn::Permute(vec![0, 3, 1, 2]), &[2, 5, 4, 3], &[2, 3, 5, 4], 3), Some(1));
        let blocks = Turn::Blocks { blocks: vec![2, 2], apart: false };
        assert_eq!(axis_after(&blocks, &[8, 2, 2, 3], &[2, 4, 4, 3], 3), Some(3));
        assert_eq!(axis_after(&blocks, &[8, 2, 2, 3], &[2, 4, 4, 3], 2), None);
    }

    #[test]
    fn what_took_a_form_takes_the_first_again() {
        let reshapes = |before: &[usize], after: &[usize], from: &[usize], to: &[usize]| {
            takes_back(&(Turn::Reshape, from, to), &(Turn::Reshape, before, after))
        };
        assert!(reshapes(&[2, 5, 3], &[2, 1, 5, 3], &[2, 1, 3, 4], &[2, 3, 4]));
        // One of three places is left.
        assert!(reshapes(&[2, 3, 3], &[2, 1, 3, 3], &[2, 1, 1, 4], &[2, 1, 4]));
        assert!(reshapes(&[2, 5, 8, 8, 3], &[10, 8, 8, 3], &[10, 6, 6, 4], &[2, 5, 6, 6, 4]));
        assert!(!reshapes(&[2, 5, 3], &[2, 1, 5, 3], &[2, 5, 1, 4], &[2, 5, 4]));
        assert!(!reshapes(&[2, 12], &[2, 4, 3], &[2, 4, 5], &[2, 20]), "features are joined with places");
        let turned = |order: &[usize], first: &[usize]| {
            let shape: &[usize] = &[1; 4];
            takes_back(
                &(Turn::Permute(order.to_vec()), shape, shape),
                &(Turn::Permute(first.to_vec()), shape, shape),
            )
        };
        assert!(turned(&[0, 2, 3, 1], &[0, 3, 1, 2]));
        assert!(!turned(&[0, 3, 1, 2], &[0, 3, 1, 2]));
    }
}
