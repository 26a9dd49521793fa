//! Convolutions (rules §2).

use super::Entry;
use super::geometry::{Layout, Window, extents, padding};
use crate::lowering::{Lowering, input};
use crate::{Record, Slot, TfTensor};
use dlbacktrace_core::ops::{ChannelsLast, Convolution, Pad, TransposedConvolution};
use dlbacktrace_core::rules::Kind;
use dlbacktrace_core::{BacktraceOp, ConvGeometry, Error, Family, Operand, Range, Result, Tensor};
use std::hash::{DefaultHasher, Hash, Hasher};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_data(&["Conv2D", "Conv3D"], Family::WeightedSum, |lowering, record| {
        convolution(lowering, record, false)
    })
    .of_kinds(&[Kind::Convolution, Kind::MatrixProduct])
    .sums(),
    Entry::by_data(&["DepthwiseConv2dNative"], Family::WeightedSum, |lowering, record| {
        convolution(lowering, record, true)
    })
    .of_kinds(&[Kind::Convolution, Kind::MatrixProduct])
    .sums(),
    Entry::by_data(
        &["Conv2DBackpropInput", "Conv2DBackpropInputV2", "Conv3DBackpropInput", "Conv3DBackpropInputV2"],
        Family::WeightedSum,
        |lowering, record| transposed(lowering, record, false),
    )
    .of_kinds(&[Kind::Convolution, Kind::MatrixProduct])
    .sums(),
    Entry::by_data(&["DepthwiseConv2dNativeBackpropInput"], Family::WeightedSum, |lowering, record| {
        transposed(lowering, record, true)
    })
    .of_kinds(&[Kind::Convolution, Kind::MatrixProduct])
    .sums(),
];

fn convolution(lowering: &mut Lowering, record: &Record, depthwise: bool) -> Result<()> {
    let layout = Layout::of(record)?;
    let mut x = lowering.operand(input(record, 0)?)?;
    let weight = filter(lowering, input(record, 1)?, depthwise)?;
    let shape = x.meta.shape.clone();
    let spatial = layout.spatial(&shape);
    let windows = windows(record, layout, &weight.meta.shape, spatial.len())?;
    let sides = padding(record, spatial, &windows)?;
    // Padding on both sides belongs to the convolution itself.
    let common: Vec<usize> = sides.iter().map(|&(before, after)| before.min(after)).collect();
    if sides.iter().any(|(before, after)| before != after) {
        let rest = |side: fn(&(usize, usize)) -> usize| {
            let lead = if layout == Layout::ChannelsLast { 1 } else { 2 };
            let mut rest = vec![0; shape.len()];
            for (axis, (pair, common)) in sides.iter().zip(&common).enumerate() {
                rest[lead + axis] = side(pair) - common;
            }
            rest
        };
        x = padded(lowering, &x, Pad { before: rest(|pair| pair.0), after: rest(|pair| pair.1) })?;
    }
    let channels = if layout == Layout::ChannelsLast { shape.last() } else { shape.get(1) };
    let geometry = geometry(&windows, common, groups(channels, weight.meta.shape.get(1))?);
    finish(lowering, record, layout, Convolution { geometry }, vec![x, weight])
}

/// Lowers a gradient of a convolution, which is a transposed convolution; its paddings are those of the convolution.
fn transposed(lowering: &mut Lowering, record: &Record, depthwise: bool) -> Result<()> {
    let layout = Layout::of(record)?;
    let x = lowering.operand(input(record, 2)?)?;
    let mut weight = filter(lowering, input(record, 1)?, depthwise)?;
    let output = lowering.output_shape(record)?;
    let spatial = layout.spatial(&output).to_vec();
    let windows = windows(record, layout, &weight.meta.shape, spatial.len())?;
    let sides = padding(record, &spatial, &windows)?;
    let wider = sides.iter().map(|&(before, after)| before.max(after)).collect();
    // A kernel widened by zeros on one side has the longer padding on both, so the result remains one sum with a bias.
    let zeros: Vec<(usize, usize)> = sides
        .iter()
        .map(|&(before, after)| (after.saturating_sub(before), before.saturating_sub(after)))
        .collect();
    if zeros.iter().any(|&zeros| zeros != (0, 0)) {
        if windows.iter().any(|window| window.dilation > 1) {
            return Err(Error::Uncovered(
                "a transposed convolution with dilation and uneven padding has no rule".into(),
            ));
        }
        weight = widened(lowering, weight, &zeros)?;
    }
    let channels = if layout == Layout::ChannelsLast { output.last() } else { output.get(1) };
    let geometry = geometry(&windows, wider, groups(channels, weight.meta.shape.get(1))?);
    finish(lowering, record, layout, TransposedConvolution { geometry, spatial }, vec![x, weight])
}

fn finish(
    lowering: &mut Lowering,
    record: &Record,
    layout: Layout,
    op: impl BacktraceOp<TfTensor> + 'static,
    operands: Vec<Operand<TfTensor>>,
) -> Result<()> {
    match layout {
        Layout::ChannelsLast => lowering.step(record, Box::new(ChannelsLast::new(op)), operands),
        Layout::ChannelsFirst => lowering.step(record, Box::new(op), operands),
    }
}

/// The windows along the spatial axes; `weight` is `[O, C / groups, kernel…]`.
fn windows(record: &Record, layout: Layout, weight: &[usize], spatial: usize) -> Result<Vec<Window>> {
    let (strides, dilations) = (extents(record, "strides")?, extents(record, "dilations")?);
    let kernel = weight.get(2..).unwrap_or_default();
    let each = kernel.iter().zip(layout.spatial(&strides)).zip(layout.spatial(&dilations));
    let windows: Vec<Window> =
        each.map(|((&kernel, &stride), &dilation)| Window { kernel, stride, dilation }).collect();
    if windows.len() == spatial {
        Ok(windows)
    } else {
        Err(Error::Uncovered(format!(
            "a kernel {kernel:?} over {spatial} axes with strides {strides:?} has no rule"
        )))
    }
}

fn geometry(windows: &[Window], padding: Vec<usize>, groups: usize) -> ConvGeometry {
    ConvGeometry {
        stride: windows.iter().map(|window| window.stride).collect(),
        padding,
        dilation: windows.iter().map(|window| window.dilation).collect(),
        groups,
    }
}

/// The number of groups: channels of the tensor divided by channels of the filter.
fn groups(channels: Option<&usize>, depth: Option<&usize>) -> Result<usize> {
    let groups = channels.zip(depth).and_then(|(channels, depth)| channels.checked_div(*depth));
    groups.ok_or_else(|| Error::Uncovered("the filter has no channels".into()))
}

/// A filter `[kernel…, C / groups, O]`, or depthwise `[kernel…, C, multiplier]`, as `[O, C / groups, kernel…]`.
fn filter(lowering: &mut Lowering, slot: &Slot, depthwise: bool) -> Result<Operand<TfTensor>> {
    let filter = lowering.operand(slot)?;
    let spatial = filter.meta.shape.len().saturating_sub(2);
    let kernel = 0..spatial;
    let order: Vec<usize> = match depthwise {
        true => [spatial, spatial + 1].into_iter().chain(kernel).collect(),
        false => [spatial + 1, spatial].into_iter().chain(kernel).collect(),
    };
    let shape: Vec<usize> = order.iter().map(|&axis| filter.meta.shape[axis]).collect();
    let single = || [&[shape[0] * shape[1], 1], &shape[2..]].concat();
    if filter.weight.is_none() {
        // The filter may depend on the input.
        let turned = lowering.writer.permute(&filter, &order)?;
        return if depthwise { lowering.writer.reshape(&turned, &single()) } else { Ok(turned) };
    }
    let turned = filter.data()?.permute(&order)?;
    Ok(in_form(filter, if depthwise { turned.reshape(&single())? } else { turned }, &order))
}

/// Adds cells of zero before and after the kernel.
fn widened(
    lowering: &mut Lowering,
    weight: Operand<TfTensor>,
    zeros: &[(usize, usize)],
) -> Result<Operand<TfTensor>> {
    let side =
        |side: fn(&(usize, usize)) -> usize| [0, 0].into_iter().chain(zeros.iter().map(side)).collect();
    let pad = Pad { before: side(|pair| pair.0), after: side(|pair| pair.1) };
    if weight.weight.is_none() {
        return padded(lowering, &weight, pad);
    }
    let wide = with_zeros(weight.data()?, &pad)?;
    Ok(in_form(weight, wide, zeros))
}

/// A variable in another form, which is a weight of its own.
fn in_form(mut weight: Operand<TfTensor>, data: TfTensor, form: impl Hash) -> Operand<TfTensor> {
    weight.meta.shape = data.shape();
    weight.data = Some(data);
    if let Some(key) = &mut weight.weight {
        let mut identity = DefaultHasher::new();
        (key.identity, form).hash(&mut identity);
        key.identity = identity.finish();
    }
    weight
}

/// Adds zeros around x.
fn padded(lowering: &mut Lowering, x: &Operand<TfTensor>, pad: Pad) -> Result<Operand<TfTensor>> {
    let data = with_zeros(x.data()?, &pad)?;
    Ok(lowering.writer.inner(Box::new(pad), vec![x.clone()], data))
}

fn with_zeros(x: &TfTensor, pad: &Pad) -> Result<TfTensor> {
    let shape = x.shape();
    let region: Vec<Range> =
        shape.iter().zip(&pad.before).map(|(&extent, &before)| Range::span(before, extent)).collect();
    let sides = pad.before.iter().zip(&pad.after);
    let wide: Vec<usize> =
        shape.iter().zip(sides).map(|(extent, (before, after))| extent + before + after).collect();
    x.zeros(&wide)?.add_region(&region, x)
}

#[cfg(test)]
mod tests {
    use super::super::jacobians::{Case, integers, ints, text, values};
    use crate::Tensor;
    use crate::proto::Attribute;

    fn attributes(
        strides: &[i64],
        dilations: &[i64],
        padding: &'static str,
        explicit: &[i64],
    ) -> Vec<(&'static str, Attribute)> {
        let mut attributes = vec![("strides", ints(strides)), ("padding", text(padding))];
        if !dilations.is_empty() {
            attributes.push(("dilations", ints(dilations)));
        }
        if !explicit.is_empty() {
            attributes.push(("explicit_paddings", ints(explicit)));
        }
        attributes
    }

    const UNEVEN: [i64; 8] = [0, 0, 2, 0, 1, 2, 0, 0];

    #[test]
    fn convolutions_share_by_their_jacobian() {
        let check = |x: &[usize], weight: &[usize], attributes: Vec<(&str, Attribute)>| {
            let operator = if x.len() == 5 { "Conv3D" } else { "Conv2D" };
            let case = Case::new(operator, &attributes, &[values(x), values(weight)]);
            case.is_a_sum_of(&[0]);
            case.is_a_sum_of(&[1]);
        };
        check(&[2, 5, 4, 2], &[3, 2, 2, 3], attributes(&[1, 1, 1, 1], &[], "VALID", &[]));
        check(&[1, 6, 5, 2], &[3, 2, 2, 3], attributes(&[1, 2, 2, 1], &[], "SAME", &[]));
        check(&[1, 5, 6, 2], &[2, 3, 2, 2], attributes(&[1, 2, 1, 1], &[], "SAME", &[]));
        check(&[1, 6, 7, 2], &[3, 2, 2, 2], attributes(&[1, 1, 1, 1], &[1, 2, 3, 1], "SAME", &[]));
        check(&[1, 4, 5, 4], &[2, 2, 2, 6], attributes(&[1, 1, 1, 1], &[], "SAME", &[]));
        check(&[1, 4, 5, 2], &[3, 3, 2, 2], attributes(&[1, 2, 1, 1], &[], "EXPLICIT", &UNEVEN));
        check(&[1, 3, 4, 3, 2], &[2, 3, 2, 2, 2], attributes(&[1, 2, 2, 1, 1], &[], "SAME", &[]));
    }

    #[test]
    fn depthwise_convolutions_share_by_their_jacobian() {
        let check = |x: &[usize], weight: &[usize], attributes: Vec<(&str, Attribute)>| {
            let case = Case::new("DepthwiseConv2dNative", &attributes, &[values(x), values(weight)]);
            case.is_a_sum_of(&[0]);
            case.is_a_sum_of(&[1]);
        };
        check(&[2, 4, 5, 3], &[2, 3, 3, 2], attributes(&[1, 1, 1, 1], &[], "VALID", &[]));
        check(&[1, 6, 5, 2], &[3, 2, 2, 2], attributes(&[1, 2, 2, 1], &[], "SAME", &[]));
        check(&[1, 4, 5, 2], &[2, 2, 2, 1], attributes(&[1, 1, 1, 1], &[], "EXPLICIT", &UNEVEN));
    }

    #[test]
    fn transposed_convolutions_share_by_their_jacobian() {
        let check = |shape: &[i32], weight: &[usize], x: &[usize], attributes: Vec<(&str, Attribute)>| {
            let operator = if x.len() == 5 { "Conv3DBackpropInputV2" } else { "Conv2DBackpropInput" };
            let inputs: [Tensor; 3] = [integers(&[shape.len()], shape), values(weight), values(x)];
            let case = Case::new(operator, &attributes, &inputs);
            case.is_a_sum_of(&[2]);
            case.is_a_sum_of(&[1]);
        };
        check(&[2, 6, 5, 2], &[3, 2, 2, 3], &[2, 3, 3, 3], attributes(&[1, 2, 2, 1], &[], "SAME", &[]));
        check(&[1, 7, 8, 2], &[3, 3, 2, 3], &[1, 3, 3, 3], attributes(&[1, 2, 2, 1], &[], "VALID", &[]));
        check(&[1, 6, 6, 2], &[2, 2, 2, 2], &[1, 2, 2, 2], attributes(&[1, 3, 3, 1], &[], "SAME", &[]));
        check(
            &[1, 5, 5, 2],
            &[3, 3, 2, 3],
            &[1, 3, 6, 3],
            attributes(&[1, 2, 1, 1], &[], "EXPLICIT", &UNEVEN),
        );
        let strides = [1, 1, 2, 2, 1];
        check(&[1, 2, 4, 3, 2], &[2, 3, 2, 2, 1], &[1, 2, 2, 2, 1], attributes(&strides, &[], "SAME", &[]));
    }
}
