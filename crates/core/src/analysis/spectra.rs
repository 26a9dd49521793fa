//! Recognises convolutions by way of spectra (rules, "Convolutions by way of spectra"): transforming the product of two spectra
//! back gives the convolution of their signals. Explained as a convolution, a causal filter is causal to the last bit; sums
//! over all frequencies are not.

use crate::ops::{CircularConvolution, Transform};
use crate::{Function, Operand, Range, Role, Step, Tape, Tensor, Turn, ValueId};
use std::collections::HashMap;

/// A value that is a spectrum, up to a positive factor: the product of the spectra of one or two real signals.
#[derive(Debug, Clone)]
struct Spectrum<T> {
    /// The signals, and for each the axes of the spectrum that belong to its axes with an extent other than 1.
    signals: Vec<(Operand<T>, Vec<usize>)>,
    /// The number of its axes, besides that of the parts.
    rank: usize,
    /// The axis of the transform.
    axis: usize,
    /// The number of points along that axis.
    points: usize,
    /// Whether it is the whole spectrum, or the half that determines the rest.
    whole: bool,
}

/// Makes a convolution of every step that transforms the product of two spectra back.
pub(super) fn fold<T: Tensor>(tape: &mut Tape<T>) {
    let mut spectra = HashMap::new();
    // Complex values, and the real values that they hold.
    let mut real: HashMap<ValueId, Operand<T>> = HashMap::new();
    for index in 0..tape.steps.len() {
        let step = &tape.steps[index];
        let Some(&output) = step.outputs.first() else { continue };
        if let Some((op, signals)) = convolution(step, &spectra) {
            let step = &mut tape.steps[index];
            step.becomes(Box::new(op));
            step.inputs = signals.into();
            continue;
        }
        match (step.op.role(&step.inputs), step.inputs.as_slice()) {
            (Role::AsComplex, [x]) => drop(real.insert(output, x.clone())),
            (Role::Fourier { transform, axis, points }, [x]) => {
                let signal = match transform {
                    Transform::FromReal { .. } => Some(x.clone()),
                    Transform::Between { forward: true } => {
                        real.get(&x.value).and_then(|signal| read(signal, x))
                    }
                    _ => None,
                };
                let whole = transform != Transform::FromReal { one_sided: true };
                let spectrum = signal.map(|signal| Spectrum::of(&signal, axis, points, whole));
                spectra.extend(spectrum.filter(|_| points > 1).map(|spectrum| (output, spectrum)));
            }
            _ => {
                let spectrum = spectrum(step, &tape.meta(output).shape, &spectra);
                spectra.extend(spectrum.map(|spectrum| (output, spectrum)));
            }
        }
    }
}

/// The real operand, with the data of the complex operand that holds it.
fn read<T: Tensor>(x: &Operand<T>, complex: &Operand<T>) -> Option<Operand<T>> {
    let mut region = Range::whole(&complex.meta.shape);
    *region.last_mut()? = Range::span(0, 1);
    let data = complex.data.as_ref()?.slice(&region).ok()?.reshape(&x.meta.shape).ok()?;
    Some(Operand { data: Some(data), ..x.clone() })
}

/// The spectrum that a step other than a transform makes, if it makes one.
fn spectrum<T: Tensor>(
    step: &Step<T>,
    output: &[usize],
    known: &HashMap<ValueId, Spectrum<T>>,
) -> Option<Spectrum<T>> {
    let of = |operand: &Operand<T>| known.get(&operand.value);
    let operands = step.inputs.as_slice();
    match (step.op.role(operands), operands) {
        (Role::ComplexProduct, [x, number] | [number, x]) if is_positive(number) => of(x).cloned(),
        (Role::ComplexProduct, [x, y]) => of(x)?.times(of(y)?),
        (Role::Function(Function::Scale(factor)), [x]) if factor > 0.0 => of(x).cloned(),
        (Role::Quotient, [x, number]) if is_positive(number) => of(x).cloned(),
        (Role::Product, [x, number] | [number, x]) if is_positive(number) => of(x).cloned(),
        (Role::Identity, [x, ..]) if x.meta.shape == output => of(x).cloned(),
        (_, [x]) => of(x)?.moved(&step.op.turn()?, &x.meta.shape, output),
        _ => None,
    }
}

/// Whether an operand is one constant number above 0, real or complex.
fn is_positive<T: Tensor>(number: &Operand<T>) -> bool {
    let count: usize = number.meta.shape.iter().product();
    let single = !number.depends && count == 1 + usize::from(number.meta.complex);
    let parts = number.data.as_ref().filter(|_| single).map(Tensor::to_array);
    parts.is_some_and(|parts| {
        parts.is_ok_and(|parts| parts.iter().skip(1).all(|part| *part == 0.0) && parts.first() > Some(&0.0))
    })
}

/// The convolution that replaces a step, with its operands, if the step transforms the product of two spectra back.
fn convolution<T: Tensor>(
    step: &Step<T>,
    known: &HashMap<ValueId, Spectrum<T>>,
) -> Option<(CircularConvolution, [Operand<T>; 2])> {
    let [x] = step.inputs.as_slice() else { return None };
    let Role::Fourier { transform, axis, points } = step.op.role(&step.inputs) else { return None };
    let whole = match transform {
        Transform::Between { forward: false } => true,
        Transform::ToReal => false,
        _ => return None,
    };
    let spectrum = known.get(&x.value)?;
    if (axis, points, whole) != (spectrum.axis, spectrum.points, spectrum.whole) {
        return None;
    }
    let mut signals = spectrum.signals.clone();
    // The smaller signal is the kernel.
    signals.sort_by_key(|(signal, _)| std::cmp::Reverse(signal.meta.shape.iter().product::<usize>()));
    let [(x, of_x), (kernel, of_kernel)] = signals.try_into().ok()?;
    let places = [of_x, of_kernel];
    Some((CircularConvolution { rank: spectrum.rank, axis, places, complex: whole }, [x, kernel]))
}

impl<T: Tensor> Spectrum<T> {
    /// The spectrum of a real signal along an axis.
    fn of(signal: &Operand<T>, axis: usize, points: usize, whole: bool) -> Self {
        let shape = &signal.meta.shape;
        let places = (0..shape.len()).filter(|&axis| shape[axis] != 1).collect();
        Self { signals: vec![(signal.clone(), places)], rank: shape.len(), axis, points, whole }
    }

    /// The product, if both have one signal and the same axis.
    fn times(&self, other: &Self) -> Option<Self> {
        let rank = self.rank.max(other.rank);
        // Axes are counted from the last one.
        let along = |spectrum: &Self| (spectrum.axis + rank - spectrum.rank, spectrum.points, spectrum.whole);
        let signals = |spectrum: &Self| {
            let shifted = |(signal, places): &(Operand<T>, Vec<usize>)| {
                let places = places.iter().map(|place| place + rank - spectrum.rank).collect();
                (signal.clone(), places)
            };
            spectrum.signals.iter().map(shifted).collect::<Vec<_>>()
        };
        let signals = [signals(self), signals(other)].concat();
        let same = along(self) == along(other) && signals.len() == 2;
        same.then(|| Self { signals, rank, axis: along(self).0, ..self.clone() })
    }

    /// The spectrum with its axes in another order, or with more or fewer axes of extent 1.
    fn moved(&self, turn: &Turn, from: &[usize], to: &[usize]) -> Option<Self> {
        let (parts, to) = to.split_last()?;
        let from = from.split_last()?.1;
        let place: Vec<Option<usize>> = match turn {
            Turn::Permute(order) if order.last() == Some(&from.len()) => {
                (0..from.len()).map(|axis| order.iter().position(|&old| old == axis)).collect()
            }
            Turn::Reshape if *parts == 2 => {
                let own = |shape: &[usize]| -> Vec<usize> {
                    (0..shape.len()).filter(|&axis| shape[axis] != 1).collect()
                };
                let (before, after) = (own(from), own(to));
                let extents = |axes: &[usize], shape: &[usize]| -> Vec<usize> {
                    axes.iter().map(|&axis| shape[axis]).collect()
                };
                if extents(&before, from) != extents(&after, to) {
                    return None;
                }
                let new = |axis| before.iter().position(|&old| old == axis).map(|index| after[index]);
                (0..from.len()).map(new).collect()
            }
            _ => return None,
        };
        let moved = |(signal, places): &(Operand<T>, Vec<usize>)| {
            let places = places.iter().map(|&axis| place[axis]).collect::<Option<Vec<_>>>()?;
            Some((signal.clone(), places))
        };
        let signals = self.signals.iter().map(moved).collect::<Option<Vec<_>>>()?;
        Some(Self { signals, rank: to.len(), axis: place[self.axis]?, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::ops::{AsComplex, ComplexProduct, Fourier, Pass, Product};
    use crate::{BacktraceOp, Family, TapeWriter, WeightCache};

    fn fourier(transform: Transform, axis: usize) -> Fourier {
        Fourier { transform, axis, points: 4, factor: 1.0 }
    }

    const HALF: Transform = Transform::FromReal { one_sided: true };
    const WHOLE: Transform = Transform::FromReal { one_sided: false };
    const BACK: Transform = Transform::Between { forward: false };

    /// A tape with the spectra of a signal `[2, 3, 4]` and a kernel `[3, 4]`.
    struct Net {
        writer: TapeWriter<Array>,
        spectra: [Operand<Array>; 2],
    }

    impl Net {
        fn new(transform: Transform) -> Self {
            let mut writer = TapeWriter::new();
            let spectra = [vec![2, 3, 4], vec![3, 4]].map(|shape| {
                let count = shape.iter().product::<usize>();
                let data = Array::from_slice(&shape, &(0..count).map(|x| x as f64 - 2.5).collect::<Vec<_>>());
                let value = writer.tape.value(crate::Meta::new(shape.clone(), crate::DType::F64));
                let fourier = fourier(transform, shape.len() - 1);
                let spectrum = fourier.apply(&data).unwrap();
                writer.inner(Box::new(fourier), vec![Operand::new(value, data)], spectrum)
            });
            Self { writer, spectra }
        }

        /// Transforms the product back; returns the rule of this step and its operands.
        fn back(mut self, transform: Transform, axis: usize) -> (Family, Role, Vec<ValueId>) {
            let [x, kernel] = self.spectra.clone();
            let mut shape = x.meta.shape.clone();
            let product = self.writer.inner_shape(
                Box::new(ComplexProduct { of_parts: Product }),
                vec![x, kernel],
                shape.clone(),
            );
            if transform == Transform::ToReal {
                shape.pop();
                shape[axis] = 4;
            }
            self.writer.inner_shape(Box::new(fourier(transform, axis)), vec![product], shape);
            self.writer.tape.inputs = vec![ValueId(0)];
            let prepared = self.writer.tape.prepare(&Default::default(), &WeightCache::new(0)).unwrap();
            let step = prepared.steps().last().unwrap();
            let operands = step.inputs.iter().map(|operand| operand.value).collect();
            (step.op.family(), step.op.role(&step.inputs), operands)
        }

        fn passed(mut self, which: usize, op: impl BacktraceOp<Array> + 'static) -> Self {
            let x = self.spectra[which].clone();
            let shape = x.meta.shape.clone();
            self.spectra[which] = self.writer.inner_shape(Box::new(op), vec![x], shape);
            self
        }
    }

    /// The values of the signal and of the kernel.
    const SIGNALS: [ValueId; 2] = [ValueId(0), ValueId(2)];

    #[test]
    fn the_product_of_spectra_is_a_convolution() {
        for (there, back) in [(HALF, Transform::ToReal), (WHOLE, BACK)] {
            let (family, _, operands) = Net::new(there).back(back, 2);
            assert_eq!((family, operands), (Family::WeightedSum, SIGNALS.to_vec()));
        }
        let (_, role, operands) = Net::new(HALF)
            .passed(1, Pass::function(Function::Scale(0.25)))
            .passed(0, Pass::identity())
            .back(Transform::ToReal, 2);
        assert_eq!(operands, SIGNALS);
        assert_eq!(role, Role::Convolution { spatial: 1, channels_last: false });
    }

    #[test]
    fn complex_numbers_may_be_real_ones() {
        let mut net = Net::new(WHOLE);
        for (index, spectrum) in net.spectra.iter_mut().enumerate() {
            // Makes the same spectrum from complex numbers.
            let signal = net.writer.tape.steps[index].inputs[0].clone();
            let shape = signal.meta.shape.clone();
            let parts = signal.data.as_ref().unwrap().reshape(&[&shape[..], &[1]].concat()).unwrap();
            let parts = Array::concat(&[parts.clone(), parts.scale(0.0).unwrap()], shape.len()).unwrap();
            let complex = net.writer.inner(Box::new(AsComplex), vec![signal], parts);
            let forward = fourier(Transform::Between { forward: true }, shape.len() - 1);
            let data = forward.apply(complex.data().unwrap()).unwrap();
            *spectrum = net.writer.inner(Box::new(forward), vec![complex], data);
        }
        let (family, _, operands) = net.back(BACK, 2);
        assert_eq!((family, operands), (Family::WeightedSum, SIGNALS.to_vec()));
    }

    #[test]
    fn spectra_may_be_moved() {
        let mut net = Net::new(HALF);
        net.spectra = net.spectra.map(|x| {
            let rank = x.meta.shape.len();
            let order = (0..rank - 3).chain([rank - 2, rank - 3, rank - 1]).collect::<Vec<_>>();
            net.writer.permute(&x, &order).unwrap()
        });
        let shape = [&[1], &net.spectra[1].meta.shape[..]].concat();
        net.spectra[1] = net.writer.reshape(&net.spectra[1].clone(), &shape).unwrap();
        let (_, role, operands) = net.back(Transform::ToReal, 1);
        assert_eq!(operands, SIGNALS);
        assert_eq!(role, Role::Convolution { spatial: 1, channels_last: true });
    }

    #[test]
    fn what_is_no_such_product_stays_a_transform() {
        let stays = |net: Net, transform, axis| {
            let (_, role, _) = net.back(transform, axis);
            assert!(matches!(role, Role::Fourier { .. }), "{role:?}");
        };
        // Conjugated, with the other sign, of another kind, or along another axis.
        stays(Net::new(HALF).passed(1, Pass::function(Function::Other)), Transform::ToReal, 2);
        stays(Net::new(HALF).passed(1, Pass::function(Function::Scale(-1.0))), Transform::ToReal, 2);
        stays(Net::new(HALF), BACK, 2);
        stays(Net::new(WHOLE), BACK, 1);
    }
}
