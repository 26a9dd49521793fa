//! Writes a tape.

mod complex;
mod einsum;

pub use complex::OfComplex;

use crate::ops::{Concat, Constant, MatMul, Pass, Permute, Product, Reshape, Slice, Sum};
use crate::{
    BacktraceOp, Chance, DType, Error, Meta, Operand, Place, RandomUse, Range, Result, Step, Tape, Tensor,
    ValueId,
};

/// The rule of an operator's last step, and its operands.
pub type Last<T> = (Box<dyn BacktraceOp<T>>, Vec<Operand<T>>);

/// Writes steps to a tape. Everything that is written between two changes of `operator` and `place` belongs to one operator of
/// the framework: either one step, or several whose inner values are computed here, because the rule of the next step reads them.
#[derive(Debug)]
pub struct TapeWriter<T> {
    /// The tape as far as it is written.
    pub tape: Tape<T>,
    /// The framework's name of the operator being written.
    pub operator: String,
    /// Where it ran; the number of the step is filled in.
    pub place: Place,
}

impl<T: Tensor> Default for TapeWriter<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Tensor> TapeWriter<T> {
    /// An empty tape.
    pub fn new() -> Self {
        Self { tape: Tape::new(), operator: String::new(), place: Place::default() }
    }

    /// Adds a step that makes the given values.
    pub fn step(&mut self, op: Box<dyn BacktraceOp<T>>, inputs: Vec<Operand<T>>, outputs: Vec<ValueId>) {
        let place = Place { step: self.tape.steps.len(), ..self.place.clone() };
        let operator = self.operator.clone();
        self.tape.steps.push(Step::new(operator, place, op, inputs, outputs));
    }

    /// Notes that the result of the present operator depends on random numbers or on the batch.
    pub fn random(&mut self, chance: Chance) {
        let (operator, module) = (self.operator.clone(), self.place.module.clone());
        self.tape.random.push(RandomUse { operator, module, chance, count: 1 });
    }

    /// Names values that say how, where or whether the last step acts, without being its operands.
    pub fn chosen_by(&mut self, values: impl IntoIterator<Item = ValueId>) {
        if let Some(step) = self.tape.steps.last_mut() {
            step.chosen_by.extend(values);
        }
    }

    /// Adds a step that makes a value which the framework does not have.
    pub fn inner(&mut self, op: Box<dyn BacktraceOp<T>>, inputs: Vec<Operand<T>>, output: T) -> Operand<T> {
        self.inner_of(op, inputs, output, false)
    }

    /// As [`TapeWriter::inner`], possibly for complex numbers.
    fn inner_of(
        &mut self,
        op: Box<dyn BacktraceOp<T>>,
        inputs: Vec<Operand<T>>,
        output: T,
        complex: bool,
    ) -> Operand<T> {
        let meta = Meta { complex, ..Meta::new(output.shape(), output.dtype()) };
        let value = self.tape.value(meta.clone());
        let read = self.tape.reads.more() && op.reads_result() && !complex;
        self.step(op, inputs, vec![value]);
        if let Some(last) = self.tape.steps.last_mut().filter(|_| read) {
            last.result = Some(output.clone());
        }
        Operand { meta, ..Operand::new(value, output) }
    }

    /// As [`TapeWriter::inner`], for a value whose data no rule reads.
    pub fn inner_shape(
        &mut self,
        op: Box<dyn BacktraceOp<T>>,
        inputs: Vec<Operand<T>>,
        shape: Vec<usize>,
    ) -> Operand<T> {
        // A condition or an index besides what moves does not decide the type.
        let mut dtypes = inputs.iter().map(|operand| operand.meta.dtype);
        let dtype = dtypes.clone().find(|dtype| dtype.is_float()).or(dtypes.next()).unwrap_or(DType::F32);
        let meta = Meta::new(shape, dtype);
        let value = self.tape.value(meta.clone());
        self.step(op, inputs, vec![value]);
        Operand::shape_only(value, meta)
    }

    /// A value that no relevance reaches.
    pub fn constant(&mut self, data: T) -> Operand<T> {
        self.inner(Box::new(Constant), Vec::new(), data)
    }

    /// A linear layer, x·Wᵀ + b.
    ///
    /// # Errors
    /// [`Error::NotKept`], [`Error::Tensor`]; the same for all methods that follow.
    pub fn linear(
        &mut self,
        x: &Operand<T>,
        weight: &Operand<T>,
        bias: Option<&Operand<T>>,
    ) -> Result<Operand<T>> {
        let mut data = x.data()?.matmul(&weight.data()?.transpose()?)?;
        let mut operands = vec![x.clone(), weight.clone()];
        if let Some(bias) = bias {
            data = data.add(bias.data()?)?;
            operands.push(bias.clone());
        }
        Ok(self.inner(Box::new(MatMul { transposed: true }), operands, data))
    }

    /// a + b
    pub fn sum(&mut self, a: &Operand<T>, b: &Operand<T>) -> Result<Operand<T>> {
        let data = a.data()?.add(b.data()?)?;
        Ok(self.inner(Box::new(Sum::add()), vec![a.clone(), b.clone()], data))
    }

    /// a · b
    pub fn product(&mut self, a: &Operand<T>, b: &Operand<T>) -> Result<Operand<T>> {
        let data = a.data()?.mul(b.data()?)?;
        Ok(self.inner(Box::new(Product), vec![a.clone(), b.clone()], data))
    }

    /// a · b over the last two axes
    pub fn matmul(&mut self, a: &Operand<T>, b: &Operand<T>) -> Result<Operand<T>> {
        let data = a.data()?.matmul(b.data()?)?;
        Ok(self.inner(Box::new(MatMul { transposed: false }), vec![a.clone(), b.clone()], data))
    }

    /// A function or norm of x, with its values.
    pub fn pass(&mut self, pass: Pass, x: &Operand<T>, data: T) -> Operand<T> {
        self.inner(Box::new(pass), vec![x.clone()], data)
    }

    /// A region of x.
    pub fn slice(&mut self, x: &Operand<T>, region: Vec<Range>) -> Result<Operand<T>> {
        let data = x.data()?.slice(&region)?;
        Ok(self.inner(Box::new(Slice { regions: vec![region] }), vec![x.clone()], data))
    }

    /// `len` indices of an axis from `start`.
    pub fn narrow(&mut self, x: &Operand<T>, axis: usize, start: usize, len: usize) -> Result<Operand<T>> {
        self.slice(x, span(x, axis, start, len)?)
    }

    /// Splits x into parts of the given extents along an axis; a single part is x itself.
    pub fn parts(&mut self, x: &Operand<T>, axis: usize, extents: &[usize]) -> Result<Vec<Operand<T>>> {
        if let [_] = extents {
            return Ok(vec![x.clone()]);
        }
        let mut start = 0;
        let mut regions = Vec::with_capacity(extents.len());
        let mut parts = Vec::with_capacity(extents.len());
        for &extent in extents {
            let region = span(x, axis, start, extent)?;
            let data = x.data()?.slice(&region)?;
            let value = self.tape.value(Meta::new(data.shape(), data.dtype()));
            parts.push(Operand::new(value, data));
            regions.push(region);
            start += extent;
        }
        let values = parts.iter().map(|part| part.value).collect();
        self.step(Box::new(Slice { regions }), vec![x.clone()], values);
        Ok(parts)
    }

    /// Concatenates tensors along an axis; a single one is itself.
    pub fn concat(&mut self, parts: Vec<Operand<T>>, axis: usize) -> Result<Operand<T>> {
        if let [part] = parts.as_slice() {
            return Ok(part.clone());
        }
        let data = parts.iter().map(|part| part.data().cloned()).collect::<Result<Vec<_>>>()?;
        Ok(self.inner(Box::new(Concat { axis, new_axis: false }), parts, T::concat(&data, axis)?))
    }

    /// Combines the first parts two at a time: gives the first, the first two, the first three … combined; `results` has the values.
    pub fn running(
        &mut self,
        combine: fn() -> Box<dyn BacktraceOp<T>>,
        parts: Vec<Operand<T>>,
        results: Vec<T>,
    ) -> Vec<Operand<T>> {
        let mut found: Vec<Operand<T>> = Vec::with_capacity(parts.len());
        for (part, result) in parts.into_iter().zip(results) {
            let next = match found.last() {
                None => part,
                Some(before) => self.inner(combine(), vec![before.clone(), part], result),
            };
            found.push(next);
        }
        found
    }

    /// The product of all elements along some axes, which disappear: factor after factor, in their order.
    pub fn product_over(&mut self, x: &Operand<T>, axes: &[usize]) -> Result<Operand<T>> {
        let rank = x.meta.shape.len();
        let stay = (0..rank).filter(|axis| !axes.contains(axis));
        let order: Vec<usize> = stay.chain(axes.iter().copied()).collect();
        let moved = self.permute(x, &order)?;
        let (rows, reduced) = moved.meta.shape.split_at(rank - axes.len());
        let (rows, count) = (rows.to_vec(), reduced.iter().product());
        let table = self.reshape(&moved, &[rows.as_slice(), &[count]].concat())?;
        let mut factors = self.parts(&table, rows.len(), &vec![1; count])?.into_iter();
        let Some(first) = factors.next() else {
            return Ok(self.constant(x.data()?.full(&rows, 1.0)?));
        };
        let product = factors.try_fold(first, |product, factor| self.product(&product, &factor))?;
        self.reshape(&product, &rows)
    }

    /// The same elements under another shape.
    pub fn reshape(&mut self, x: &Operand<T>, shape: &[usize]) -> Result<Operand<T>> {
        let data = x.data()?.reshape(shape)?;
        Ok(self.inner(Box::new(Reshape), vec![x.clone()], data))
    }

    /// Axes in another order.
    pub fn permute(&mut self, x: &Operand<T>, order: &[usize]) -> Result<Operand<T>> {
        let data = x.data()?.permute(order)?;
        Ok(self.inner(Box::new(Permute { order: order.to_vec() }), vec![x.clone()], data))
    }
}

/// The whole of x except along one axis, where it is `len` indices from `start`.
fn span<T>(x: &Operand<T>, axis: usize, start: usize, len: usize) -> Result<Vec<Range>> {
    let mut region: Vec<Range> = x.meta.shape.iter().map(|&extent| Range::full(extent)).collect();
    let no_axis = || Error::Uncovered(format!("no axis {axis} in {:?}", x.meta.shape));
    *region.get_mut(axis).ok_or_else(no_axis)? = Range::span(start, len);
    Ok(region)
}
