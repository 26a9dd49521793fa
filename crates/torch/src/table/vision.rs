//! Operators of torchvision (rules, "Detectors"): regions of feature maps, and convolutions with displaced cells. Boxes and
//! displacements say where to read; positions carry nothing.

mod regions;

use super::Entry;
use super::parts::{self, Operand};
use crate::TorchTensor;
use crate::arguments::Arguments;
use crate::lowering::Lowering;
use dlbacktrace_core::ops::{Convolution, Product, Rearrange, SparseSum};
use dlbacktrace_core::{ConvGeometry, Error, Family, Result, Tensor};
use dlbacktrace_torch_recorder::Call;
use regions::{Kernel, Map, Regions};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::constant(&["torchvision::nms"]),
    Entry::by_data(&["torchvision::roi_align"], Family::WeightedSum, |lowering, call| {
        let aligned = call.flag("aligned");
        of_cells(lowering, call, |regions, map| regions.align(map, aligned))
    }),
    Entry::by_data(&["torchvision::ps_roi_align"], Family::WeightedSum, |lowering, call| {
        of_planes(lowering, call, Regions::align_by_position)
    }),
    Entry::by_data(&["torchvision::ps_roi_pool"], Family::WeightedSum, |lowering, call| {
        of_planes(lowering, call, Regions::pool_by_position)
    }),
    Entry::by_data(&["torchvision::roi_pool"], Family::Winner, winners),
    Entry::by_data(&["torchvision::deform_conv2d"], Family::WeightedSum, displaced),
];

/// The extents of a tensor of four axes.
fn extents(operand: &Operand) -> Result<[usize; 4]> {
    operand.meta.shape.as_slice().try_into().map_err(|_| {
        Error::Uncovered(format!(
            "{:?} is not the shape of a batch of feature maps [N, C, H, W]",
            operand.meta.shape
        ))
    })
}

fn regions(lowering: &Lowering, call: &Call) -> Result<Regions> {
    let boxes = lowering.operand(call.tensor("rois")?)?.data()?.to_array()?;
    let [height, width] = ["pooled_height", "pooled_width"].map(|name| call.extents(name, 1));
    let sampling = call.int("sampling_ratio").unwrap_or(0).max(0) as usize;
    let scale = call.optional_number("spatial_scale").unwrap_or(1.0);
    let boxes = boxes
        .rows()
        .into_iter()
        .map(|row| row.to_vec().try_into().map_err(|_| Error::Uncovered("a region is five numbers".into())))
        .collect::<Result<Vec<[f64; 5]>>>()?;
    Ok(Regions { boxes, scale, pooled: [height?[0], width?[0]], sampling })
}

/// Lowers an operator that treats each channel alike: cells are rows, channels are columns.
fn of_cells(
    lowering: &mut Lowering,
    call: &Call,
    entries: impl FnOnce(&Regions, &Map) -> dlbacktrace_core::maps::Entries,
) -> Result<()> {
    let x = lowering.operand(call.tensor("input")?)?;
    let [samples, channels, height, width] = extents(&x)?;
    let regions = regions(lowering, call)?;
    let [rows, columns] = regions.pooled;
    let entries = entries(&regions, &Map { channels, height, width });
    let x = lowering.writer.permute(&x, &[0, 2, 3, 1])?;
    let x = lowering.writer.reshape(&x, &[samples * height * width, channels])?;
    let y = summed(lowering, x, SparseSum { entries, rows: regions.boxes.len() * rows * columns })?;
    let y = lowering.writer.reshape(&y, &[regions.boxes.len(), rows, columns, channels])?;
    let y = lowering.writer.permute(&y, &[0, 3, 1, 2])?;
    parts::finish(lowering, call, y)
}

/// Lowers an operator that reads another channel for each place in a region: every element is a row.
fn of_planes(
    lowering: &mut Lowering,
    call: &Call,
    entries: fn(&Regions, &Map) -> dlbacktrace_core::maps::Entries,
) -> Result<()> {
    let x = lowering.operand(call.tensor("input")?)?;
    let [samples, channels, height, width] = extents(&x)?;
    let regions = regions(lowering, call)?;
    let entries = entries(&regions, &Map { channels, height, width });
    let x = lowering.writer.reshape(&x, &[samples * channels * height * width, 1])?;
    let rows = lowering.output_shape(call)?.iter().product();
    let y = summed(lowering, x, SparseSum { entries, rows })?;
    parts::finish(lowering, call, y)
}

fn summed(lowering: &mut Lowering, x: Operand, sum: SparseSum) -> Result<Operand> {
    let data = sum.of(x.data()?)?;
    Ok(lowering.writer.inner(Box::new(sum), vec![x], data))
}

/// The largest cell of each bin takes the relevance; the operator returns which it was.
fn winners(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let x = lowering.operand(call.tensor("input")?)?;
    let [_, channels, height, width] = extents(&x)?;
    let places = call.outputs.get(1).and_then(|output| output.slot.tensor.as_ref());
    let places = places.ok_or_else(|| Error::Uncovered("the operator returned no places".into()))?;
    let places = TorchTensor::from(places.shallow_clone()).to_indices()?;
    let regions = regions(lowering, call)?;
    let plane = height * width;
    let cell = |(at, &place): (ndarray::IxDyn, &i64)| {
        let sample = regions.boxes[at[0]][0].max(0.0) as usize;
        // A bin without cells gives 0.
        if place < 0 { -1 } else { ((sample * channels + at[1]) * plane) as i64 + place }
    };
    let index: Vec<i64> = places.indexed_iter().map(cell).collect();
    let index = x.data()?.indices(&index)?;
    let outputs = lowering.made(call).into_iter().take(1).collect();
    lowering.writer.step(Box::new(Rearrange::new(index)), vec![x], outputs);
    Ok(())
}

/// First what each cell of the kernel reads, displaced and weighted by the mask; then the convolution of that.
fn displaced(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let x = lowering.operand(call.tensor("input")?)?;
    let weight = lowering.operand(call.tensor("weight")?)?;
    let ([samples, channels, height, width], [outputs, _, rows, columns]) = (extents(&x)?, extents(&weight)?);
    let pair = |name: &str| -> Result<[usize; 2]> {
        Ok([call.extents(&format!("{name}_h"), 1)?[0], call.extents(&format!("{name}_w"), 1)?[0]])
    };
    let kernel = Kernel {
        extents: [rows, columns],
        stride: pair("stride")?,
        padding: pair("pad")?,
        dilation: pair("dilation")?,
    };
    let displacement = lowering.operand(call.tensor("offset")?)?.data()?.to_array()?;
    let displacements = call.extents("offset_groups", 1)?[0];
    let (cells, each) = (rows * columns, channels / displacements.max(1));
    let [out_rows, out_columns] = [displacement.shape()[2], displacement.shape()[3]];
    let entries = kernel.entries(&Map { channels, height, width }, &displacement, displacements);

    let x = lowering.writer.reshape(&x, &[samples, displacements, each, height, width])?;
    let x = lowering.writer.permute(&x, &[0, 1, 3, 4, 2])?;
    let x = lowering.writer.reshape(&x, &[samples * displacements * height * width, each])?;
    let read = samples * displacements * cells * out_rows * out_columns;
    let y = summed(lowering, x, SparseSum { entries, rows: read })?;
    let y = lowering.writer.reshape(&y, &[samples, displacements, cells, out_rows, out_columns, each])?;
    let mut y = lowering.writer.permute(&y, &[0, 1, 5, 2, 3, 4])?;
    if call.flag("use_mask") {
        let mask = lowering.operand(call.tensor("mask")?)?;
        let mask =
            lowering.writer.reshape(&mask, &[samples, displacements, 1, cells, out_rows, out_columns])?;
        let data = y.data()?.mul(mask.data()?)?;
        y = lowering.writer.inner(Box::new(Product), vec![y, mask], data);
    }
    let y = lowering.writer.reshape(&y, &[samples, channels * cells, out_rows, out_columns])?;
    let groups = call.extents("groups", 1)?[0];
    let weight = lowering.writer.reshape(&weight, &[outputs, channels / groups.max(1) * cells, 1, 1])?;
    let mut operands = vec![y, weight];
    operands.extend(call.optional("bias").map(|bias| lowering.operand(bias)).transpose()?);
    let geometry = ConvGeometry { stride: vec![1; 2], padding: vec![0; 2], dilation: vec![1; 2], groups };
    lowering.step(call, Box::new(Convolution { geometry }), operands)
}
