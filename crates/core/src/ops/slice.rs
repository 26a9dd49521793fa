//! Regular parts: slice, narrow, select, split, chunk, unbind (rules §5).

use super::pieces::movement::{Movement, collected, operand};
use crate::{Context, Error, Operand, Range, Relevance, Result, Tensor};

/// Output `k` is region `k` of operand 0: r = R put back where it was taken from, 0 elsewhere. An output may lack axes of extent
/// 1 that its region has, as in select and unbind.
#[derive(Debug, Clone)]
pub struct Slice {
    /// For each output, one range for each axis of the operand.
    pub regions: Vec<Vec<Range>>,
}

impl Movement for Slice {
    fn words(&self) -> Option<String> {
        Some(format!("{self:?}"))
    }

    fn back<T: Tensor>(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        _: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        let x = operand(operands, 0)?;
        if arriving.len() > self.regions.len() {
            let (arriving, regions) = (arriving.len(), self.regions.len());
            return Err(Error::Uncovered(format!(
                "{arriving} outputs were sliced, but only {regions} regions are known"
            )));
        }
        let arrived = self.regions.iter().zip(arriving);
        let arrived = arrived.filter_map(|(region, output)| Some((region, output.clone()?)));
        let (regions, parts): (Vec<_>, Vec<_>) = arrived.unzip();
        let share = collected(&parts, &x.meta.shape, |sum, k, part: &T| {
            let region: &Vec<Range> = regions[k];
            let extents: Vec<usize> = region.iter().map(|range| range.len).collect();
            sum.add_region(region, &part.reshape(&extents)?)
        })?;
        Ok(vec![Some(share)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::pieces::testing::{backtrace, check_movement, numbers, relevances, shape_only, values};

    #[test]
    fn a_slice_with_a_step_goes_back_to_its_place() {
        let region = vec![Range::full(3), Range { start: 1, len: 2, step: 3 }];
        check_movement(&Slice { regions: vec![region.clone()] }, &[&[3, 6]], &[], |x| {
            vec![x[0].slice(&region).unwrap()]
        });
    }

    #[test]
    fn parts_may_overlap_leave_gaps_and_drop_axes() {
        let regions: Vec<Vec<Range>> = [(0, 3), (2, 2), (5, 1)]
            .map(|(start, len)| vec![Range::span(start, len), Range::full(2)])
            .to_vec();
        check_movement(&Slice { regions: regions.clone() }, &[&[6, 2]], &[], |x| {
            let mut parts: Vec<_> = regions.iter().map(|region| x[0].slice(region).unwrap()).collect();
            parts[2] = parts[2].reshape(&[2]).unwrap();
            parts
        });
    }

    #[test]
    fn outputs_nobody_used_give_nothing() {
        let regions = (0..3).map(|row| vec![Range::span(row, 1), Range::full(2)]).collect();
        let outputs = [None, Some(relevances(&[2])[0].clone()), None];
        let (shares, _) = backtrace(&Slice { regions }, &[shape_only(&[3, 2])], &outputs);
        let row = values(&numbers(&[2], 11));
        assert_eq!(values(shares[0].as_ref().unwrap().first()), [0.0, 0.0, row[0], row[1], 0.0, 0.0]);
    }
}
