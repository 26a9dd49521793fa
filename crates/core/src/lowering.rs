//! Lowers a recording of a framework's operators to a tape. This works alike for every framework: a [`Framework`] describes its
//! calls, and a [`Table`] says which rule each operator has.

mod framework;
mod table;

pub use framework::{Framework, OfSlot};
pub use table::{Besides, Lower, LowerBy, OperatorRule, Row, Table};

use crate::ops::{Constant, Detach, Pass, Unruled};
use crate::recording::Slot;
use crate::rules::Reads;
use crate::{
    BacktraceOp, DType, Error, Family, Function, Gate, Meta, OfComplex, Operand, Place, Result, Step,
    TapeWriter, Tensor, ValueId, WholeCall,
};

/// A tape while it is written.
pub struct Lowering<F: Framework> {
    /// Writes the steps.
    pub writer: TapeWriter<F::Tensor>,
    /// What the framework knows of the recording's values.
    pub framework: F,
    /// What the recording kept for rules other than those of DLBacktrace.
    pub reads: Reads,
    table: &'static Table<F>,
}

impl<F: Framework> Lowering<F> {
    /// An empty tape for a recording that kept what these rules read.
    pub fn new(framework: F, table: &'static Table<F>, reads: Reads) -> Self {
        let mut writer = TapeWriter::new();
        writer.tape.reads = reads;
        Self { writer, framework, reads, table }
    }

    /// Adds a call.
    ///
    /// # Errors
    /// [`Error::NotKept`] and [`Error::Tensor`]; a call that no rule covers becomes a step without a rule.
    pub fn record(&mut self, call: &F::Call) -> Result<()> {
        self.begin(call);
        self.part(call)
    }

    /// Gives the steps that follow the name and place of a call.
    pub fn begin(&mut self, call: &F::Call) {
        self.writer.operator = F::operator(call).to_owned();
        self.writer.place = Place {
            step: self.writer.tape.steps.len(),
            shapes: F::operands(call).map(|slot| self.meta(slot).shape).collect(),
            ..F::place(call)
        };
        if let Some(chance) = F::chance(call) {
            self.writer.random(chance);
        }
    }

    /// Adds a call that is a part of the present operator.
    ///
    /// # Errors
    /// As [`Lowering::record`].
    pub fn part(&mut self, call: &F::Call) -> Result<()> {
        let before = self.writer.tape.steps.len();
        let outputs = F::outputs(call).map(|(slot, _)| slot);
        let complex = F::operands(call).chain(outputs).any(|slot| self.meta(slot).complex);
        let row = self.table.get(F::row(call));
        let lowered = match row {
            Some(row) if !complex || row.of_complex == OfComplex::Ruled => self.lower(call, row),
            Some(row) if row.of_complex == OfComplex::Parts => self.by_parts(call, row),
            _ => self.all(call, Box::new(Unruled::default())),
        };
        // A call that no rule covers matters only if relevance reaches it: integers that count axes take the same
        // operators.
        lowered.or_else(|error| match error {
            Error::Uncovered(reason) => {
                self.writer.tape.steps.truncate(before);
                self.all(call, Box::new(Unruled { reason: Some(reason), ..Unruled::default() }))
            }
            other => Err(other),
        })?;
        if self.reads.more() && self.writer.tape.steps.len() > before {
            self.differentiable(call, before, row)?;
        }
        Ok(())
    }

    /// Gives the last step the result of its call, which began with step `first`, and its derivative, as far as the recording kept
    /// them.
    fn differentiable(&mut self, call: &F::Call, first: usize, row: Option<&Row<F>>) -> Result<()> {
        // Relevance of a value that existed before goes to its own maker.
        let value =
            |(slot, fresh): (&Slot<F::Raw>, bool)| if fresh { slot.value } else { ValueId(usize::MAX) };
        let outputs = F::outputs(call).map(value).collect();
        let Some((result, _)) = F::outputs(call).next() else { return Ok(()) };
        let whole = F::operands(call).all(|operand| operand.tensor.is_some())
            && row.is_none_or(|row| row.besides != Besides::Parts);
        let derivative = if whole { self.framework.derivative(call) } else { None };
        // Sums read it in its full precision.
        let dtype = self.meta(result).dtype;
        let read = |last: &Step<F::Tensor>| {
            let whole = last.op.family() != Family::WeightedSum
                || (dtype.compute() == dtype && last.place.step == first);
            last.op.reads_result() && whole
        };
        let known = result.tensor.is_some() && self.writer.tape.steps.last().is_some_and(read);
        let result = if known { self.operand(result)?.data } else { None };
        if let Some(last) = self.writer.tape.steps.last_mut() {
            if let Some(derivative) = derivative {
                last.call = Some(WholeCall { first, outputs, derivative });
            }
            last.result = last.result.take().or(result);
        }
        Ok(())
    }

    /// Lowers a call by the row of its operator.
    fn lower(&mut self, call: &F::Call, row: &Row<F>) -> Result<()> {
        match &row.lower {
            Lower::Function(function) => self.function(call, *function),
            Lower::Identity => self.identity(call),
            Lower::Detached => {
                let operand = self.unread(first::<F>(call)?);
                self.step(call, Box::new(Detach), vec![operand])
            }
            Lower::Norm => self.pass(call, Pass::norm()),
            Lower::Decision(decision) => self.all(call, Box::new(*decision)),
            Lower::Constant => self.all(call, Box::new(Constant)),
            Lower::By(lower) => lower(self, call),
            Lower::Unruled => self.all(call, Box::new(Unruled::default())),
        }
    }

    /// Lowers a call on complex numbers as the same call on their real parts and on their imaginary parts.
    fn by_parts(&mut self, call: &F::Call, row: &Row<F>) -> Result<()> {
        let mut made = [Vec::new(), Vec::new()];
        for (index, made) in made.iter_mut().enumerate() {
            let of_parts = F::on(call, &mut |slot, is_output| {
                let Meta { mut shape, dtype, complex } = self.meta(slot);
                let value = match (complex, is_output) {
                    (true, false) => self.writer.part(slot.value, index),
                    (true, true) => {
                        shape.pop();
                        let value = self.writer.tape.value(Meta::new(shape, dtype));
                        made.push(value);
                        value
                    }
                    // Indices are the same for both parts.
                    (false, false) if !dtype.is_float() => {
                        let tensor = slot.tensor.as_ref().map(F::share);
                        return Ok(Slot { value: slot.value, tensor });
                    }
                    (false, _) => {
                        let reason = "real and complex numbers in one operator have no rule here";
                        return Err(Error::Uncovered(reason.into()));
                    }
                };
                let tensor = slot.tensor.as_ref().map(|raw| F::part(raw, index)).transpose()?;
                Ok(Slot { value, tensor })
            })?;
            self.lower(&of_parts, row)?;
        }
        let [real, imaginary] = made;
        for ((real, imaginary), z) in real.into_iter().zip(imaginary).zip(self.made(call)) {
            self.writer.join([real, imaginary], z);
        }
        Ok(())
    }

    /// Adds a step that hands on the first operand unchanged, or in another type.
    fn identity(&mut self, call: &F::Call) -> Result<()> {
        let (operand, output) = (self.unread(first::<F>(call)?), self.output_meta(call)?);
        let (op, operands) = self.writer.converted(operand, &output)?;
        self.step(call, op, operands)
    }

    /// Adds a function of each element of the first operand. A gate reads the function's argument, and so do expansions.
    fn function(&mut self, call: &F::Call, function: Function) -> Result<()> {
        let slot = first::<F>(call)?;
        let reads = slot.tensor.is_some() && (Gate::of(function).is_some() || self.reads.more());
        let operand = if reads { self.operand(slot)? } else { self.unread(slot) };
        self.step(call, Box::new(Pass::function(function)), vec![operand])
    }

    /// Adds a pass of the first operand.
    ///
    /// # Errors
    /// [`Error::Uncovered`] if there is no operand.
    pub fn pass(&mut self, call: &F::Call, pass: Pass) -> Result<()> {
        let operand = self.unread(first::<F>(call)?);
        self.step(call, Box::new(pass), vec![operand])
    }

    /// Adds a step that has every tensor of the call as an operand whose data the rule does not read.
    ///
    /// # Errors
    /// None; it has the signature of a row's function.
    pub fn all(&mut self, call: &F::Call, op: Box<dyn BacktraceOp<F::Tensor>>) -> Result<()> {
        let operands = F::operands(call).map(|slot| self.unread(slot)).collect();
        self.step(call, op, operands)
    }

    /// Adds a step that makes the call's outputs.
    ///
    /// # Errors
    /// None; it has the signature of a row's function.
    pub fn step(
        &mut self,
        call: &F::Call,
        op: Box<dyn BacktraceOp<F::Tensor>>,
        operands: Vec<Operand<F::Tensor>>,
    ) -> Result<()> {
        let outputs = self.made(call);
        self.writer.step(op, operands, outputs);
        Ok(())
    }

    /// The values of a call's outputs.
    pub fn made(&mut self, call: &F::Call) -> Vec<ValueId> {
        F::outputs(call)
            .map(|(slot, fresh)| match fresh {
                true => slot.value,
                // The value existed before: relevance that flows to it goes to its own maker.
                false => {
                    let meta = self.meta(slot);
                    self.writer.tape.value(meta)
                }
            })
            .collect()
    }

    /// Shape and element type of a slot's value.
    pub fn meta(&self, slot: &Slot<F::Raw>) -> Meta {
        self.writer.tape.meta(slot.value).clone()
    }

    /// Shape and element type of the call's first output.
    ///
    /// # Errors
    /// [`Error::Uncovered`] if it returned no tensor.
    pub fn output_meta(&self, call: &F::Call) -> Result<Meta> {
        Ok(self.meta(output::<F>(call)?))
    }

    /// The shape of the call's first output.
    ///
    /// # Errors
    /// As [`Lowering::output_meta`].
    pub fn output_shape(&self, call: &F::Call) -> Result<Vec<usize>> {
        Ok(self.output_meta(call)?.shape)
    }

    /// The call's first output, in its compute type.
    ///
    /// # Errors
    /// As [`Lowering::output_meta`], and those of [`Lowering::operand`].
    pub fn result(&self, call: &F::Call) -> Result<F::Tensor> {
        self.operand(output::<F>(call)?)?.data().cloned()
    }

    /// An operand that the rule reads, in its compute type.
    ///
    /// # Errors
    /// [`Error::NotKept`], [`Error::Tensor`], and [`Error::Uncovered`] for a kind of tensor that no rule reads.
    pub fn operand(&self, slot: &Slot<F::Raw>) -> Result<Operand<F::Tensor>> {
        let mut operand = self.unread(slot);
        let raw = slot.tensor.as_ref().ok_or_else(|| Error::NotKept {
            what: format!("the operand of shape {:?}", operand.meta.shape),
        })?;
        let data = self.framework.tensor(raw, &operand.meta)?;
        operand.weight = self.framework.weight(slot);
        operand.data = Some(data.cast(operand.meta.dtype.compute())?);
        Ok(operand)
    }

    /// An operand with its data, if the recording kept it.
    ///
    /// # Errors
    /// Those of [`Lowering::operand`] but for [`Error::NotKept`].
    pub fn known(&self, slot: &Slot<F::Raw>) -> Result<Operand<F::Tensor>> {
        if slot.tensor.is_some() { self.operand(slot) } else { Ok(self.unread(slot)) }
    }

    /// An operand of arithmetic, in the element type in which it ran: integers count as numbers.
    ///
    /// # Errors
    /// Those of [`Lowering::operand`].
    pub fn number(&self, call: &F::Call, slot: &Slot<F::Raw>) -> Result<Operand<F::Tensor>> {
        let mut operand = self.operand(slot)?;
        let like = F::outputs(call).next().map_or(DType::F32, |(output, _)| self.meta(output).dtype);
        let wanted = if like.is_float() { like.compute() } else { DType::F32 };
        operand.data = operand.data.map(|data| data.cast(wanted)).transpose()?;
        Ok(operand)
    }

    /// An operand of which the rule reads only the shape.
    pub fn unread(&self, slot: &Slot<F::Raw>) -> Operand<F::Tensor> {
        Operand::shape_only(slot.value, self.meta(slot))
    }

    /// Whether a slot holds a parameter or a constant of the model.
    pub fn is_stored(&self, slot: &Slot<F::Raw>) -> bool {
        self.framework.is_stored(slot.value)
    }
}

fn first<F: Framework>(call: &F::Call) -> Result<&Slot<F::Raw>> {
    F::operands(call).next().ok_or_else(|| Error::Uncovered("the operator takes no tensor".into()))
}

fn output<F: Framework>(call: &F::Call) -> Result<&Slot<F::Raw>> {
    let first = F::outputs(call).next().map(|(slot, _)| slot);
    first.ok_or_else(|| Error::Uncovered("the operator returned no tensor".into()))
}
