//! Max pooling to a given number of windows (rules §3).

use super::max_pool::backtrace_pool;
use super::pieces::windows::{adaptive, extents};
use super::pieces::winner::Windows;
use crate::{BacktraceOp, Context, Family, Operand, Relevance, Result, Tensor};

/// The windows of the output divide the last axes of x among them: along each axis, window `o` of `out` sees the cells from
/// ⌊o·in/out⌋ to below ⌈(o+1)·in/out⌉. The largest cell takes R; equal ones share it, overlapping windows add up. Operands:
/// x `[…, spatial…]`, and the pooled output if it was kept.
#[derive(Debug, Clone, Copy)]
pub struct AdaptiveMaxPool {
    /// Number of spatial axes.
    pub spatial: usize,
}

impl<T: Tensor> BacktraceOp<T> for AdaptiveMaxPool {
    fn family(&self) -> Family {
        Family::Winner
    }

    fn carries(&self, input: usize) -> bool {
        input == 0
    }

    fn backtrace(
        &self,
        operands: &[Operand<T>],
        arriving: &[Option<Relevance<T>>],
        context: &mut Context<'_, T>,
    ) -> Result<Vec<Option<Relevance<T>>>> {
        backtrace_pool(operands, arriving, context, |input, output| {
            let along = |(axis, cells, windows)| Ok(Windows { axis, sights: adaptive(cells, windows)? });
            extents(input, output, self.spatial)?.into_iter().map(along).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;
    use crate::ops::pieces::testing::{
        assert_close, backtrace, channels, moving, relevances, values, whole_numbers,
    };
    use ndarray::{ArrayD, IxDyn, Slice};

    #[test]
    fn the_largest_of_each_window_share_its_relevance() {
        // Dividing, overlapping, one window, more windows than cells; along both axes.
        for (cells, windows) in [([6, 4], [3, 2]), ([7, 5], [3, 2]), ([3, 5], [1, 1]), ([3, 4], [5, 4])] {
            let (input, output) = ([2, cells[0], cells[1]], [2, windows[0], windows[1]]);
            let x = whole_numbers(&input, 7).to_array().unwrap();
            for relevance in relevances(&output) {
                let inputs = [moving(whole_numbers(&input, 7))];
                let (shares, lost) =
                    backtrace(&AdaptiveMaxPool { spatial: 2 }, &inputs, &[Some(relevance.clone())]);
                assert!(lost.is_empty());
                for (found, relevance) in
                    channels(shares[0].as_ref().unwrap()).into_iter().zip(channels(&relevance))
                {
                    let mut expected = ArrayD::zeros(IxDyn(&input));
                    for (window, relevance) in relevance.to_array().unwrap().indexed_iter() {
                        let bounds: Vec<Slice> = (0..3)
                            .map(|axis| {
                                let (at, of, out) = (window[axis], input[axis], output[axis]);
                                Slice::from(at * of / out..((at + 1) * of).div_ceil(out))
                            })
                            .collect();
                        let seen = x.slice_each_axis(|axis| bounds[axis.axis.index()]);
                        let largest = seen.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                        let winners = seen.iter().filter(|&&cell| cell == largest).count() as f64;
                        let mut shares = expected.slice_each_axis_mut(|axis| bounds[axis.axis.index()]);
                        shares.zip_mut_with(&seen, |share, &cell| {
                            *share += if cell == largest { relevance / winners } else { 0.0 };
                        });
                    }
                    assert_close(&values(found), &expected.into_iter().collect::<Vec<f64>>(), 1e-13);
                }
            }
        }
    }
}
