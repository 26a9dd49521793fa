//! Operators of complex numbers, whose real and imaginary parts lie along one more axis on the tape (rules, "Complex numbers").
//! Each method writes the operator except for its last step, which makes the value that the framework has. On real numbers it
//! writes the real operator.

use super::{Last, TapeWriter};
use crate::ops::{
    AsComplex, ComplexProduct, Concat, Conjugate, Fourier, MatMul, Pad, Pass, Permute, Product, Quotient,
    Slice, Sum, Unruled,
};
use crate::{Error, Function, Meta, Operand, Range, Result, Tensor, ValueId};

/// What a row of a table says about complex numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfComplex {
    /// They have no rule.
    Unruled,
    /// The operator has a rule of its own for them.
    Ruled,
    /// The operator treats real and imaginary parts each as it treats real numbers.
    Parts,
}

impl<T: Tensor> TapeWriter<T> {
    /// a · b by elements; a real factor scales both parts.
    ///
    /// # Errors
    /// [`Error::Uncovered`] if the operator has no rule for complex numbers, [`Error::NotKept`], [`Error::Tensor`]; the same for
    /// all methods that follow.
    pub fn times(&mut self, a: Operand<T>, b: Operand<T>) -> Result<Last<T>> {
        if a.meta.complex && b.meta.complex {
            return Ok((Box::new(ComplexProduct { of_parts: Product }), vec![a, b]));
        }
        let complex = a.meta.complex || b.meta.complex;
        let factors = [self.for_parts(a, complex)?, self.for_parts(b, complex)?];
        Ok((Box::new(Product), factors.into()))
    }

    /// a / b by elements. A real divisor divides both parts. A complex divisor must be constant; the numerator is multiplied by its
    /// inverse.
    ///
    /// # Errors
    /// As [`TapeWriter::times`].
    pub fn divided(&mut self, a: Operand<T>, b: Operand<T>) -> Result<Last<T>> {
        if b.meta.complex {
            let reason = Some("a division by complex numbers that depend on the input has no rule".into());
            let inverse = inverse(b.data()?)?;
            let unruled = Box::new(Unruled { reason, ..Unruled::default() });
            let inverse = self.inner_of(unruled, vec![b], inverse, true);
            return self.times(a, inverse);
        }
        let b = self.for_parts(b, a.meta.complex)?;
        Ok((Box::new(Quotient), vec![a, b]))
    }

    /// Σ αₖ xₖ + c; complex numbers are summed by parts.
    ///
    /// # Errors
    /// As [`TapeWriter::times`].
    pub fn weighted(&mut self, sum: Sum, terms: Vec<Operand<T>>) -> Result<Last<T>> {
        let complex = terms.iter().filter(|term| term.meta.complex).count();
        if complex > 0 && (complex < terms.len() || sum.constant != 0.0) {
            return Err(Error::Uncovered("a sum of complex and real numbers has no rule".into()));
        }
        Ok((Box::new(sum), terms))
    }

    /// a · b over the last two axes, or one.
    ///
    /// # Errors
    /// As [`TapeWriter::times`].
    pub fn matrix_product(&mut self, a: Operand<T>, b: Operand<T>) -> Result<Last<T>> {
        let product = MatMul { transposed: false };
        match [a.meta.complex, b.meta.complex] {
            [true, true] => Ok((Box::new(ComplexProduct { of_parts: product }), vec![a, b])),
            [false, false] => Ok((Box::new(product), vec![a, b])),
            _ => Err(Error::Uncovered("a product of real and complex matrices has no rule".into())),
        }
    }

    /// |z| = √(a² + b²): passes and a sum.
    ///
    /// # Errors
    /// As [`TapeWriter::times`].
    pub fn magnitude(&mut self, z: &Operand<T>) -> Result<Last<T>> {
        let [a, b] = self.parts_of(z)?;
        let [a, b] = [self.square(&a)?, self.square(&b)?];
        let sum = self.sum(&a, &b)?;
        Ok((Box::new(Pass::function(Function::Power(0.5))), vec![sum]))
    }

    /// Complex matrices with rows and columns exchanged; conjugated for the adjoint.
    ///
    /// # Errors
    /// As [`TapeWriter::times`].
    pub fn turned(&mut self, z: Operand<T>, adjoint: bool) -> Result<Operand<T>> {
        let mut order: Vec<usize> = (0..z.meta.shape.len()).collect();
        let Some(rows) = order.len().checked_sub(3).filter(|_| z.meta.complex) else {
            return Err(Error::Uncovered("the operand is not a complex matrix".into()));
        };
        order.swap(rows, rows + 1);
        let data = z.data()?.permute(&order)?;
        let turned = self.inner_of(Box::new(Permute { order }), vec![z], data, true);
        if !adjoint {
            return Ok(turned);
        }
        let data = Conjugate::of(turned.data()?)?;
        let (op, operands) = self.conjugate(turned);
        Ok(self.inner_of(op, operands, data, true))
    }

    /// The angle of z, atan(b / a).
    ///
    /// # Errors
    /// As [`TapeWriter::times`].
    pub fn angle(&mut self, z: &Operand<T>) -> Result<Last<T>> {
        let [a, b] = self.parts_of(z)?;
        let shape = a.meta.shape.clone();
        let quotient = self.inner_shape(Box::new(Quotient), vec![b, a], shape);
        Ok((Box::new(Pass::function(Function::Bounded)), vec![quotient]))
    }

    /// a + ib from real numbers a and b.
    ///
    /// # Errors
    /// As [`TapeWriter::times`].
    pub fn joined(&mut self, a: Operand<T>, b: Operand<T>) -> Result<Last<T>> {
        if a.meta.shape != b.meta.shape {
            return Err(Error::Uncovered("real and imaginary parts of different shapes have no rule".into()));
        }
        let axis = a.meta.shape.len();
        Ok((Box::new(Concat { axis, new_axis: true }), vec![a, b]))
    }

    /// The conjugate: reverses the sign of the imaginary part.
    pub fn conjugate(&mut self, z: Operand<T>) -> Last<T> {
        (Box::new(Conjugate), vec![z])
    }

    /// The same numbers in another type; real numbers become complex without an imaginary part if `to` is complex.
    ///
    /// # Errors
    /// As [`TapeWriter::times`].
    pub fn converted(&mut self, x: Operand<T>, to: &Meta) -> Result<Last<T>> {
        match (x.meta.complex, to.complex) {
            (false, true) if to.shape.len() != x.meta.shape.len() => Ok((Box::new(AsComplex), vec![x])),
            (true, false) if to.shape.len() != x.meta.shape.len() => {
                Err(Error::Uncovered("a cast that drops imaginary parts has no rule".into()))
            }
            _ => Ok((Box::new(Pass::identity()), vec![x])),
        }
    }

    /// Fourier transforms, one after the other, as they would be written out.
    ///
    /// # Errors
    /// As [`TapeWriter::times`].
    pub fn fourier(&mut self, x: Operand<T>, transforms: Vec<Fourier>) -> Result<Last<T>> {
        let mut transforms = transforms.into_iter().peekable();
        let mut x = x;
        while let Some(transform) = transforms.next() {
            if transforms.peek().is_none() {
                return Ok((Box::new(transform), vec![x]));
            }
            if let Some(reason) = transform.too_long() {
                return Err(Error::Uncovered(reason.into()));
            }
            let (data, complex) = (transform.apply(x.data()?)?, transform.to_complex());
            x = self.inner_of(Box::new(transform), vec![x], data, complex);
        }
        Ok((Box::new(Pass::identity()), vec![x]))
    }

    /// The real part (0) or the imaginary part (1) of numbers whose data no rule reads.
    pub fn part(&mut self, z: ValueId, index: usize) -> ValueId {
        let Meta { shape, dtype, .. } = self.tape.meta(z).clone();
        let mut region = Range::whole(&shape);
        region.last_mut().into_iter().for_each(|parts| *parts = Range::span(index, 1));
        let own = shape.split_last().map_or(Vec::new(), |(_, own)| own.to_vec());
        let part = self.tape.value(Meta::new(own, dtype));
        let operand = Operand::shape_only(z, self.tape.meta(z).clone());
        self.step(Box::new(Slice { regions: vec![region] }), vec![operand], vec![part]);
        part
    }

    /// Makes the value `z` from a real and an imaginary part.
    pub fn join(&mut self, parts: [ValueId; 2], z: ValueId) {
        let operands = parts.map(|part| Operand::shape_only(part, self.tape.meta(part).clone()));
        let axis = operands[0].meta.shape.len();
        self.step(Box::new(Concat { axis, new_axis: true }), operands.into(), vec![z]);
    }

    /// The real and the imaginary part.
    ///
    /// # Errors
    /// As [`TapeWriter::times`].
    pub fn parts_of(&mut self, z: &Operand<T>) -> Result<[Operand<T>; 2]> {
        let Some((2, own)) =
            z.meta.shape.split_last().filter(|_| z.meta.complex).map(|(parts, own)| (*parts, own))
        else {
            return Err(Error::Uncovered("real numbers have no imaginary parts".into()));
        };
        let part = |writer: &mut Self, index| {
            let part = writer.narrow(z, own.len(), index, 1)?;
            writer.reshape(&part, own)
        };
        Ok([part(self, 0)?, part(self, 1)?])
    }

    /// The first `extent` indices of an axis; if there are fewer, zeros follow them.
    ///
    /// # Errors
    /// As [`TapeWriter::times`].
    pub fn resized(&mut self, x: Operand<T>, axis: usize, extent: usize) -> Result<Operand<T>> {
        let shape = &x.meta.shape;
        let own = shape[axis];
        if own == extent {
            return Ok(x);
        }
        let (mut region, complex) = (Range::whole(shape), x.meta.complex);
        region[axis] = Range::span(0, own.min(extent));
        if own > extent {
            let data = x.data()?.slice(&region)?;
            return Ok(self.inner_of(Box::new(Slice { regions: vec![region] }), vec![x], data, complex));
        }
        let (mut larger, mut after) = (shape.clone(), vec![0; shape.len()]);
        larger[axis] = extent;
        after[axis] = extent - own;
        let data = x.data()?.zeros(&larger)?.add_region(&region, x.data()?)?;
        let pad = Pad { before: vec![0; after.len()], after };
        Ok(self.inner_of(Box::new(pad), vec![x], data, complex))
    }

    fn square(&mut self, x: &Operand<T>) -> Result<Operand<T>> {
        let data = x.data()?.mul(x.data()?)?;
        Ok(self.pass(Pass::function(Function::Power(2.0)), x, data))
    }

    /// Prepares a real factor of complex numbers, which multiplies both parts.
    fn for_parts(&mut self, x: Operand<T>, complex: bool) -> Result<Operand<T>> {
        if x.meta.complex || !complex {
            return Ok(x);
        }
        self.reshape(&x, &[&x.meta.shape[..], &[1]].concat())
    }
}

/// 1 / z = z̄ / |z|²
fn inverse<T: Tensor>(z: &T) -> Result<T> {
    let size = z.mul(z)?.sum(&[z.shape().len() - 1], true)?;
    Ok(Conjugate::of(z)?.quotient(&size)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Array;
    use crate::{Mode, Relevance, WalkOptions, WeightCache};

    fn numbers(shape: &[usize], seed: usize) -> Array {
        let count: usize = shape.iter().product();
        let value = |index: usize| ((index * 7 + seed * 5) % 11) as f64 / 4.0 - 1.3;
        Array::from_slice(shape, &(0..count).map(value).collect::<Vec<_>>())
    }

    type Write = dyn Fn(&mut TapeWriter<Array>, Operand<Array>, Operand<Array>) -> Result<Last<Array>>;

    /// The relevance of the first `moving` of two complex factors, by the steps that `write` writes.
    fn relevance(
        shapes: [&[usize]; 2],
        output: &[usize],
        moving: usize,
        mode: Mode,
        write: &Write,
    ) -> Vec<Array> {
        let mut writer = TapeWriter::new();
        let [x, y] = [0, 1].map(|place| {
            let data = numbers(shapes[place], place);
            let meta =
                Meta { complex: shapes[place].last() == Some(&2), ..Meta::new(data.shape(), data.dtype()) };
            let value = writer.tape.value(meta.clone());
            Operand { meta, ..Operand::new(value, data) }
        });
        writer.tape.inputs = [x.value, y.value][..moving].to_vec();
        let (op, operands) = write(&mut writer, x, y).unwrap();
        let value = writer.tape.value(Meta::new(output.to_vec(), crate::DType::F64));
        writer.step(op, operands, vec![value]);
        writer.tape.outputs = vec![value];
        let start = match mode {
            Mode::Default => Relevance::default_mode(numbers(output, 3)),
            Mode::Contrastive => Relevance::contrastive(numbers(output, 3), numbers(output, 4)),
        };
        let prepared = writer.tape.prepare(&Default::default(), &WeightCache::new(0)).unwrap();
        let weights = WeightCache::new(0);
        let walked =
            prepared.backtrace(vec![(value, start)], &weights, WalkOptions::default(), &mut ()).unwrap();
        assert!(walked.ledger.closes());
        walked.inputs.into_iter().map(|input| input.unwrap().first().clone()).collect()
    }

    /// Both ways of writing give the same relevance.
    #[track_caller]
    fn check(shapes: [&[usize]; 2], output: &[usize], first: &Write, second: &Write) {
        for (moving, mode) in
            [(1, Mode::Default), (2, Mode::Default), (1, Mode::Contrastive), (2, Mode::Contrastive)]
        {
            let found = relevance(shapes, output, moving, mode, first);
            let expected = relevance(shapes, output, moving, mode, second);
            for (found, expected) in found.iter().zip(&expected) {
                let gap =
                    found.sub(expected).unwrap().abs().unwrap().max_over(&[0]).unwrap().total().unwrap();
                assert!(gap < 1e-12, "{found:?}, not {expected:?}");
            }
        }
    }

    /// (ac − bd) + i(ad + bc), with a given product of real numbers.
    fn written_out(
        writer: &mut TapeWriter<Array>,
        [x, y]: [Operand<Array>; 2],
        product: impl Fn(&mut TapeWriter<Array>, &Operand<Array>, &Operand<Array>) -> Result<Operand<Array>>,
    ) -> Result<Last<Array>> {
        let ([a, b], [c, d]) = (writer.parts_of(&x)?, writer.parts_of(&y)?);
        let [ac, bd, ad, bc] = [(&a, &c), (&b, &d), (&a, &d), (&b, &c)].map(|(a, b)| product(writer, a, b));
        let (ac, bd) = (ac?, bd?);
        let data = ac.data()?.sub(bd.data()?)?;
        let minus = Sum { factors: vec![1.0, -1.0], constant: 0.0 };
        let real = writer.inner(Box::new(minus), vec![ac, bd], data);
        let imaginary = writer.sum(&ad?, &bc?)?;
        writer.joined(real, imaginary)
    }

    #[test]
    fn products_are_those_of_the_parts() {
        check([&[3, 4, 2], &[4, 2]], &[3, 4, 2], &|writer, x, y| writer.times(x, y), &|writer, x, y| {
            written_out(writer, [x, y], |writer, a, b| writer.product(a, b))
        });
        check(
            [&[3, 4, 2], &[4, 5, 2]],
            &[3, 5, 2],
            &|writer, x, y| writer.matrix_product(x, y),
            &|writer, x, y| written_out(writer, [x, y], |writer, a, b| writer.matmul(a, b)),
        );
    }

    #[test]
    fn real_factors_meet_both_parts() {
        check([&[3, 4, 2], &[3, 4]], &[3, 4, 2], &|writer, x, y| writer.times(x, y), &|writer, x, y| {
            let [a, b] = writer.parts_of(&x)?;
            let (a, b) = (writer.product(&a, &y)?, writer.product(&b, &y)?);
            writer.joined(a, b)
        });
    }

    #[test]
    fn a_constant_divisor_is_a_factor() {
        let (divided, twin): (&Write, &Write) = (&|writer, x, y| writer.divided(x, y), &|writer, x, y| {
            let inverse = inverse(y.data()?)?;
            let inverse = writer.constant(inverse);
            let meta = Meta { complex: true, ..inverse.meta.clone() };
            writer.times(x, Operand { meta, ..inverse })
        });
        for mode in [Mode::Default, Mode::Contrastive] {
            let of = |write| relevance([&[3, 4, 2], &[4, 2]], &[3, 4, 2], 1, mode, write);
            assert_eq!(of(divided), of(twin));
        }
    }

    #[test]
    fn einsums_are_those_of_the_parts() {
        let einsum = |equation: &'static str| {
            move |writer: &mut TapeWriter<Array>, x, y| writer.einsum(equation, vec![x, y], &[])
        };
        let of_parts = |equation: &'static str| {
            move |writer: &mut TapeWriter<Array>, x, y| {
                written_out(writer, [x, y], |writer, a, b| {
                    let (op, operands) = writer.einsum(equation, vec![a.clone(), b.clone()], &[])?;
                    let data = match &operands[..] {
                        [a, b] if a.meta.shape.len() == b.meta.shape.len() && equation == "bl,cl->bcl" => {
                            a.data()?.mul(b.data()?)?
                        }
                        _ => a.data()?.matmul(b.data()?)?,
                    };
                    Ok(writer.inner(op, operands, data))
                })
            }
        };
        check([&[3, 4, 2], &[5, 4, 2]], &[3, 5, 4, 2], &einsum("bl,cl->bcl"), &of_parts("bl,cl->bcl"));
        check([&[3, 4, 2], &[4, 5, 2]], &[3, 5, 2], &einsum("bi,io->bo"), &of_parts("bi,io->bo"));
        // A real factor multiplies both parts.
        check([&[3, 4, 2], &[4, 5]], &[3, 5, 2], &einsum("bi,io->bo"), &|writer, x, y| {
            let parts = writer.parts_of(&x)?;
            let [a, b] = parts.map(|part| writer.matmul(&part, &y));
            writer.joined(a?, b?)
        });
    }

    #[test]
    fn what_has_no_rule_is_refused() {
        let mut writer = TapeWriter::<Array>::new();
        let operand = |shape: &[usize]| {
            let data = numbers(shape, 0);
            Operand {
                meta: Meta { complex: shape.len() > 1, ..Meta::new(data.shape(), data.dtype()) },
                ..Operand::new(ValueId(0), data)
            }
        };
        let (z, x) = (operand(&[3, 2]), operand(&[3]));
        assert!(matches!(writer.weighted(Sum::add(), vec![z.clone(), x.clone()]), Err(Error::Uncovered(_))));
        let shifted = Sum { factors: vec![1.0], constant: 2.0 };
        assert!(matches!(writer.weighted(shifted, vec![z.clone()]), Err(Error::Uncovered(_))));
        assert!(matches!(writer.matrix_product(x.clone(), z.clone()), Err(Error::Uncovered(_))));
        assert!(matches!(writer.converted(z, &x.meta), Err(Error::Uncovered(_))));
    }
}
