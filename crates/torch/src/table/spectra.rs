//! Convolutions by way of spectra, as long filters over sequences are computed: what the product of two spectra is transformed
//! back to is the convolution of what they are spectra of (rules §9). So a causal one is causal to the last bit, which sums
//! over all frequencies are not.

use super::parts::Operand;
use crate::arguments::Arguments;
use crate::lowering::Lowering;
use dlbacktrace_core::ops::{Convolution, Expand, Flip, Permute, Reshape};
use dlbacktrace_core::{ConvGeometry, Error, Result, Tensor};
use dlbacktrace_torch_recorder::{Call, Slot};

/// A value that is a spectrum, but for a positive factor.
#[derive(Debug, Clone)]
pub(crate) struct Spectrum {
    /// Of which real values; of two the product of their spectra.
    signals: Vec<Operand>,
    /// The axis of the transform, counted from the last one, 0.
    from_end: usize,
    /// Along which so many points were transformed.
    points: usize,
}

impl Spectrum {
    /// That of real values along one axis, the half of it that says all.
    pub(super) fn of(signal: &Operand, axis: usize) -> Self {
        let shape = &signal.meta.shape;
        Self { signals: vec![signal.clone()], from_end: shape.len() - 1 - axis, points: shape[axis] }
    }

    /// Of two single ones along the same axis the product.
    pub(super) fn product(&self, other: &Self) -> Option<Self> {
        let alike = (self.from_end, self.points) == (other.from_end, other.points);
        let signals = [self.signals.as_slice(), &other.signals].concat();
        (alike && signals.len() == 2).then_some(Self { signals, ..self.clone() })
    }
}

/// Keeps in mind that the call's output is a spectrum.
pub(super) fn keep(lowering: &mut Lowering, call: &Call, spectrum: Option<Spectrum>) {
    if let (Some(spectrum), Some(output)) = (spectrum, call.outputs.first()) {
        lowering.spectra.insert(output.slot.value.0, spectrum);
    }
}

/// What is known of a value.
pub(super) fn known(lowering: &Lowering, slot: &Slot) -> Option<Spectrum> {
    lowering.spectra.get(&slot.value.0).cloned()
}

/// The convolution that a transform of a product of spectra back to real values is; `None` if it is another one.
pub(super) fn convolution(
    lowering: &mut Lowering,
    call: &Call,
    axes: &[usize],
    points: i64,
) -> Option<Result<()>> {
    let Spectrum { signals, from_end, points: transformed } = known(lowering, call.tensor("self").ok()?)?;
    let signals = <[Operand; 2]>::try_from(signals).ok()?;
    let rank = lowering.output_shape(call).ok()?.len();
    let same =
        axes == [rank - 1 - from_end] && usize::try_from(points).is_ok_and(|points| points == transformed);
    same.then(|| convolved(lowering, call, signals, axes[0], rank))
}

/// y_i = Σ_j w_j x_(i − j), counted around, along an axis: a convolution whose groups are the other axes.
fn convolved(
    lowering: &mut Lowering,
    call: &Call,
    mut signals: [Operand; 2],
    axis: usize,
    rank: usize,
) -> Result<()> {
    // The smaller one is the kernel.
    signals.sort_by_key(|signal| std::cmp::Reverse(signal.meta.shape.iter().product::<usize>()));
    let mut order: Vec<usize> = (0..rank).collect();
    order[axis..].rotate_left(1);
    let [x, kernel] = signals.map(|signal| {
        let shape = [&vec![1; rank - signal.meta.shape.len()], &signal.meta.shape[..]].concat();
        let signal = lowering.writer.reshape(&signal, &shape)?;
        lowering.writer.permute(&signal, &order)
    });
    let (x, kernel) = (x?, kernel?);
    let (lead, own) = (lead(&x)?, lead(&kernel)?);
    let points = x.meta.shape[rank - 1];

    // Axes before the first that the kernel has are samples, the others groups.
    let wide: Vec<usize> = lead.iter().zip(&own).map(|(a, b)| if *a == 1 { *b } else { *a }).collect();
    let (samples, groups) = wide.split_at(own.iter().position(|&extent| extent != 1).unwrap_or(own.len()));
    let count = |extents: &[usize]| extents.iter().product::<usize>();
    let (samples, groups, within) = (count(samples), count(groups), groups.to_vec());
    let x = expanded(lowering, &x, &[&wide[..], &[points]].concat())?;
    let x = lowering.writer.reshape(&x, &[samples, groups, points])?;
    let kernel = lowering.writer.reshape(&kernel, &[&own[own.len() - within.len()..], &[points]].concat())?;
    let kernel = expanded(lowering, &kernel, &[&within[..], &[points]].concat())?;
    let kernel = lowering.writer.reshape(&kernel, &[groups, 1, points])?;

    // Of a kernel filled up with zeros only what reaches; what lies before the start is the end.
    let sizes = kernel.data()?.abs()?.max_over(&[0, 1])?.to_array()?;
    let used = (1..).zip(sizes).filter(|(_, size)| *size != 0.0);
    let reach = used.map(|(count, _)| count).last().unwrap_or(1);
    let kernel = lowering.writer.narrow(&kernel, 2, 0, reach)?;
    let turned = kernel.data()?.flip(&[2])?;
    let kernel = lowering.writer.inner(Box::new(Flip { axes: vec![2] }), vec![kernel], turned);
    let end = lowering.writer.narrow(&x, 2, points + 1 - reach, reach - 1)?;
    let x = lowering.writer.concat(vec![end, x], 2)?;

    let geometry = ConvGeometry { stride: vec![1], padding: vec![0], dilation: vec![1], groups };
    let convolution = Box::new(Convolution { geometry });
    let y = lowering.writer.inner_shape(convolution, vec![x, kernel], vec![samples, groups, points]);
    let y = lowering.writer.inner_shape(Box::new(Reshape), vec![y], [&wide[..], &[points]].concat());
    let mut back: Vec<usize> = (0..rank).collect();
    back[axis..].rotate_right(1);
    lowering.step(call, Box::new(Permute { order: back }), vec![y])
}

/// The extents of all axes but the last.
fn lead(x: &Operand) -> Result<Vec<usize>> {
    let lead = x.meta.shape.split_last().map(|(_, lead)| lead.to_vec());
    lead.ok_or_else(|| Error::Shape("a number has no spectrum".into()))
}

fn expanded(lowering: &mut Lowering, x: &Operand, shape: &[usize]) -> Result<Operand> {
    if x.meta.shape == shape {
        return Ok(x.clone());
    }
    let data = x.data()?.broadcast_to(shape)?;
    Ok(lowering.writer.inner(Box::new(Expand), vec![x.clone()], data))
}
