//! Regions of a tensor.
//!
//! TensorFlow reads contiguous regions well. It reads others, and writes to any, one element at a time. So we treat such a region as
//! rows of contiguous cells: we read it by gathering rows, and add to it by scattering rows.

use super::TfTensor;
use super::conversion::{numbers, reshaped};
use super::layout::inverse;
use super::run::run;
use crate::Tensor as Handle;
use crate::eager::Attributes;
use dlbacktrace_core::{Error, Range, Result, Tensor};

/// A region of the stored tensor, checked to lie in it.
struct Region {
    operation: &'static str,
    /// The extent and range of each stored axis.
    axes: Vec<(usize, Range)>,
}

/// Rows of contiguous cells, and the rows that the region consists of.
struct Rows {
    cells: usize,
    places: Vec<usize>,
}

impl Region {
    fn new(operation: &'static str, x: &TfTensor, region: &[Range]) -> Result<Self> {
        let shape = x.extents();
        let inside = |(range, &extent): (&Range, &usize)| {
            let last = range.len.checked_sub(1).map(|steps| steps.saturating_mul(range.step));
            range.step > 0 && last.is_none_or(|last| range.start.saturating_add(last) < extent)
        };
        if region.len() != shape.len() || !region.iter().zip(shape).all(inside) {
            return Err(Error::tensor(
                operation,
                format!("the region {region:?} does not lie in the shape {shape:?}"),
            ));
        }
        let axes = x.as_stored(shape).into_iter().zip(x.as_stored(region)).collect();
        Ok(Self { operation, axes })
    }

    fn is_whole(&self) -> bool {
        self.axes.iter().all(|&(extent, range)| range == Range::full(extent))
    }

    fn extents(&self) -> Vec<usize> {
        self.axes.iter().map(|(_, range)| range.len).collect()
    }

    /// A row covers the last axes as far as they are whole, and of the axis before them a divisor of start, length and extent.
    fn rows(&self) -> Rows {
        let is_part = |&(extent, range): &(usize, Range)| range != Range::full(extent);
        let last = self.axes.iter().rposition(is_part).unwrap_or(0);
        let mut axes = self.axes[..self.axes.len().min(last + 1)].to_vec();
        let mut cells = self.axes[axes.len()..].iter().map(|(extent, _)| extent).product();
        if let Some((extent, range)) = axes.last_mut().filter(|(_, range)| range.step == 1) {
            let block = [range.start, range.len, *extent].into_iter().fold(0, divisor).max(1);
            *extent /= block;
            *range = Range::span(range.start / block, range.len / block);
            cells *= block;
        }
        let places = axes.iter().fold(vec![0], |places, (extent, range)| {
            let along = |place: usize| {
                (0..range.len).map(move |index| place * extent + range.start + index * range.step)
            };
            places.into_iter().flat_map(along).collect()
        });
        Rows { cells, places }
    }

    /// Cuts out a contiguous region.
    fn cut(&self, stored: &Handle) -> Result<Handle> {
        let each = |of: fn(&Range) -> usize| {
            let each: Vec<usize> = self.axes.iter().map(|(_, range)| of(range)).collect();
            numbers(self.operation, stored, &each)
        };
        let (start, len) = (each(|range| range.start)?, each(|range| range.len)?);
        run(self.operation, c"Slice", &Attributes::default(), stored.clone(), &[&start, &len])
    }

    fn gathered(&self, stored: &Handle) -> Result<Handle> {
        let Rows { cells, places } = self.rows();
        let all = reshaped(self.operation, stored.clone(), &[self.total() / cells.max(1), cells])?;
        let (places, axis) =
            (numbers(self.operation, stored, &places)?, numbers(self.operation, stored, &[0])?);
        let axis = reshaped(self.operation, axis, &[])?;
        let rows = run(self.operation, c"GatherV2", &Attributes::default(), all, &[&places, &axis])?;
        reshaped(self.operation, rows, &self.extents())
    }

    fn scattered(&self, stored: Handle, part: &Handle) -> Result<Handle> {
        let Rows { cells, places } = self.rows();
        let shape: Vec<usize> = self.axes.iter().map(|(extent, _)| *extent).collect();
        let part = reshaped(self.operation, part.clone(), &[places.len(), cells])?;
        let places =
            reshaped(self.operation, numbers(self.operation, &stored, &places)?, &[places.len(), 1])?;
        let all = reshaped(self.operation, stored, &[self.total() / cells.max(1), cells])?;
        let sum = run(self.operation, c"TensorScatterAdd", &Attributes::default(), all, &[&places, &part])?;
        reshaped(self.operation, sum, &shape)
    }

    fn total(&self) -> usize {
        self.axes.iter().map(|(extent, _)| extent).product()
    }
}

/// With rows of fewer cells, it is cheaper to store the tensor in such a way that rows are longer.
const SHORT: usize = 8;

/// The tensor stored with the whole axes of the region last, if its rows are short.
fn in_long_rows(x: TfTensor, region: &[Range], short: &Region) -> Result<TfTensor> {
    if short.rows().cells >= SHORT {
        return Ok(x);
    }
    let is_whole = |axis: usize| region[axis] == Range::full(x.extents()[axis]);
    let mut axes: Vec<usize> = (0..region.len()).collect();
    axes.sort_by_key(|&axis| (is_whole(axis), x.order()[axis]));
    let order = inverse(&axes);
    Ok(TfTensor::ordered(x.stored_as(&order)?, order))
}

fn divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { divisor(b, a % b) }
}

pub(super) fn slice(x: &TfTensor, region: &[Range]) -> Result<TfTensor> {
    let name = "slice";
    let checked = Region::new(name, x, region)?;
    if checked.is_whole() {
        return Ok(x.clone());
    }
    if checked.axes.iter().all(|(_, range)| range.step == 1) {
        return Ok(TfTensor::ordered(checked.cut(x.stored())?, x.order().to_vec()));
    }
    let x = in_long_rows(x.clone(), region, &checked)?;
    let part = Region::new(name, &x, region)?.gathered(x.stored())?;
    Ok(TfTensor::ordered(part, x.order().to_vec()))
}

/// Works in place if nobody else holds the tensor.
pub(super) fn add_region(x: TfTensor, region: &[Range], part: &TfTensor) -> Result<TfTensor> {
    let name = "add_region";
    let checked = Region::new(name, &x, region)?;
    if !region.iter().map(|range| &range.len).eq(part.extents()) {
        return Err(Error::tensor(name, format!("{part:?} does not fill {region:?}")));
    }
    if part.extents().contains(&0) {
        return Ok(x);
    }
    if checked.is_whole() {
        return x.accumulate(part);
    }
    let x = in_long_rows(x, region, &checked)?;
    let part = part.stored_as(x.order())?;
    let checked = Region::new(name, &x, region)?;
    let (stored, order) = x.into_parts();
    Ok(TfTensor::ordered(checked.scattered(stored, &part)?, order))
}

/// A tensor of zeros with x in a region.
pub(super) fn placed(x: &TfTensor, shape: &[usize], region: &[Range]) -> Result<TfTensor> {
    if x.extents() == shape { Ok(x.clone()) } else { add_region(x.zeros(shape)?, region, x) }
}
