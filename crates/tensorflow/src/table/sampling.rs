//! Interpolation (rules §2 and §5).
//!
//! Pictures are `[N, H, W, C]`, and each of the two axes H and W is resized by itself. Resizing unit vectors gives the
//! weights, so rounding, corners and edges are exactly the operator's.

use super::Entry;
use crate::lowering::{Lowering, input, integers};
use crate::rearrange::{self, numbers};
use crate::{DataType, Record, Tensor as Handle, TfTensor};
use dlbacktrace_core::maps::{Axes, BlockMatrix};
use dlbacktrace_core::ops::{Nearest, Separable};
use dlbacktrace_core::{Error, Family, Result, Tensor};

pub(super) const ENTRIES: &[Entry] = &[
    Entry::by_shape(&["ResizeNearestNeighbor"], Family::Movement, nearest),
    Entry::by_data(
        &["ResizeBilinear", "ResizeBicubic", "ResizeArea", "ScaleAndTranslate"],
        Family::WeightedSum,
        interpolate,
    ),
];

/// The axes of height and width.
const AXES: [usize; 2] = [1, 2];

/// Which cell is copied to which, axis by axis.
fn nearest(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let operand = lowering.unread(input(record, 0)?);
    let types = rearrange::types(lowering, input(record, 0)?)?;
    let shape = operand.meta.shape.clone();
    let sources = AXES
        .into_iter()
        .map(|axis| {
            let extent = *shape.get(axis).ok_or_else(|| no_picture(&shape))?;
            let mut along = [1; 4];
            along[axis] = extent;
            let cells = numbers(&lowering.framework.context, types.1, &along, 0)?;
            let cells = rearrange::to_index(resized(lowering, record, types, cells, axis)?)?.to_indices()?;
            Ok((axis, cells.into_iter().map(|cell| usize::try_from(cell).unwrap_or(0)).collect()))
        })
        .collect::<Result<Vec<_>>>()?;
    lowering.step(record, Box::new(Nearest::new(&shape, &sources)?), vec![operand])
}

fn interpolate(lowering: &mut Lowering, record: &Record) -> Result<()> {
    let operand = lowering.number(record, input(record, 0)?)?;
    let shape = operand.meta.shape.clone();
    let types = (rearrange::types(lowering, input(record, 0)?)?.0, DataType::FLOAT);
    let matrices = AXES
        .into_iter()
        .map(|axis| {
            let extent = *shape.get(axis).ok_or_else(|| no_picture(&shape))?;
            let units: Vec<u8> = (0..extent * extent)
                .flat_map(|cell| f32::from(u8::from(cell % (extent + 1) == 0)).to_ne_bytes())
                .collect();
            // One unit vector for each sample.
            let mut along = [extent, 1, 1, 1];
            along[axis] = extent;
            let units = lowering.framework.context.tensor(DataType::FLOAT, &along, &units);
            let units = units.map_err(|error| Error::tensor("unit vectors", error))?;
            let columns = TfTensor::from(resized(lowering, record, types, units, axis)?).to_array()?;
            let to = columns.shape()[axis];
            let columns: Vec<f64> = columns.into_iter().collect();
            let row = |index: usize| {
                let entries = (0..extent).map(|cell| (cell, columns[cell * to + index]));
                entries.filter(|(_, weight)| *weight != 0.0).collect()
            };
            Ok((axis, BlockMatrix::new(extent, &(0..to).map(row).collect::<Vec<_>>())?))
        })
        .collect::<Result<_>>()?;
    lowering.step(record, Box::new(Separable { axes: Axes { matrices } }), vec![operand])
}

/// Resizes other pictures along one axis, as the operator resizes its own.
fn resized(
    lowering: &Lowering,
    record: &Record,
    types: (DataType, DataType),
    pictures: Handle,
    axis: usize,
) -> Result<Handle> {
    let context = &lowering.framework.context;
    let mut size = [1; 2];
    size[axis - 1] = *integers(record, 1)?.get(axis - 1).ok_or_else(|| no_picture(&[]))? as i32;
    let bytes: Vec<u8> = size.into_iter().flat_map(i32::to_ne_bytes).collect();
    let tensor = |data_type, bytes: &[u8]| {
        context.tensor(data_type, &[2], bytes).map_err(|error| Error::tensor("resizing", error))
    };
    let mut inputs = vec![pictures, tensor(DataType::INT32, &bytes)?];
    // Scales and translations; the other axis gets neutral ones.
    for (index, neutral) in (2..record.inputs.len()).zip([1.0_f32, 0.0]) {
        let given = lowering.operand(input(record, index)?)?.data()?.to_array()?;
        let mut both = [neutral; 2];
        both[axis - 1] = given.iter().nth(axis - 1).map_or(neutral, |&number| number as f32);
        let bytes: Vec<u8> = both.into_iter().flat_map(f32::to_ne_bytes).collect();
        inputs.push(tensor(DataType::FLOAT, &bytes)?);
    }
    let made = rearrange::again(lowering, record, types, &inputs)?;
    made.into_iter().next().ok_or_else(|| Error::tensor("resizing", "TensorFlow gave nothing back"))
}

fn no_picture(shape: &[usize]) -> Error {
    Error::Uncovered(format!("{shape:?} is no picture"))
}

#[cfg(test)]
mod tests {
    use super::super::jacobians::{Case, integers, numbers, text, values};
    use crate::proto::Attribute::Bool;

    #[test]
    fn interpolations_share_by_their_jacobian() {
        for operator in ["ResizeBilinear", "ResizeBicubic", "ResizeNearestNeighbor", "ResizeArea"] {
            for (corners, centres) in [(false, false), (true, false), (false, true)] {
                for size in [[6, 9], [3, 2], [1, 7]] {
                    let mut attributes = vec![("align_corners", Bool(corners))];
                    if operator != "ResizeArea" {
                        attributes.push(("half_pixel_centers", Bool(centres)));
                    }
                    let inputs = [values(&[2, 4, 5, 2]), integers(&[2], &size)];
                    Case::new(operator, &attributes, &inputs).is_a_sum_of(&[0]);
                }
            }
        }
    }

    #[test]
    fn scaled_and_translated_pictures_share_by_their_jacobian() {
        for kernel in ["lanczos3", "triangle", "keyscubic"] {
            for antialias in [false, true] {
                let attributes = [("kernel_type", text(kernel)), ("antialias", Bool(antialias))];
                let (scale, translation) = (numbers(&[2], &[1.5, 0.6]), numbers(&[2], &[0.25, -0.5]));
                let inputs = [values(&[2, 4, 5, 2]), integers(&[2], &[6, 3]), scale, translation];
                Case::new("ScaleAndTranslate", &attributes, &inputs).is_a_sum_of(&[0]);
            }
        }
    }
}
