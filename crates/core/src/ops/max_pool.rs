//! Max pooling of any number of spatial axes (rules §3).

use super::pieces::movement::{deliver, operand};
use super::pieces::windows::{Sliding, extents};
use super::pieces::winner::{Windows, winners};
use crate::op::arrived;
use crate::{BacktraceOp, Context, Error, Family, Operand, Relevance, Result, Tensor};

/// The largest cell of each window takes its R; equal ones share it, overlapping windows add up. Operands: x `[…, spatial…]`,
/// and the pooled output if it was kept, which saves finding it again. The shape of the relevance gives the number of
/// windows, so that ceil mode needs no argument.
#[derive(Debug, Clone)]
pub struct MaxPool {
    /// Cells of a window along each spatial axis.
    pub kernel: Vec<usize>,
    /// Distance between windows.
    pub stride: Vec<usize>,
    /// Number of cells before the first that do not exist.
    pub padding: Vec<usize>,
    /// Distance between cells.
    pub dilation: Vec<usize>,
}

impl MaxPool {
    fn windows(&self, input: &[usize], output: &[usize]) -> Result<Vec<Windows>> {
        let Self { kernel, stride, padding, dilation } = self;
        let spatial = kernel.len();
        if [stride, padding, dilation].iter().any(|arguments| arguments.len() != spatial) {
            return Err(Error::Uncovered(format!("{self:?} needs one number for each spatial axis")));
        }
        let along = |(spatial, (axis, cells, windows)): (usize, (usize, usize, usize))| {
            let sliding = Sliding {
                kernel: kernel[spatial],
                stride: stride[spatial],
                padding: padding[spatial],
                dilation: dilation[spatial],
            };
            Ok(Windows { axis, sights: sliding.sights(cells, windows)? })
        };
        extents(input, output, spatial)?.into_iter().enumerate().map(along).collect()
    }
}

impl<T: Tensor> BacktraceOp<T> for MaxPool {
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
        backtrace_pool(operands, arriving, context, |input, output| self.windows(input, output))
    }
}

/// The rule that all kinds of max pooling share. Operands: x and, if kept, the output.
pub(super) fn backtrace_pool<T: Tensor>(
    operands: &[Operand<T>],
    arriving: &[Option<Relevance<T>>],
    context: &mut Context<'_, T>,
    windows: impl FnOnce(&[usize], &[usize]) -> Result<Vec<Windows>>,
) -> Result<Vec<Option<Relevance<T>>>> {
    let (x, relevance) = (operand(operands, 0)?, arrived(arriving)?);
    let windows = windows(&x.meta.shape, &relevance.shape())?;
    let largest = operands.get(1).and_then(|output| output.data.as_ref());
    let share = winners(x.data()?, &windows, largest, relevance, context)?;
    let mut shares = vec![None; operands.len()];
    shares[0] = deliver(x, share, context)?;
    Ok(shares)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::ops::pieces::testing::{
        assert_close, backtrace, channels, constant, moving, relevances, values, whole_numbers,
    };
    use crate::{Loss, Tensor};
    use ndarray::{ArrayD, IxDyn};
    use proptest::prelude::*;

    /// The cells of x that each window of the last axes sees, by the formula; windows in row-major order.
    fn cells(op: &MaxPool, input: &[usize], output: &[usize]) -> Vec<Vec<Vec<usize>>> {
        let lead = input.len() - op.kernel.len();
        ndarray::indices(IxDyn(output))
            .into_iter()
            .map(|window| {
                let place = |place: ndarray::Dim<ndarray::IxDynImpl>| -> Option<Vec<usize>> {
                    (0..input.len())
                        .map(|axis| {
                            let Some(k) = axis.checked_sub(lead) else { return Some(window[axis]) };
                            let cell = window[axis] * op.stride[k] + place[k] * op.dilation[k];
                            cell.checked_sub(op.padding[k]).filter(|&cell| cell < input[axis])
                        })
                        .collect()
                };
                ndarray::indices(IxDyn(&op.kernel)).into_iter().filter_map(place).collect()
            })
            .collect()
    }

    fn largest(x: &ArrayD<f64>, cells: &[Vec<usize>]) -> f64 {
        cells.iter().map(|cell| x[cell.as_slice()]).fold(f64::NEG_INFINITY, f64::max)
    }

    fn check(op: &MaxPool, x: &Array, output: &[usize]) {
        let numbers = x.to_array().unwrap();
        let windows = cells(op, &x.shape(), output);
        let pooled: Vec<f64> = windows.iter().map(|cells| largest(&numbers, cells)).collect();
        let kept = constant(Array::from_slice(output, &pooled));
        for (relevance, inputs) in relevances(output).into_iter().flat_map(|relevance| {
            [vec![moving(x.clone())], vec![moving(x.clone()), kept.clone()]]
                .map(|inputs| (relevance.clone(), inputs))
        }) {
            let (shares, lost) = backtrace(op, &inputs, &[Some(relevance.clone())]);
            for (channel, relevance) in channels(&relevance).into_iter().map(values).enumerate() {
                let (mut expected, mut padding) = (ArrayD::zeros(IxDyn(&x.shape())), 0.0);
                for ((cells, largest), relevance) in windows.iter().zip(&pooled).zip(relevance) {
                    let winners: Vec<_> =
                        cells.iter().filter(|cell| numbers[cell.as_slice()] == *largest).collect();
                    winners
                        .iter()
                        .for_each(|cell| expected[cell.as_slice()] += relevance / winners.len() as f64);
                    padding += if cells.is_empty() { relevance } else { 0.0 };
                }
                let expected: Vec<f64> = expected.into_iter().collect();
                assert_close(&values(channels(shares[0].as_ref().unwrap())[channel]), &expected, 1e-13);
                let lost = lost.get(&Loss::Padding).copied().unwrap_or_default();
                assert_close(&[[lost.positive, lost.negative][channel]], &[padding], 1e-13);
            }
        }
    }

    prop_compose! {
        fn axis()(
            arguments in (1_usize..4, 1_usize..4, 0_usize..3, 1_usize..3), cells in 1_usize..7, windows in 1_usize..5
        ) -> ([usize; 4], usize, usize) {
            let (kernel, stride, padding, dilation) = arguments;
            ([kernel, stride, padding, dilation], cells, windows)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn the_largest_of_each_window_share_its_relevance(
            axes in prop::collection::vec(axis(), 1..3), lead in prop::collection::vec(1_usize..3, 0..3), seed in 0_u64..99
        ) {
            let argument = |index: usize| axes.iter().map(|axis| axis.0[index]).collect::<Vec<_>>();
            let op = MaxPool { kernel: argument(0), stride: argument(1), padding: argument(2), dilation: argument(3) };
            let (mut input, mut output) = (lead.clone(), lead);
            input.extend(axes.iter().map(|axis| axis.1));
            output.extend(axes.iter().map(|axis| axis.2));
            check(&op, &whole_numbers(&input, seed), &output);
        }
    }

    #[test]
    fn three_axes() {
        let op = MaxPool {
            kernel: vec![2; 3],
            stride: vec![2, 1, 2],
            padding: vec![0, 1, 0],
            dilation: vec![1; 3],
        };
        check(&op, &whole_numbers(&[1, 2, 4, 3, 5], 3), &[1, 2, 2, 4, 3]);
    }

    #[test]
    fn arguments_that_do_not_fit_are_refused() {
        let op = MaxPool { kernel: vec![2], stride: vec![2, 2], padding: vec![0], dilation: vec![1] };
        assert!(matches!(op.windows(&[4], &[2]), Err(Error::Uncovered(_))));
        let op = MaxPool { stride: vec![0], ..op };
        assert!(matches!(op.windows(&[4], &[2]), Err(Error::Uncovered(_))));
    }
}
