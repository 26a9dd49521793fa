//! Describes recordings of libtorch to the core's lowering.

use crate::TorchTensor;
use crate::table::policy;
use crate::tensor::{dtype, part_of};
use dlbacktrace_core::lowering::{self, Framework, OfSlot, Table};
use dlbacktrace_core::ops::{self, Strided};
use dlbacktrace_core::rules::Reads;
use dlbacktrace_core::{
    Chance, DType, Derivative, Error, Meta, ModulePath, Operand, Place, Result, Tensor, ValueId, WeightKey,
};
use dlbacktrace_torch_recorder::{
    Alias, Call, Keep, Origin, Output, Patch, Policy, Record, Slot, Value, is_strided,
};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A tape while it is written.
pub(crate) type Lowering = lowering::Lowering<Torch>;

/// libtorch, and what is known of the values of a recording.
pub(crate) struct Torch {
    origins: Vec<Origin>,
    /// Whether the module's parameters stay the same tensors from run to run.
    cache_weights: bool,
    /// The values that are complex numbers.
    complex: HashSet<usize>,
    /// The policy by which the run was recorded.
    pub(crate) policy: &'static Policy,
}

impl Framework for Torch {
    type Tensor = TorchTensor;
    type Raw = tch::Tensor;
    type Call = Call;
    type Keep = Keep;

    const INDICES: Keep = Keep::Indices;
    // In place, keeping the argument would need a copy, which costs more than it saves.
    const GATED: Keep = Keep::Unwritten;
    const OPERANDS: Keep = Keep::Read;
    const RESULTS: Keep = Keep::Results;
    const DERIVATIVE: Keep = Keep::Read;
    const ALL: Keep = Keep::All;

    fn operator(call: &Call) -> &str {
        &call.name
    }

    fn row(call: &Call) -> &str {
        &call.base
    }

    fn place(call: &Call) -> Place {
        let module = ModulePath { path: call.path.clone(), class: call.class_name.clone() };
        Place { module, source: call.source.clone(), ..Place::default() }
    }

    fn chance(call: &Call) -> Option<Chance> {
        chance(call.chance)
    }

    fn operands(call: &Call) -> impl Iterator<Item = &Slot> {
        slots(call)
    }

    fn outputs(call: &Call) -> impl Iterator<Item = (&Slot, bool)> {
        call.outputs.iter().map(|output| (&output.slot, output.fresh))
    }

    fn on(call: &Call, slot: &mut OfSlot<'_, tch::Tensor>) -> Result<Call> {
        call.on(slot)
    }

    /// A call that drew random numbers would draw others.
    fn derivative(&self, call: &Call) -> Option<Box<dyn Derivative<TorchTensor>>> {
        let again = chance(call.chance).is_none();
        let share = |slot: &Slot, _| {
            Ok::<_, Error>(Slot { value: slot.value, tensor: slot.tensor.as_ref().map(Self::share) })
        };
        let call = again.then(|| call.on(share).ok()).flatten()?;
        let complex = call.outputs.iter().map(|output| self.complex.contains(&output.slot.value.0)).collect();
        Some(Box::new(OfCall { call, complex }))
    }

    fn tensor(&self, raw: &tch::Tensor, meta: &Meta) -> Result<TorchTensor> {
        if !is_strided(raw) {
            return Err(Error::Uncovered("tensors with a layout other than strided have no rule".into()));
        }
        if !meta.complex {
            return Ok(TorchTensor::from(raw.shallow_clone()));
        }
        let parts = raw.f_resolve_conj().and_then(|tensor| tensor.f_view_as_real());
        Ok(TorchTensor::from(parts.map_err(|error| Error::tensor("view_as_real", error))?))
    }

    fn share(raw: &tch::Tensor) -> tch::Tensor {
        raw.shallow_clone()
    }

    fn part(raw: &tch::Tensor, index: usize) -> Result<tch::Tensor> {
        let part = raw.f_resolve_conj().and_then(|raw| if index == 0 { raw.f_real() } else { raw.f_imag() });
        part.map_err(|error| Error::tensor("parts of complex numbers", error))
    }

    /// Weights keep their address as long as the cache holds them, and count their writes. Two weights may be one memory seen in two
    /// ways, as in a decoder that is the transpose of its encoder.
    fn weight(&self, slot: &Slot) -> Option<WeightKey> {
        let weight = matches!(self.origins.get(slot.value.0), Some(Origin::Parameter(_) | Origin::Constant));
        let tensor = slot.tensor.as_ref().filter(|_| weight && self.cache_weights)?;
        let mut identity = DefaultHasher::new();
        (tensor.data_ptr() as u64, tensor.size(), tensor.stride(), tensor.kind()).hash(&mut identity);
        Some(WeightKey { identity: identity.finish(), version: tensor.f_internal_version().ok()? as u64 })
    }

    /// A parameter, a buffer or a constant of the model's code.
    fn is_stored(&self, value: ValueId) -> bool {
        matches!(self.origins.get(value.0), Some(Origin::Parameter(_) | Origin::Buffer(_) | Origin::Constant))
    }
}

/// The derivative of a call, by autograd.
#[derive(Debug)]
struct OfCall {
    call: Call,
    /// Whether each of its outputs is complex.
    complex: Vec<bool>,
}

impl Derivative<TorchTensor> for OfCall {
    fn adjoint(
        &self,
        wanted: &[ValueId],
        arriving: &[Option<TorchTensor>],
    ) -> Result<Vec<Option<TorchTensor>>> {
        let computed = |found: std::result::Result<tch::Tensor, tch::TchError>| {
            found.map_err(|error| Error::tensor("a derivative by complex numbers", error))
        };
        let as_recorded = |(index, slot): (usize, &Option<TorchTensor>)| {
            let Some(arrived) = slot.as_ref().map(TorchTensor::as_tch) else { return Ok(None) };
            let arrived = if self.complex.get(index).copied().unwrap_or_default() {
                arrived.f_contiguous().and_then(|x| x.f_view_as_complex())
            } else {
                Ok(arrived.shallow_clone())
            };
            computed(arrived).map(Some)
        };
        let arriving = arriving.iter().enumerate().map(as_recorded).collect::<Result<Vec<_>>>()?;
        let found = self.call.derivative(wanted, &arriving);
        let found = found.map_err(|error| Error::Uncovered(format!("it has no derivative here: {error}")))?;
        let in_parts = |slot: Option<tch::Tensor>| {
            let Some(found) = slot else { return Ok(None) };
            let parts = if found.is_complex() {
                found.f_resolve_conj().and_then(|x| x.f_view_as_real())
            } else {
                Ok(found)
            };
            Ok(Some(TorchTensor::from(computed(parts)?)))
        };
        found.into_iter().map(in_parts).collect()
    }
}

/// An empty tape for the values of a recording, which kept what these rules read.
pub(crate) fn begin(
    values: Vec<Value>,
    cache_weights: bool,
    reads: Reads,
    table: &'static Table<Torch>,
) -> Lowering {
    let policy = policy(reads);
    let origins = values.iter().map(|value| value.origin.clone()).collect();
    let mut lowering =
        Lowering::new(Torch { origins, cache_weights, complex: HashSet::new(), policy }, table, reads);
    for value in values {
        self::value(&mut lowering, value);
    }
    lowering
}

/// Adds a value of a recording.
pub(crate) fn value(lowering: &mut Lowering, value: Value) -> ValueId {
    let mut shape: Vec<usize> = value.sizes.iter().map(|&extent| extent as usize).collect();
    let part = value.kind.and_then(part_of);
    if part.is_some() {
        shape.push(2);
    }
    let kind = part.or(value.kind);
    let dtype = kind.map_or(DType::Other, dtype);
    let complex = part.is_some();
    let value = lowering.writer.tape.value(Meta { complex, ..Meta::new(shape, dtype) });
    if complex {
        lowering.framework.complex.insert(value.0);
    }
    value
}

/// Adds one record. Consumes it, so that tensors which no rule reads are freed.
pub(crate) fn record(lowering: &mut Lowering, record: Record) -> Result<()> {
    match &record {
        Record::Call(call) => lowering.begin(call),
        Record::Alias(_) => {
            lowering.writer.operator = "view of written storage".into();
            lowering.writer.place = Place { step: lowering.writer.tape.steps.len(), ..Place::default() };
        }
    }
    part(lowering, record)
}

/// As [`record`], for a part of the present operator.
pub(crate) fn part(lowering: &mut Lowering, record: Record) -> Result<()> {
    match record {
        // A call that made no value did nothing to the values that existed.
        Record::Call(call) if !call.outputs.iter().any(|output: &Output| output.fresh) => Ok(()),
        Record::Call(call) => lowering.part(&call),
        Record::Alias(alias) => self::alias(lowering, &alias),
    }
}

fn alias(lowering: &mut Lowering, alias: &Alias) -> Result<()> {
    let strided = |patch: &Patch| -> Result<Strided> {
        let extents = |values: &[i64]| values.iter().map(|&value| usize::try_from(value)).collect();
        let mut cells = Strided {
            offset: usize::try_from(patch.offset).map_err(negative)?,
            shape: Result::map_err(extents(&patch.sizes), negative)?,
            strides: Result::map_err(extents(&patch.strides), negative)?,
        };
        if lowering.writer.tape.meta(patch.value).complex {
            // The real and the imaginary part are neighbouring cells.
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
            let value = patch.value;
            Operand::shape_only(value, lowering.writer.tape.meta(value).clone())
        })
        .collect();
    lowering.writer.step(Box::new(op), inputs, vec![alias.target.value]);
    Ok(())
}

/// A factor of a matrix product; a sparse one is written out.
pub(crate) fn matrix(lowering: &Lowering, slot: &Slot) -> Result<Operand<TorchTensor>> {
    let sparse = slot.tensor.as_ref().filter(|tensor| !is_strided(tensor));
    let Some(tensor) = sparse else { return lowering.operand(slot) };
    let cells = tensor.numel();
    if cells > SPARSE_LIMIT {
        return Err(Error::Uncovered(format!(
            "a sparse matrix of {:?} is too large for its rule",
            tensor.size()
        )));
    }
    let full =
        tensor.f_to_dense(None::<tch::Kind>, false).map_err(|error| Error::tensor("to_dense", error))?;
    let dtype = lowering.meta(slot).dtype.compute();
    Ok(Operand { data: None, ..lowering.unread(slot) }.holding(TorchTensor::from(full).cast(dtype)?))
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

/// The tensor arguments of a call, in order; an `out=` argument is not an operand.
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
