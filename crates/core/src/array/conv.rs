//! Convolution with any number of spatial axes, and its adjoint.
//!
//! A convolution is a sum over kernel cells, its *taps*: at each output cell, tap κ adds W[·, ·, κ] · x, where x is taken at
//! the input cell that κ meets,
//! y[n, o, p] = Σ_κ Σ_c W[o, c, κ] · x[n, c, p · stride + κ · dilation − padding].
//! The adjoint runs each tap the other way, with Wᵀ, over the same pairs of cells.

use super::{Array, Real, shape};
use crate::{ConvGeometry, Error, Range, Result, Tensor};
use ndarray::Dimension;

pub(super) fn convolve<F: Real>(
    x: &Array<F>,
    weight: &Array<F>,
    geometry: &ConvGeometry,
) -> Result<Array<F>> {
    let plan = Plan::new("convolve", weight, geometry, x.shape.get(2..).unwrap_or_default())?;
    let batch = plan.check("convolve", x, plan.channels, &plan.input)?;
    let mut y = x.zeros(&[&[batch, plan.outputs], plan.output.as_slice()].concat())?;
    for tap in plan.taps() {
        let seen = plan.grouped(&x.slice(&whole(batch, plan.channels, &tap.input))?, batch, plan.channels)?;
        let part = plan.matrix(weight, &tap)?.matmul(&seen)?;
        let region = whole(batch, plan.outputs, &tap.output);
        y = y.add_region(&region, &part.reshape(&extents(&region))?)?;
    }
    Ok(y)
}

pub(super) fn convolve_adjoint<F: Real>(
    y: &Array<F>,
    weight: &Array<F>,
    geometry: &ConvGeometry,
    input_spatial: &[usize],
) -> Result<Array<F>> {
    let plan = Plan::new("convolve_adjoint", weight, geometry, input_spatial)?.with_outputs_of(y);
    let batch = plan.check("convolve_adjoint", y, plan.outputs, &plan.output)?;
    let mut x = y.zeros(&[&[batch, plan.channels], plan.input.as_slice()].concat())?;
    for tap in plan.taps() {
        let seen = plan.grouped(&y.slice(&whole(batch, plan.outputs, &tap.output))?, batch, plan.outputs)?;
        let part = plan.matrix(weight, &tap)?.transpose()?.matmul(&seen)?;
        let region = whole(batch, plan.channels, &tap.input);
        x = x.add_region(&region, &part.reshape(&extents(&region))?)?;
    }
    Ok(x)
}

/// The checked sizes of one convolution.
struct Plan<'a> {
    geometry: &'a ConvGeometry,
    /// Channels of the input.
    channels: usize,
    /// Channels of the output.
    outputs: usize,
    kernel: Vec<usize>,
    input: Vec<usize>,
    output: Vec<usize>,
}

/// One kernel cell, and the cells it connects: along each spatial axis, the i-th of these input and output cells.
struct Tap {
    kernel: Vec<Range>,
    input: Vec<Range>,
    output: Vec<Range>,
}

impl<'a> Plan<'a> {
    fn new<F: Real>(
        operation: &'static str,
        weight: &Array<F>,
        geometry: &'a ConvGeometry,
        input: &[usize],
    ) -> Result<Self> {
        let refuse = |why: &str| {
            let message = format!("{why} (input {input:?}, weight {:?}, {geometry:?})", weight.shape);
            Err(Error::tensor(operation, message))
        };
        let [outputs, depth, kernel @ ..] = &weight.shape[..] else {
            return refuse("a weight has the shape [outputs, channels / groups, kernel…]");
        };
        weight.float(operation)?;
        let ConvGeometry { stride, padding, dilation, groups } = geometry;
        if [stride.len(), padding.len(), dilation.len(), input.len()] != [kernel.len(); 4] {
            return refuse(
                "stride, padding, dilation, input and kernel need one entry for each spatial axis",
            );
        }
        if *groups == 0 || outputs % groups != 0 {
            return refuse("the groups must divide the outputs");
        }
        let Some(channels) = depth.checked_mul(*groups) else { return refuse("there are too many channels") };
        let output: Option<Vec<usize>> = (0..kernel.len())
            .map(|axis| output_extent(input[axis], kernel[axis], stride[axis], padding[axis], dilation[axis]))
            .collect();
        let Some(output) = output else {
            return refuse(
                "kernel, stride and dilation must be at least 1 and the kernel fit in the padded input",
            );
        };
        let (outputs, kernel, input) = (*outputs, kernel.to_vec(), input.to_vec());
        Ok(Self { geometry, channels, outputs, kernel, input, output })
    }

    /// The plan of an adjoint. `y` may lack the last output cells, as long as the input cells that only these need are fewer than
    /// its stride or its dilation: the output padding of a transposed convolution.
    fn with_outputs_of<F: Real>(mut self, y: &Array<F>) -> Self {
        let ConvGeometry { stride, dilation, .. } = self.geometry;
        for (axis, output) in self.output.iter_mut().enumerate() {
            let given = y.shape.get(axis + 2).copied().unwrap_or(0);
            let cells_less = output.saturating_sub(given).saturating_mul(stride[axis]);
            if given > 0 && cells_less < dilation[axis] {
                *output = given.min(*output);
            }
        }
        self
    }

    /// Checks an operand against the plan; returns its batch size.
    fn check<F: Real>(
        &self,
        operation: &'static str,
        operand: &Array<F>,
        channels: usize,
        spatial: &[usize],
    ) -> Result<usize> {
        operand.float(operation)?;
        let batch = operand.shape.first().copied().unwrap_or(1);
        shape::check_shape(
            operation,
            "the operand",
            &operand.shape,
            &[&[batch, channels], spatial].concat(),
        )?;
        Ok(batch)
    }

    /// The kernel cells that meet an input cell.
    fn taps(&self) -> impl Iterator<Item = Tap> {
        let cells = ndarray::indices(self.kernel.as_slice()).into_iter();
        cells.filter_map(|cell| {
            let met: Option<Vec<(Range, Range)>> =
                cell.slice().iter().enumerate().map(|(axis, &cell)| self.met(axis, cell)).collect();
            let (input, output) = met?.into_iter().unzip();
            Some(Tap {
                kernel: cell.slice().iter().map(|&cell| Range::span(cell, 1)).collect(),
                input,
                output,
            })
        })
    }

    /// The input cells that a kernel cell meets along an axis, and the output cells from which it meets them.
    fn met(&self, axis: usize, cell: usize) -> Option<(Range, Range)> {
        let ConvGeometry { stride, padding, dilation, .. } = self.geometry;
        let (stride, padding, shift) = (stride[axis], padding[axis], cell * dilation[axis]);
        // The first output cell whose input cell is not in the leading padding.
        let first = padding.saturating_sub(shift).div_ceil(stride);
        let start = first.saturating_mul(stride).saturating_add(shift) - padding;
        let behind = self.input[axis].checked_sub(start)?;
        let len = behind.div_ceil(stride).min(self.output[axis].checked_sub(first)?);
        (len > 0).then_some((Range { start, len, step: stride }, Range::span(first, len)))
    }

    /// `[batch, channels, spatial…]` → `[batch, groups, channels / groups, cells]`
    fn grouped<F: Real>(&self, part: &Array<F>, batch: usize, channels: usize) -> Result<Array<F>> {
        let cells = part.shape.iter().skip(2).product();
        let groups = self.geometry.groups;
        part.reshape(&[batch, groups, channels / groups, cells])
    }

    /// The weight at a kernel cell: `[groups, outputs / groups, channels / groups]`
    fn matrix<F: Real>(&self, weight: &Array<F>, tap: &Tap) -> Result<Array<F>> {
        let groups = self.geometry.groups;
        let depth = self.channels / groups;
        let region = whole(self.outputs, depth, &tap.kernel);
        weight.slice(&region)?.reshape(&[groups, self.outputs / groups, depth])
    }
}

/// ⌊(input + 2 padding − dilation (kernel − 1) − 1) / stride⌋ + 1
fn output_extent(
    input: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    dilation: usize,
) -> Option<usize> {
    if dilation == 0 {
        return None;
    }
    let padded = padding.checked_mul(2)?.checked_add(input)?;
    let reach = kernel.checked_sub(1)?.checked_mul(dilation)?.checked_add(1)?;
    Some(padded.checked_sub(reach)?.checked_div(stride)? + 1)
}

/// All of the two leading axes, and a region of the spatial axes.
fn whole(first: usize, second: usize, spatial: &[Range]) -> Vec<Range> {
    [&[Range::full(first), Range::full(second)], spatial].concat()
}

fn extents(region: &[Range]) -> Vec<usize> {
    region.iter().map(|range| range.len).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{inner, integers, refused};
    use super::*;
    use ndarray::{ArrayD, IxDyn};
    use proptest::prelude::*;

    fn geometry(stride: usize, padding: usize, dilation: usize) -> ConvGeometry {
        ConvGeometry { stride: vec![stride], padding: vec![padding], dilation: vec![dilation], groups: 1 }
    }

    fn line(values: &[f64]) -> Array {
        Array::from_slice(&[1, 1, values.len()], values)
    }

    #[test]
    fn a_line_by_hand() {
        let (x, weight) = (line(&[1.0, 2.0, 3.0, 4.0]), line(&[1.0, -10.0]));
        assert_eq!(x.convolve(&weight, &geometry(1, 0, 1)).unwrap(), line(&[-19.0, -28.0, -37.0]));
        assert_eq!(x.convolve(&weight, &geometry(2, 1, 1)).unwrap(), line(&[-10.0, -28.0, 4.0]));
        assert_eq!(x.convolve(&weight, &geometry(1, 0, 2)).unwrap(), line(&[-29.0, -38.0]));
    }

    #[test]
    fn input_cells_left_over_by_the_stride_receive_nothing() {
        let received =
            line(&[1.0, 2.0]).convolve_adjoint(&line(&[1.0, 10.0]), &geometry(3, 0, 1), &[7]).unwrap();
        assert_eq!(received, line(&[1.0, 10.0, 0.0, 2.0, 20.0, 0.0, 0.0]));
    }

    /// PyTorch allows an output padding that is smaller than the dilation: here 1 with a stride of 1.
    #[test]
    fn output_cells_left_out_count_as_zero() {
        let (weight, geometry) = (line(&[1.0, 10.0]), geometry(1, 0, 2));
        let received = line(&[1.0, 2.0]).convolve_adjoint(&weight, &geometry, &[5]).unwrap();
        assert_eq!(received, line(&[1.0, 2.0, 10.0, 20.0, 0.0]));
        refused(line(&[1.0, 2.0]).convolve_adjoint(&weight, &geometry, &[6]), "convolve_adjoint");
    }

    #[test]
    fn geometries_that_do_not_fit() {
        let (x, weight) = (line(&[1.0, 2.0]), line(&[1.0, 1.0]));
        for (stride, padding, dilation) in
            [(0, 0, 1), (1, 0, 0), (1, 0, 2), (1, usize::MAX, 1), (1, 0, usize::MAX)]
        {
            refused(x.convolve(&weight, &geometry(stride, padding, dilation)), "convolve");
        }
        let grouped = |groups| ConvGeometry { groups, ..geometry(1, 0, 1) };
        refused(x.convolve(&weight, &grouped(0)), "convolve");
        refused(x.convolve(&weight, &grouped(2)), "convolve");
        refused(x.convolve(&line(&[]), &geometry(1, 0, 1)), "convolve");
        refused(x.convolve(&x.reshape(&[2]).unwrap(), &geometry(1, 0, 1)), "convolve");
        refused(x.reshape(&[2]).unwrap().convolve(&weight, &geometry(1, 0, 1)), "convolve");
        refused(x.reshape(&[1, 2, 1]).unwrap().convolve(&line(&[1.0]), &geometry(1, 0, 1)), "convolve");
        refused(Array::ints(&[1, 1, 2], &[1, 2]).convolve(&weight, &geometry(1, 0, 1)), "convolve");
        refused(x.convolve(&Array::ints(&[1, 1, 1], &[1]), &geometry(1, 0, 1)), "convolve");
        refused(x.convolve_adjoint(&weight, &geometry(1, 0, 1), &[2]), "convolve_adjoint");
        refused(x.convolve_adjoint(&weight, &geometry(1, 0, 1), &[3, 3]), "convolve_adjoint");
    }

    #[test]
    fn a_stride_longer_than_any_input_leaves_the_first_cell() {
        let (x, weight) = (line(&[3.0, 4.0]), line(&[2.0]));
        assert_eq!(x.convolve(&weight, &geometry(usize::MAX, 0, 1)).unwrap(), line(&[6.0]));
        assert_eq!(x.convolve(&weight, &geometry(usize::MAX, 1, 1)).unwrap(), line(&[0.0]));
    }

    /// A convolution by its definition, cell by cell.
    fn naive(x: &Array, weight: &Array, geometry: &ConvGeometry, output: &[usize]) -> ArrayD<f64> {
        let (x, weight) = (x.as_array().unwrap(), weight.as_array().unwrap());
        let (outputs, depth, kernel) = (weight.shape()[0], weight.shape()[1], &weight.shape()[2..]);
        let mut y = ArrayD::zeros(IxDyn(output));
        for batch in 0..x.shape()[0] {
            for out in 0..outputs {
                for cell in ndarray::indices(&output[2..]) {
                    for channel in 0..depth {
                        for tap in ndarray::indices(kernel) {
                            let first = out / (outputs / geometry.groups) * depth;
                            let place: Vec<usize> = (0..kernel.len())
                                .map(|axis| {
                                    (cell[axis] * geometry.stride[axis] + tap[axis] * geometry.dilation[axis])
                                        .wrapping_sub(geometry.padding[axis])
                                })
                                .collect();
                            let seen = [&[batch, first + channel], place.as_slice()].concat();
                            let weight = weight[IxDyn(&[&[out, channel], tap.slice()].concat())];
                            let target = [&[batch, out], cell.slice()].concat();
                            y[IxDyn(&target)] += weight * x.get(IxDyn(&seen)).copied().unwrap_or(0.0);
                        }
                    }
                }
            }
        }
        y
    }

    /// Input, weight, geometry, and an output-shaped tensor.
    fn convolutions() -> impl Strategy<Value = (Array, Array, ConvGeometry, Array)> {
        let axis = (1_usize..4, 1_usize..4, 0_usize..4, 1_usize..3, 0_usize..4);
        let sizes = (1_usize..3, 1_usize..3, 1_usize..3, 1_usize..4);
        (prop::collection::vec(axis, 1..4), sizes).prop_flat_map(|(axes, (batch, depth, fan, groups))| {
            let (mut input, mut kernel, mut output) =
                (vec![batch, groups * depth], vec![groups * fan, depth], vec![batch, groups * fan]);
            let mut geometry = ConvGeometry { stride: vec![], padding: vec![], dilation: vec![], groups };
            for (taps, stride, padding, dilation, more) in axes {
                let reach = dilation * (taps - 1) + 1;
                let extent = reach.saturating_sub(2 * padding).max(1) + more;
                input.push(extent);
                kernel.push(taps);
                output.push((extent + 2 * padding - reach) / stride + 1);
                geometry.stride.push(stride);
                geometry.padding.push(padding);
                geometry.dilation.push(dilation);
            }
            (integers(input), integers(kernel), Just(geometry), integers(output))
        })
    }

    proptest! {
        #[test]
        fn convolution_is_its_definition((x, weight, geometry, y) in convolutions()) {
            let expected = naive(&x, &weight, &geometry, &y.shape());
            prop_assert_eq!(x.convolve(&weight, &geometry).unwrap().to_array().unwrap(), expected);
        }

        #[test]
        fn the_adjoint_is_adjoint((x, weight, geometry, y) in convolutions()) {
            let there = inner(&x.convolve(&weight, &geometry).unwrap(), &y);
            let back = y.convolve_adjoint(&weight, &geometry, &x.shape()[2..]).unwrap();
            prop_assert_eq!(there, inner(&x, &back));
        }
    }
}
