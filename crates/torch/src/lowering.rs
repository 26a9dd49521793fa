//! From a recording of libtorch operators to a tape of core operators.

use crate::table::{Entry, Lower};
use crate::tensor::{dtype, part_of};
use crate::{TorchTensor, rearrange};
use dlbacktrace_core::ops::{self, Pass, Strided, Unruled};
use dlbacktrace_core::{
    BacktraceOp, Chance, DType, Error, Function, Gate, Meta, ModulePath, OfComplex, Operand, Place, Result,
    TapeWriter, Tensor, ValueId, WeightKey,
};
use dlbacktrace_torch_recorder::{Alias, Call, Origin, Patch, Record, Slot, Value, is_strided};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The tape in the making.
pub(crate) struct Lowering {
    pub(crate) writer: TapeWriter<TorchTensor>,
    origins: Vec<Origin>,
    cache_weights: bool,
}

impl Lowering {
    /// An empty tape over the values of a recording. `cache_weights`: the module's parameters stay the same
    /// tensors from run to run.
    pub(crate) fn new(values: Vec<Value>, cache_weights: bool) -> Self {
        let mut lowering =
            Self { writer: TapeWriter::new(), origins: Vec::with_capacity(values.len()), cache_weights };
        for value in values {
            lowering.origins.push(value.origin.clone());
            lowering.value(value);
        }
        lowering
    }

    /// Adds a value of a recording.
    pub(crate) fn value(&mut self, value: Value) -> ValueId {
        let mut shape: Vec<usize> = value.sizes.iter().map(|&extent| extent as usize).collect();
        let part = value.kind.and_then(part_of);
        if part.is_some() {
            shape.push(2);
        }
        let kind = part.or(value.kind);
        let dtype = kind.map_or(DType::Other, dtype);
        self.writer.tape.value(Meta { complex: part.is_some(), ..Meta::new(shape, dtype) })
    }

    /// Adds one record. Consumes it, so that what its rule does not read is freed.
    pub(crate) fn record(
        &mut self,
        record: Record,
        table: &HashMap<&'static str, &'static Entry>,
    ) -> Result<()> {
        match &record {
            Record::Call(call) => {
                self.writer.operator = call.name.clone();
                self.writer.place = Place {
                    step: self.writer.tape.steps.len(),
                    module: ModulePath { path: call.path.clone(), class: call.class_name.clone() },
                    source: call.source.clone(),
                    shapes: slots(call).map(|slot| self.meta(slot).shape).collect(),
                };
                if let Some(chance) = chance(call.chance) {
                    self.writer.random(chance);
                }
            }
            Record::Alias(_) => {
                self.writer.operator = "view of written storage".into();
                self.writer.place = Place { step: self.writer.tape.steps.len(), ..Place::default() };
            }
        }
        self.part(record, table)
    }

    /// As [`record`](Self::record), of what the operator at hand is made of.
    pub(crate) fn part(
        &mut self,
        record: Record,
        table: &HashMap<&'static str, &'static Entry>,
    ) -> Result<()> {
        match record {
            Record::Call(call) => self.call(&call, table),
            Record::Alias(alias) => self.alias(&alias),
        }
    }

    fn call(&mut self, call: &Call, table: &HashMap<&'static str, &'static Entry>) -> Result<()> {
        if !call.outputs.iter().any(|output| output.fresh) {
            return Ok(());
        }
        let before = self.writer.tape.steps.len();
        let outputs = call.outputs.iter().map(|output| &output.slot);
        let complex = slots(call).chain(outputs).any(|slot| self.meta(slot).complex);
        let lowered = match table.get(call.base.as_str()) {
            Some(entry) if !complex || entry.of_complex == OfComplex::Ruled => self.lower(call, entry),
            Some(entry) if entry.of_complex == OfComplex::Parts => self.by_parts(call, entry),
            _ => self.all(call, Box::new(Unruled::default())),
        };
        // What a rule does not cover matters only if relevance reaches it: integers that count axes take the
        // same operators.
        lowered.or_else(|error| match error {
            Error::Uncovered(reason) => {
                self.writer.tape.steps.truncate(before);
                self.all(call, Box::new(Unruled { reason: Some(reason), ..Unruled::default() }))
            }
            other => Err(other),
        })
    }

    /// By the row of its operator.
    fn lower(&mut self, call: &Call, entry: &Entry) -> Result<()> {
        match entry.lower {
            Lower::Function(function) => self.function(call, function),
            Lower::Identity => self.identity(call),
            Lower::Norm => self.pass(call, Pass::norm()),
            Lower::Decision(decision) => self.all(call, Box::new(decision)),
            Lower::Constant => self.all(call, Box::new(ops::Constant)),
            Lower::Rearrange => rearrange::lower(self, call),
            Lower::By(lower) => lower(self, call),
            Lower::Unruled => self.all(call, Box::new(Unruled::default())),
        }
    }

    /// A call on complex numbers, as the same call on their real parts and on their imaginary parts.
    fn by_parts(&mut self, call: &Call, entry: &Entry) -> Result<()> {
        let mut made = [Vec::new(), Vec::new()];
        for (index, made) in made.iter_mut().enumerate() {
            let of_parts = call.on(|slot, is_output| {
                let Meta { mut shape, dtype, complex } = self.meta(slot);
                let value = match (complex, is_output) {
                    (true, false) => self.writer.part(ValueId(slot.value.0), index),
                    (true, true) => {
                        shape.pop();
                        let value = self.writer.tape.value(Meta::new(shape, dtype));
                        made.push(value);
                        value
                    }
                    (false, false) if !dtype.is_float() => return Ok(slot.shallow_clone()),
                    _ => {
                        let reason = "real and complex numbers in one operator have no rule here";
                        return Err(Error::Uncovered(reason.into()));
                    }
                };
                let part = |tensor: &tch::Tensor| {
                    let tensor = tensor.f_resolve_conj()?;
                    if index == 0 { tensor.f_real() } else { tensor.f_imag() }
                };
                let tensor = slot.tensor.as_ref().map(part).transpose();
                let tensor = tensor.map_err(|error| Error::tensor("parts of complex numbers", error))?;
                Ok(Slot { value: dlbacktrace_torch_recorder::ValueId(value.0), tensor })
            })?;
            self.lower(&of_parts, entry)?;
        }
        let [real, imaginary] = made;
        for ((real, imaginary), z) in real.into_iter().zip(imaginary).zip(self.made(call)) {
            self.writer.join([real, imaginary], z);
        }
        Ok(())
    }

    /// The first tensor argument unchanged, or in another type.
    fn identity(&mut self, call: &Call) -> Result<()> {
        let Some(slot) = slots(call).next() else { return self.all(call, Box::new(Unruled::default())) };
        let (operand, output) = (self.unread(slot), self.output_meta(call)?);
        let (op, operands) = self.writer.converted(operand, &output)?;
        self.step(call, op, operands)
    }

    /// A function of each element of the first tensor argument. A gate reads what it was applied to.
    fn function(&mut self, call: &Call, function: Function) -> Result<()> {
        let slot = slots(call).next().filter(|slot| slot.tensor.is_some() && Gate::of(function).is_some());
        let Some(slot) = slot else { return self.pass(call, Pass::function(function)) };
        let operand = self.operand(slot)?;
        self.step(call, Box::new(Pass::function(function)), vec![operand])
    }

    /// A pass of the first tensor argument.
    pub(crate) fn pass(&mut self, call: &Call, pass: Pass) -> Result<()> {
        let Some(slot) = slots(call).next() else { return self.all(call, Box::new(Unruled::default())) };
        let operand = self.unread(slot);
        self.step(call, Box::new(pass), vec![operand])
    }

    /// Every tensor argument is an operand that the rule does not read.
    pub(crate) fn all(&mut self, call: &Call, op: Box<dyn BacktraceOp<TorchTensor>>) -> Result<()> {
        let operands = slots(call).map(|slot| self.unread(slot)).collect();
        self.step(call, op, operands)
    }

    fn alias(&mut self, alias: &Alias) -> Result<()> {
        let strided = |patch: &Patch| -> Result<Strided> {
            let extents = |values: &[i64]| values.iter().map(|&value| usize::try_from(value)).collect();
            let mut cells = Strided {
                offset: usize::try_from(patch.offset).map_err(negative)?,
                shape: Result::map_err(extents(&patch.sizes), negative)?,
                strides: Result::map_err(extents(&patch.strides), negative)?,
            };
            if self.writer.tape.meta(ValueId(patch.value.0)).complex {
                // Real and imaginary part are cells side by side.
                cells.offset *= 2;
                cells.strides.iter_mut().for_each(|stride| *stride *= 2);
                cells.shape.push(2);
                cells.strides.push(1);
            }
            Ok(cells)
        };
        let op = ops::Alias {
            sources: alias.sources.iter().map(strided).collect::<Result<_>>()?,
            target: strided(&alias.target)?,
        };
        let inputs: Vec<_> = alias
            .sources
            .iter()
            .map(|patch| {
                let value = ValueId(patch.value.0);
                Operand::shape_only(value, self.writer.tape.meta(value).clone())
            })
            .collect();
        self.writer.step(Box::new(op), inputs, vec![ValueId(alias.target.value.0)]);
        Ok(())
    }

    /// Adds a step that makes the call's outputs.
    pub(crate) fn step(
        &mut self,
        call: &Call,
        op: Box<dyn BacktraceOp<TorchTensor>>,
        inputs: Vec<Operand<TorchTensor>>,
    ) -> Result<()> {
        let outputs = self.made(call);
        self.writer.step(op, inputs, outputs);
        Ok(())
    }

    /// The values a call makes.
    pub(crate) fn made(&mut self, call: &Call) -> Vec<ValueId> {
        call.outputs
            .iter()
            .map(|output| match output.fresh {
                true => ValueId(output.slot.value.0),
                // The value existed before: what flows to it flows through its own maker.
                false => self.writer.tape.value(self.meta(&output.slot)),
            })
            .collect()
    }

    /// Shape and element type of a slot's value.
    pub(crate) fn meta(&self, slot: &Slot) -> Meta {
        self.writer.tape.meta(ValueId(slot.value.0)).clone()
    }

    /// The shape of the call's first output.
    pub(crate) fn output_shape(&self, call: &Call) -> Result<Vec<usize>> {
        Ok(self.output_meta(call)?.shape)
    }

    /// Shape and element type of the call's first output.
    pub(crate) fn output_meta(&self, call: &Call) -> Result<Meta> {
        let output =
            call.outputs.first().ok_or_else(|| Error::Uncovered("the operator returned no tensor".into()))?;
        Ok(self.meta(&output.slot))
    }

    /// An operand that the rule reads, in its compute type.
    pub(crate) fn operand(&self, slot: &Slot) -> Result<Operand<TorchTensor>> {
        let mut operand = self.unread(slot);
        let tensor = slot.tensor.as_ref().ok_or_else(|| Error::NotKept {
            what: format!("the operand of shape {:?}", operand.meta.shape),
        })?;
        if !is_strided(tensor) {
            return Err(Error::Uncovered(
                "a tensor of another layout than the strided one is not read".into(),
            ));
        }
        let parts = || tensor.f_resolve_conj().and_then(|tensor| tensor.f_view_as_real());
        let data = if operand.meta.complex { parts() } else { Ok(tensor.shallow_clone()) };
        let data = TorchTensor::from(data.map_err(|error| Error::tensor("view_as_real", error))?);
        operand.weight = self.weight(slot, tensor);
        operand.data = Some(data.cast(operand.meta.dtype.compute())?);
        Ok(operand)
    }

    /// A factor of a matrix product: a sparse one in full.
    pub(crate) fn matrix(&self, slot: &Slot) -> Result<Operand<TorchTensor>> {
        let sparse = slot.tensor.as_ref().filter(|tensor| !is_strided(tensor));
        let Some(tensor) = sparse else { return self.operand(slot) };
        let cells = tensor.numel();
        if cells > SPARSE_LIMIT {
            return Err(Error::Uncovered(format!(
                "a sparse matrix of {:?} is too large for its rule",
                tensor.size()
            )));
        }
        let full =
            tensor.f_to_dense(None::<tch::Kind>, false).map_err(|error| Error::tensor("to_dense", error))?;
        let dtype = self.meta(slot).dtype.compute();
        Ok(Operand { data: None, ..self.unread(slot) }.holding(TorchTensor::from(full).cast(dtype)?))
    }

    /// An operand of arithmetic, in the element type it ran in: integers count as numbers.
    pub(crate) fn number(&self, call: &Call, slot: &Slot) -> Result<Operand<TorchTensor>> {
        let mut operand = self.operand(slot)?;
        let like = call.outputs.first().map_or(DType::F32, |output| self.meta(&output.slot).dtype);
        let wanted = if like.is_float() { like.compute() } else { DType::F32 };
        operand.data = operand.data.map(|data| data.cast(wanted)).transpose()?;
        Ok(operand)
    }

    /// An operand of which the rule reads the shape only.
    pub(crate) fn unread(&self, slot: &Slot) -> Operand<TorchTensor> {
        Operand::shape_only(ValueId(slot.value.0), self.meta(slot))
    }

    /// Whether a slot holds a parameter, a buffer or a constant of the model's code.
    pub(crate) fn is_stored(&self, slot: &Slot) -> bool {
        matches!(
            self.origins.get(slot.value.0),
            Some(Origin::Parameter(_) | Origin::Buffer(_) | Origin::Constant)
        )
    }

    /// Weights keep their address for as long as the cache holds them, and count their writes. Two weights may be
    /// one memory seen in two ways, as a decoder's that is the transpose of its encoder's.
    fn weight(&self, slot: &Slot, tensor: &tch::Tensor) -> Option<WeightKey> {
        let weight = matches!(self.origins.get(slot.value.0), Some(Origin::Parameter(_) | Origin::Constant));
        if !weight || !self.cache_weights {
            return None;
        }
        let mut identity = DefaultHasher::new();
        (tensor.data_ptr() as u64, tensor.size(), tensor.stride(), tensor.kind()).hash(&mut identity);
        Some(WeightKey { identity: identity.finish(), version: tensor.f_internal_version().ok()? as u64 })
    }
}

/// The most cells of a sparse matrix that is written out.
const SPARSE_LIMIT: usize = 1 << 27;

/// Why a call may give something else for the same sample, if it may.
pub(crate) fn chance(told: dlbacktrace_torch_recorder::Chance) -> Option<Chance> {
    use dlbacktrace_torch_recorder::Chance as Told;
    match told {
        Told::Drawn => Some(Chance::Drawn),
        Told::Batch => Some(Chance::Batch),
        _ => None,
    }
}

fn negative(_: std::num::TryFromIntError) -> Error {
    Error::Uncovered("a view with negative strides has no rule".into())
}

/// The tensor arguments of a call, in order; an `out=` argument is no operand.
pub(crate) fn slots(call: &Call) -> impl Iterator<Item = &Slot> {
    use dlbacktrace_torch_recorder::ArgumentValue::{Tensor, Tensors};
    call.arguments.iter().filter(|argument| argument.name != "out").flat_map(|argument| {
        match &argument.value {
            Tensor(slot) => vec![slot],
            Tensors(slots) => slots.iter().flatten().collect(),
            _ => Vec::new(),
        }
    })
}
