//! Convolutions by way of spectra, as long filters over sequences are computed: what the product of two spectra is transformed
//! back to is the convolution of what they are spectra of (rules §9). So a causal one is causal to the last bit, which sums
//! over all frequencies are not.

use super::complex;
use super::parts::{Operand, finish};
use crate::arguments::{Arguments, axes, axis};
use crate::lowering::Lowering;
use dlbacktrace_core::ops::{Convolution, Expand, Flip, Permute, Reshape};
use dlbacktrace_core::{ConvGeometry, Error, Result, Tensor};
use dlbacktrace_torch_recorder::{Call, Slot};
use std::collections::HashSet;

/// A value that is a spectrum, but for a positive factor.
#[derive(Debug, Clone)]
pub(crate) struct Spectrum {
    /// Of which real values; of two the product of their spectra.
    signals: Vec<Operand>,
    /// The axis of the transform, counted from the last one, 0.
    from_end: usize,
    /// Along which so many points were transformed.
    points: usize,
    /// Whether it is all of it, or the half that says all.
    whole: bool,
}

impl Spectrum {
    /// That of real values along one axis.
    pub(super) fn of(signal: &Operand, axis: usize, whole: bool) -> Self {
        let shape = &signal.meta.shape;
        Self { signals: vec![signal.clone()], from_end: shape.len() - 1 - axis, points: shape[axis], whole }
    }

    /// Of two single ones along the same axis the product.
    pub(super) fn product(&self, other: &Self) -> Option<Self> {
        let along = |spectrum: &Self| (spectrum.from_end, spectrum.points, spectrum.whole);
        let signals = [self.signals.as_slice(), &other.signals].concat();
        (along(self) == along(other) && signals.len() == 2).then_some(Self { signals, ..self.clone() })
    }

    /// A single one with its axes in other places: `places[i]` is that of axis i among `rank`; the others have extent 1.
    fn placed(&self, lowering: &mut Lowering, places: &[usize], rank: usize) -> Result<Option<Self>> {
        let [signal] = &self.signals[..] else { return Ok(None) };
        if signal.meta.shape.len() != places.len() {
            return Ok(None);
        }
        let mut order: Vec<usize> = (0..places.len()).collect();
        order.sort_by_key(|&axis| places[axis]);
        let mut shape = vec![1; rank];
        for (&place, &extent) in places.iter().zip(&signal.meta.shape) {
            shape[place] = extent;
        }
        let from_end = rank - 1 - places[places.len() - 1 - self.from_end];
        let signal = lowering.writer.permute(signal, &order)?;
        let signal = lowering.writer.reshape(&signal, &shape)?;
        Ok(Some(Self { signals: vec![signal], from_end, ..self.clone() }))
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

/// A spectrum with one more axis is one.
pub(super) fn unsqueezed(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let Some(spectrum) = known(lowering, call.tensor("self")?) else { return Ok(()) };
    let rank = lowering.output_shape(call)?.len() - 1;
    let new = axis(call.int("dim")?, rank)?;
    let places: Vec<usize> = (0..rank).filter(|&place| place != new).collect();
    let placed = spectrum.placed(lowering, &places, rank)?;
    keep(lowering, call, placed);
    Ok(())
}

/// An einsum that sums over nothing is a product of elements: bhl,chl->bchl.
pub(super) fn paired(
    lowering: &mut Lowering,
    call: &Call,
    factors: [&Slot; 2],
    equation: &str,
) -> Result<()> {
    let [Some(x), Some(y)] = factors.map(|slot| known(lowering, slot)) else { return Ok(()) };
    let equation = equation.replace(' ', "");
    let Some((terms, output)) = equation.split_once("->") else { return Ok(()) };
    let Some((of_x, of_y)) = terms.split_once(',') else { return Ok(()) };
    let places = |labels: &str| labels.chars().map(|label| output.find(label)).collect::<Option<Vec<_>>>();
    let (Some(of_x), Some(of_y)) = (places(of_x), places(of_y)) else { return Ok(()) };
    let distinct = |places: &[usize]| places.iter().collect::<HashSet<_>>().len() == places.len();
    if !output.chars().all(char::is_alphabetic) || !distinct(&of_x) || !distinct(&of_y) {
        return Ok(());
    }
    let x = x.placed(lowering, &of_x, output.len())?;
    let y = y.placed(lowering, &of_y, output.len())?;
    keep(lowering, call, x.zip(y).and_then(|(x, y)| x.product(&y)));
    Ok(())
}

/// The convolution that a transform back, of `whole` spectra or of halves, is; `None` if that is of something else than the
/// product of two spectra.
pub(super) fn convolution(lowering: &mut Lowering, call: &Call, whole: bool) -> Option<Result<()>> {
    let spectrum = known(lowering, call.tensor("self").ok()?)?;
    let signals = <[Operand; 2]>::try_from(spectrum.signals).ok()?;
    let shape = lowering.output_shape(call).ok()?;
    let rank = shape.len() - usize::from(whole);
    let axes = axes(call.ints("dim"), rank).ok()?;
    let along = rank - 1 - spectrum.from_end;
    let same = axes == [along] && (shape[along], whole) == (spectrum.points, spectrum.whole);
    same.then(|| {
        let y = convolved(lowering, signals, along, rank)?;
        if whole { complex::from_real(lowering, call, y) } else { finish(lowering, call, y) }
    })
}

/// y_i = Σ_j w_j x_(i − j), counted around, along an axis: a convolution whose groups are the other axes.
fn convolved(
    lowering: &mut Lowering,
    mut signals: [Operand; 2],
    axis: usize,
    rank: usize,
) -> Result<Operand> {
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
    let shape = back.iter().map(|&axis| y.meta.shape[axis]).collect();
    Ok(lowering.writer.inner_shape(Box::new(Permute { order: back }), vec![y], shape))
}

/// The extents of all axes but the last.
fn lead(x: &Operand) -> Result<Vec<usize>> {
    let lead = x.meta.shape.split_last().map(|(_, lead)| lead.to_vec());
    lead.ok_or_else(|| Error::Uncovered("a number has no spectrum".into()))
}

fn expanded(lowering: &mut Lowering, x: &Operand, shape: &[usize]) -> Result<Operand> {
    if x.meta.shape == shape {
        return Ok(x.clone());
    }
    let data = x.data()?.broadcast_to(shape)?;
    Ok(lowering.writer.inner(Box::new(Expand), vec![x.clone()], data))
}
