//! Convolutions and their adjoints.
//!
//! TensorFlow's kernels take channels last and two or three spatial axes; a convolution over one axis runs as one over two. On
//! processors there are no kernels for groups (except for single channels), for dilations over three axes, or for dilations in
//! an adjoint. We build these from the existing ones:
//!
//! - groups are convolved one after the other;
//! - a dilation over three axes becomes a kernel with zeros between its cells;
//! - the adjoint of a dilated convolution becomes the convolution of y, with zeros between its cells if there is a stride, with
//!   the reversed kernel.

use super::TfTensor;
use super::conversion::reshaped;
use super::movement::{channels_first, channels_last};
use super::region::placed;
use super::run::run;
use crate::eager::{Attributes, list_of_ints, one_word};
use crate::{DataType, Tensor as Handle};
use dlbacktrace_core::{ConvGeometry, Error, Range, Result, Tensor};

pub(super) fn convolve(x: &TfTensor, weight: &TfTensor, geometry: &ConvGeometry) -> Result<TfTensor> {
    let name = "convolve";
    let plan = Plan::new(name, weight, geometry, x.extents().get(2..).unwrap_or_default())?;
    plan.check(x, plan.channels, plan.input)?;
    if plan.input.len() == 1 {
        let (x, weight) = (x.inserted(2, 1)?, weight.inserted(2, 1)?);
        return convolve(&x, &weight, &over_two_axes(geometry))?.removed(2);
    }
    if plan.input.len() == 3 && plan.dilates() {
        return convolve(x, &plan.dilated(weight)?, &undilated(geometry));
    }
    if plan.is_depthwise() {
        let inputs = [&plan.depthwise_filter(weight)?];
        let y = run(name, c"DepthwiseConv2dNative", &plan.attributes(), channels_last(x)?, &inputs)?;
        return channels_first(y);
    }
    if geometry.groups > 1 {
        return plan.by_groups(x, weight, convolve);
    }
    if plan.channels == 1 && geometry.stride.iter().any(|&stride| stride != geometry.stride[0]) {
        // In this case TensorFlow 2.21 reads past the end of x, in single precision. A second channel of zeros avoids it.
        return convolve(&of_two_channels(x)?, &of_two_channels(weight)?, geometry);
    }
    let filter = plan.filter(weight)?;
    channels_first(if plan.input.len() == 2 {
        run(name, c"Conv2D", &plan.attributes(), channels_last(x)?, &[&filter])?
    } else {
        run(name, c"Conv3D", &plan.attributes(), channels_last(&plan.padded(x)?)?, &[&filter])?
    })
}

pub(super) fn convolve_adjoint(
    y: &TfTensor,
    weight: &TfTensor,
    geometry: &ConvGeometry,
    input_spatial: &[usize],
) -> Result<TfTensor> {
    let name = "convolve_adjoint";
    let plan = Plan::new(name, weight, geometry, input_spatial)?;
    let y = &plan.completed(y)?;
    plan.check(y, plan.outputs, &plan.output)?;
    if let &[length] = input_spatial {
        let (y, weight) = (y.inserted(2, 1)?, weight.inserted(2, 1)?);
        return convolve_adjoint(&y, &weight, &over_two_axes(geometry), &[1, length])?.removed(2);
    }
    if input_spatial.len() == 3 && plan.dilates() {
        return convolve_adjoint(y, &plan.dilated(weight)?, &undilated(geometry), input_spatial);
    }
    if plan.is_depthwise() {
        let inputs = [&plan.depthwise_filter(weight)?, &channels_last(y)?];
        let extents = plan.extents_of_x(y, plan.input)?;
        let operator = c"DepthwiseConv2dNativeBackpropInput";
        return channels_first(run(name, operator, &plan.attributes(), extents, &inputs)?);
    }
    if geometry.groups > 1 {
        let adjoint = |y: &TfTensor, weight: &TfTensor, geometry: &ConvGeometry| {
            convolve_adjoint(y, weight, geometry, input_spatial)
        };
        return plan.by_groups(y, weight, adjoint);
    }
    if plan.dilates() {
        return plan.turned_round(y, weight);
    }
    let inputs = [&plan.filter(weight)?, &channels_last(y)?];
    if input_spatial.len() == 2 {
        let extents = plan.extents_of_x(y, plan.input)?;
        channels_first(run(name, c"Conv2DBackpropInput", &plan.attributes(), extents, &inputs)?)
    } else {
        let extents = plan.extents_of_x(y, &plan.with_padding())?;
        let x = run(name, c"Conv3DBackpropInputV2", &plan.attributes(), extents, &inputs)?;
        plan.without_padding(&channels_first(x)?)
    }
}

/// The same geometry with a first spatial axis of a single cell. Its strides are equal, as some kernels require.
fn over_two_axes(geometry: &ConvGeometry) -> ConvGeometry {
    let ConvGeometry { stride, padding, dilation, groups } = geometry;
    ConvGeometry {
        stride: vec![stride[0]; 2],
        padding: vec![0, padding[0]],
        dilation: vec![1, dilation[0]],
        groups: *groups,
    }
}

/// Adds a second channel of zeros on axis 1.
fn of_two_channels(x: &TfTensor) -> Result<TfTensor> {
    let mut shape = x.shape();
    shape[1] = 2;
    placed(x, &shape, &x.extents().iter().map(|&extent| Range::full(extent)).collect::<Vec<_>>())
}

fn undilated(geometry: &ConvGeometry) -> ConvGeometry {
    ConvGeometry { dilation: vec![1; geometry.dilation.len()], ..geometry.clone() }
}

/// A convolution whose sizes fit.
struct Plan<'a> {
    operation: &'static str,
    geometry: &'a ConvGeometry,
    /// Channels of x, in all groups.
    channels: usize,
    /// Channels of y, in all groups.
    outputs: usize,
    kernel: &'a [usize],
    input: &'a [usize],
    /// The number of cells that the input gives.
    output: Vec<usize>,
}

impl<'a> Plan<'a> {
    fn new(
        operation: &'static str,
        weight: &'a TfTensor,
        geometry: &'a ConvGeometry,
        input: &'a [usize],
    ) -> Result<Self> {
        let refuse = || {
            let message =
                format!("input extents {input:?} do not fit the weight {weight:?} under {geometry:?}");
            Error::tensor(operation, message)
        };
        let &[outputs, depth, ref kernel @ ..] = weight.extents() else { return Err(refuse()) };
        let ConvGeometry { stride, padding, dilation, groups } = geometry;
        let spatial = kernel.len();
        let fits = (1..=3).contains(&spatial)
            && [stride.len(), padding.len(), dilation.len(), input.len()] == [spatial; 4]
            && !dilation.contains(&0)
            && outputs.checked_rem(*groups) == Some(0);
        let extent = |axis: usize| {
            let reach = dilation[axis].checked_mul(kernel[axis].checked_sub(1)?)?.checked_add(1)?;
            let padded = padding[axis].checked_mul(2)?.checked_add(input[axis])?;
            Some(padded.checked_sub(reach)?.checked_div(stride[axis])? + 1)
        };
        let output = if fits { (0..spatial).map(extent).collect::<Option<_>>() } else { None };
        let (output, channels) = output.zip(depth.checked_mul(*groups)).ok_or_else(refuse)?;
        Ok(Self { operation, geometry, channels, outputs, kernel, input, output })
    }

    fn check(&self, operand: &TfTensor, channels: usize, spatial: &[usize]) -> Result<()> {
        match operand.extents() {
            &[_, found, ref extents @ ..] if found == channels && extents == spatial => Ok(()),
            _ => {
                let message = format!("{operand:?} is not [N, {channels}] with spatial axes {spatial:?}");
                Err(Error::tensor(self.operation, message))
            }
        }
    }

    fn dilates(&self) -> bool {
        self.geometry.dilation.iter().any(|&distance| distance > 1)
    }

    /// Whether each channel is convolved by itself, as the depthwise kernels do.
    fn is_depthwise(&self) -> bool {
        let ConvGeometry { stride, groups, .. } = self.geometry;
        let even = stride.len() == 2 && stride[0] == stride[1];
        *groups > 1 && *groups == self.channels && even && !self.dilates()
    }

    /// y, with zeros for the last outputs if it lacks them.
    fn completed(&self, y: &TfTensor) -> Result<TfTensor> {
        let ConvGeometry { stride, dilation, .. } = self.geometry;
        let mut shape = y.shape();
        for (axis, &output) in self.output.iter().enumerate() {
            if let Some(given) = shape.get_mut(axis + 2).filter(|given| (1..output).contains(*given))
                && (output - *given).saturating_mul(stride[axis]) < dilation[axis]
            {
                *given = output;
            }
        }
        let region: Vec<Range> = y.extents().iter().map(|&extent| Range::full(extent)).collect();
        placed(y, &shape, &region)
    }

    /// Applies a convolution without groups to one group after the other.
    fn by_groups(
        &self,
        operand: &TfTensor,
        weight: &TfTensor,
        apply: impl Fn(&TfTensor, &TfTensor, &ConvGeometry) -> Result<TfTensor>,
    ) -> Result<TfTensor> {
        let groups = self.geometry.groups;
        let geometry = ConvGeometry { groups: 1, ..self.geometry.clone() };
        let part = |tensor: &TfTensor, axis: usize, group: usize| {
            let mut region: Vec<Range> = tensor.extents().iter().map(|&extent| Range::full(extent)).collect();
            let length = region[axis].len / groups;
            region[axis] = Range::span(group * length, length);
            tensor.slice(&region)
        };
        let parts =
            (0..groups).map(|group| apply(&part(operand, 1, group)?, &part(weight, 0, group)?, &geometry));
        TfTensor::concat(&parts.collect::<Result<Vec<_>>>()?, 1)
    }

    /// The weight with zeros between the cells of its kernel.
    fn dilated(&self, weight: &TfTensor) -> Result<TfTensor> {
        let mut shape = weight.shape();
        let mut region: Vec<Range> = shape.iter().map(|&extent| Range::full(extent)).collect();
        for (axis, &step) in self.geometry.dilation.iter().enumerate() {
            shape[axis + 2] = self.reach(axis) + 1;
            region[axis + 2].step = step;
        }
        placed(weight, &shape, &region)
    }

    /// The distance from the first to the last cell of the kernel.
    fn reach(&self, axis: usize) -> usize {
        self.geometry.dilation[axis] * (self.kernel[axis] - 1)
    }

    /// The adjoint, computed over x with its padding, which is then cut off.
    fn turned_round(&self, y: &TfTensor, weight: &TfTensor) -> Result<TfTensor> {
        let ConvGeometry { stride, dilation, .. } = self.geometry;
        let mut shape = y.shape();
        let mut region: Vec<Range> = shape.iter().map(|&extent| Range::full(extent)).collect();
        for (axis, padded) in self.with_padding().into_iter().enumerate() {
            let reach = self.reach(axis);
            shape[axis + 2] = padded + reach;
            region[axis + 2] = Range { start: reach, step: stride[axis], ..region[axis + 2] };
        }
        let spread = placed(y, &shape, &region)?;
        let turned = weight.flip(&[2, 3])?.permuted(&[1, 0, 2, 3])?;
        let dilation = dilation.clone();
        let each = ConvGeometry { stride: vec![1; 2], padding: vec![0; 2], dilation, groups: 1 };
        self.without_padding(&convolve(&spread, &turned, &each)?)
    }

    /// The extents of x with its padding.
    fn with_padding(&self) -> Vec<usize> {
        self.input.iter().zip(&self.geometry.padding).map(|(extent, padding)| extent + 2 * padding).collect()
    }

    /// The region of a padded x that is not padding.
    fn inner(&self, x: &TfTensor) -> Vec<Range> {
        let spatial = self.geometry.padding.iter().zip(self.input);
        let spatial = spatial.map(|(&start, &len)| Range::span(start, len));
        x.extents()[..2].iter().map(|&extent| Range::full(extent)).chain(spatial).collect()
    }

    fn padded(&self, x: &TfTensor) -> Result<TfTensor> {
        placed(x, &[&x.extents()[..2], &self.with_padding()].concat(), &self.inner(x))
    }

    fn without_padding(&self, x: &TfTensor) -> Result<TfTensor> {
        x.slice(&self.inner(x))
    }

    /// `[O, C, kernel…]` in TensorFlow's order, `[kernel…, C, O]`.
    fn filter(&self, weight: &TfTensor) -> Result<Handle> {
        weight.permuted(&(2..weight.extents().len()).chain([1, 0]).collect::<Vec<_>>())?.to_tensor()
    }

    /// `[O, 1, kernel…]` in TensorFlow's order, `[kernel…, C, O / C]`.
    fn depthwise_filter(&self, weight: &TfTensor) -> Result<Handle> {
        let shape = [self.kernel, &[self.channels, self.outputs / self.channels]].concat();
        reshaped(self.operation, self.filter(weight)?, &shape)
    }

    /// The extents `[N, spatial…, C]` of x for an adjoint.
    fn extents_of_x(&self, y: &TfTensor, spatial: &[usize]) -> Result<Handle> {
        let extents = y.extents()[..1].iter().chain(spatial).chain([&self.channels]);
        let extents: Vec<u8> = extents.flat_map(|&extent| (extent as i32).to_ne_bytes()).collect();
        let made = y.stored().context().tensor(DataType::INT32, &[spatial.len() + 2], &extents);
        made.map_err(super::failed(self.operation))
    }

    /// The attributes; over three axes there is no padding, which has no attribute there.
    fn attributes(&self) -> Attributes {
        let ConvGeometry { stride, padding, dilation, .. } = self.geometry;
        let along = |each: &[usize]| {
            [1].into_iter().chain(each.iter().map(|&number| number as i64)).chain([1]).collect()
        };
        let attributes =
            list_of_ints(c"strides", along(stride)).and(list_of_ints(c"dilations", along(dilation)));
        if padding.len() == 3 || padding.iter().all(|&cells| cells == 0) {
            return attributes.and(one_word(c"padding", "VALID"));
        }
        let both = padding.iter().flat_map(|&cells| [cells as i64; 2]);
        let explicit = [0; 2].into_iter().chain(both).chain([0; 2]).collect();
        attributes.and(one_word(c"padding", "EXPLICIT")).and(list_of_ints(c"explicit_paddings", explicit))
    }
}
