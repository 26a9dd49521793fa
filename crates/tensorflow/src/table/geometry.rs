//! Windows that slide over a tensor, as convolutions and poolings describe them.

use crate::Record;
use crate::lowering::{Lowering, input};
use dlbacktrace_core::{Error, Result};

/// The position of the channels in a record's tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// `[N, spatial…, C]`
    ChannelsLast,
    /// `[N, C, spatial…]`
    ChannelsFirst,
}

impl Layout {
    pub(super) fn of(record: &Record) -> Result<Self> {
        match record.operation.text("data_format") {
            None | Some("NHWC" | "NDHWC" | "NWC") => Ok(Self::ChannelsLast),
            Some("NCHW" | "NCDHW" | "NCW") => Ok(Self::ChannelsFirst),
            Some(other) => Err(Error::Uncovered(format!("the data format {other} has no rule"))),
        }
    }

    /// The numbers of the spatial axes, from one number for each axis.
    pub(super) fn spatial<T>(self, each: &[T]) -> &[T] {
        match self {
            Self::ChannelsLast => each.get(1..each.len().saturating_sub(1)).unwrap_or_default(),
            Self::ChannelsFirst => each.get(2..).unwrap_or_default(),
        }
    }
}

/// One number for each axis, from an attribute.
pub(super) fn extents(record: &Record, name: &str) -> Result<Vec<usize>> {
    let numbers = record.operation.ints(name);
    let numbers = numbers.ok_or_else(|| Error::Uncovered(format!("the operator has no attribute {name}")))?;
    natural(name, numbers)
}

/// Numbers that must not be negative.
pub(super) fn natural(name: &str, numbers: &[i64]) -> Result<Vec<usize>> {
    let negative = |_| Error::Uncovered(format!("negative {name}: {numbers:?}"));
    numbers.iter().map(|&number| usize::try_from(number).map_err(negative)).collect()
}

/// Windows along one axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) dilation: usize,
}

/// The number of padded cells before and after each axis, for as many axes as there are windows. `extents` are those of the
/// tensor over which the windows slide; `layout` decides which numbers of an explicit padding belong to these axes.
pub(super) fn padding(record: &Record, extents: &[usize], windows: &[Window]) -> Result<Vec<(usize, usize)>> {
    let along = |(&extent, window): (&usize, &Window)| {
        let Window { kernel, stride, dilation } = *window;
        let windows = extent.div_ceil(stride.max(1));
        let covered = windows.saturating_sub(1) * stride + kernel.saturating_sub(1) * dilation + 1;
        let total = covered.saturating_sub(extent);
        (total / 2, total - total / 2)
    };
    match record.operation.text("padding") {
        Some("VALID") => Ok(vec![(0, 0); windows.len()]),
        Some("SAME") => Ok(extents.iter().zip(windows).map(along).collect()),
        Some("EXPLICIT") => {
            let each: Vec<(usize, usize)> = self::extents(record, "explicit_paddings")?
                .chunks_exact(2)
                .map(|pair| (pair[0], pair[1]))
                .collect();
            Ok(if each.len() == windows.len() { each } else { Layout::of(record)?.spatial(&each).to_vec() })
        }
        other => Err(Error::Uncovered(format!("the padding {other:?} has no rule"))),
    }
}

/// The shape of an input.
pub(super) fn shape(lowering: &Lowering, record: &Record, index: usize) -> Result<Vec<usize>> {
    Ok(lowering.meta(input(record, index)?).shape)
}
