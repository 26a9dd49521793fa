//! Drawn shapes and windows.

use dlbacktrace_core::ConvGeometry;
use proptest::prelude::*;

/// Windows along one axis.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
    pub dilation: usize,
    pub input: usize,
    /// Cells that a transposed convolution adds at the end.
    pub extra: usize,
}

impl Axis {
    /// The cells from the first of a window to its last, both counted.
    fn span(self) -> usize {
        self.dilation * (self.kernel - 1) + 1
    }

    /// The number of windows that fit.
    pub fn windows(self) -> usize {
        (self.input + 2 * self.padding - self.span()) / self.stride + 1
    }

    /// The extent that a transposed convolution makes of `input` cells.
    pub fn unfolded(self) -> usize {
        (self.input - 1) * self.stride + self.span() + self.extra - 2 * self.padding
    }
}

/// One axis on which at least one window fits, also after a transposed convolution.
pub fn axis(dilated: bool) -> impl Strategy<Value = Axis> {
    let dilation = if dilated { 1_usize..3 } else { 1..2 };
    (1_usize..4, 1_usize..4, 0_usize..3, dilation, 0_usize..4, 0_usize..3).prop_map(
        |(kernel, stride, padding, dilation, more, extra)| {
            let span = dilation * (kernel - 1) + 1;
            let padding = padding.min((span - 1) / 2);
            let input = span.saturating_sub(2 * padding).max(1) + more;
            Axis { kernel, stride, padding, dilation, input, extra: extra.min(stride.max(dilation) - 1) }
        },
    )
}

/// One to three axes.
pub fn axes(dilated: bool) -> impl Strategy<Value = Vec<Axis>> {
    prop::collection::vec(axis(dilated), 1..4).prop_map(|mut axes| {
        // Three long axes are slow and tell nothing new.
        if axes.len() == 3 {
            axes.iter_mut().for_each(|axis| axis.input = axis.input.min(axis.span() + 1));
        }
        axes
    })
}

/// A convolution, transposed or not.
#[derive(Debug, Clone)]
pub struct Convolution {
    pub axes: Vec<Axis>,
    pub groups: usize,
    /// Channels of a group on the side of the kernel's first axis.
    pub first: usize,
    /// Channels of a group on the side of the kernel's second axis.
    pub second: usize,
    pub batch: Option<usize>,
    pub bias: bool,
    pub seed: u64,
}

/// Any convolution.
pub fn convolution() -> impl Strategy<Value = Convolution> {
    let batch = prop_oneof![1 => Just(None), 4 => (1_usize..3).prop_map(Some)];
    (axes(true), 1_usize..3, 1_usize..3, 1_usize..3, batch, any::<bool>(), any::<u64>()).prop_map(
        |(axes, groups, first, second, batch, bias, seed)| Convolution {
            axes,
            groups,
            first,
            second,
            batch,
            bias,
            seed,
        },
    )
}

impl Convolution {
    pub fn geometry(&self) -> ConvGeometry {
        let each = |of: fn(&Axis) -> usize| self.axes.iter().map(of).collect();
        ConvGeometry {
            stride: each(|axis| axis.stride),
            padding: each(|axis| axis.padding),
            dilation: each(|axis| axis.dilation),
            groups: self.groups,
        }
    }

    /// `[N, channels, spatial…]`, or without N.
    pub fn tensor(&self, channels: usize, of: fn(&Axis) -> usize) -> Vec<usize> {
        self.batch.into_iter().chain([channels]).chain(self.axes.iter().map(of)).collect()
    }

    /// `[first · groups, second, kernel…]`
    pub fn kernel(&self) -> Vec<usize> {
        let lead = [self.groups * self.first, self.second];
        lead.into_iter().chain(self.axes.iter().map(|axis| axis.kernel)).collect()
    }
}

/// A small shape.
pub fn shape(rank: std::ops::Range<usize>) -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1_usize..4, rank)
}

/// A shape and one that broadcasts to it.
pub fn broadcast() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
    (shape(0..4), prop::collection::vec(any::<bool>(), 3), 0_usize..3).prop_map(|(shape, single, missing)| {
        let kept = shape.iter().zip(single).map(|(&extent, single)| if single { 1 } else { extent });
        let narrow = kept.skip(missing).collect();
        (shape, narrow)
    })
}
