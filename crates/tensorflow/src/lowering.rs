//! From a recording of TensorFlow's operators to a tape of core operators.

use crate::backend::{dtype, part, parts};
use crate::table::{Entry, Lower};
use crate::{Context, DataType, Origin, Record, Slot, TfTensor, ValueInfo};
use dlbacktrace_core::explain::Port;
use dlbacktrace_core::ops::{Constant, Pass, Unruled};
use dlbacktrace_core::{
    BacktraceOp, DType, Error, Family, Meta, ModulePath, OfComplex, Operand, Place, Result, TapeWriter,
    Tensor, ValueId, WeightKey,
};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// The tape in the making.
pub(crate) struct Lowering {
    pub(crate) writer: TapeWriter<TfTensor>,
    pub(crate) context: Arc<Context>,
    origins: Vec<Origin>,
    /// The variable that a value was read from; `None` for constants of the graph.
    stored: HashMap<usize, Option<String>>,
    /// Variables that this run writes to: what is derived from them is not kept.
    written: HashSet<String>,
    /// What this run wrote to variables so far.
    assigned: HashMap<String, Assigned>,
    /// What is read of files and messages: inputs of their own (`table/sources.rs`).
    pub(crate) ports: Vec<Port<TfTensor>>,
    /// The names of the inputs that these are read of.
    pub(crate) owners: HashSet<String>,
    /// The elements of each list of tensors (`table/lists.rs`), `None` where nothing was written.
    pub(crate) lists: HashMap<usize, Vec<Option<Element>>>,
}

/// An element of a list of tensors: a value of the tape.
pub(crate) type Element = ValueId;

/// What was written to a variable.
struct Assigned {
    /// The values that its value depends on.
    values: Vec<ValueId>,
    /// Whether it is the only one of them.
    whole: bool,
}

impl Lowering {
    /// An empty tape over the values of a recording.
    pub(crate) fn new(context: &Arc<Context>, values: Vec<ValueInfo>, records: &[Record]) -> Self {
        let mut writer = TapeWriter::new();
        let mut stored = HashMap::new();
        let mut origins = Vec::with_capacity(values.len());
        for (index, value) in values.into_iter().enumerate() {
            writer.tape.value(meta(&value));
            match &value.origin {
                Origin::Constant(_) => drop(stored.insert(index, None)),
                // The value of a variable of TensorFlow 1; others are handles, to be read.
                Origin::Variable(name) if value.data_type != DataType::RESOURCE => {
                    stored.insert(index, Some(name.clone()));
                }
                _ => {}
            }
            origins.push(value.origin);
        }
        let context = Arc::clone(context);
        let mut lowering = Self {
            writer,
            context,
            origins,
            stored,
            written: HashSet::new(),
            assigned: HashMap::new(),
            ports: Vec::new(),
            owners: HashSet::new(),
            lists: HashMap::new(),
        };
        lowering.written = records.iter().filter_map(|record| lowering.written_by(record)).collect();
        lowering
    }

    /// The variable that an operator writes to.
    fn written_by(&self, record: &Record) -> Option<String> {
        let operator = record.operation.operator.as_str();
        let writes = operator.starts_with("Assign")
            || operator.starts_with("ResourceScatter")
            || operator.starts_with("ResourceApply");
        self.variable(record.inputs.first().filter(|_| writes)?).map(str::to_owned)
    }

    /// The variable that a handle leads to.
    fn variable(&self, handle: &Slot) -> Option<&str> {
        match self.origins.get(handle.value.0) {
            Some(Origin::Variable(name)) => Some(name),
            _ => None,
        }
    }

    /// Adds one record. Consumes it, so that what its rule does not read is freed.
    pub(crate) fn record(
        &mut self,
        record: Record,
        table: &HashMap<&'static str, &'static Entry>,
    ) -> Result<()> {
        let before = self.writer.tape.steps.len();
        self.writer.operator = record.operation.operator.clone();
        self.writer.place = Place {
            step: before,
            module: module(&record.operation.name),
            source: Some(record.place()),
            shapes: record.inputs.iter().map(|slot| self.meta(slot).shape).collect(),
        };
        if let Some(chance) = record.chance {
            self.writer.random(chance);
        }
        let complex = record.inputs.iter().chain(&record.outputs).any(|slot| self.meta(slot).complex);
        let lowered = match table.get(record.operation.operator.as_str()) {
            Some(entry) if !complex || entry.of_complex == OfComplex::Ruled => self.lower(&record, entry),
            Some(entry) if entry.of_complex == OfComplex::Parts => self.by_parts(&record, entry),
            _ => self.all(&record, Box::new(Unruled::default())),
        };
        // What a rule does not cover matters only if relevance reaches it: integers that count axes take the
        // same operators.
        lowered.or_else(|error| match error {
            Error::Uncovered(reason) => {
                self.writer.tape.steps.truncate(before);
                self.all(&record, Box::new(Unruled { reason: Some(reason), ..Unruled::default() }))
            }
            other => Err(other),
        })
    }

    /// By the row of its operator.
    fn lower(&mut self, record: &Record, entry: &Entry) -> Result<()> {
        match entry.lower {
            Lower::Function(function) => self.pass(record, Box::new(Pass::function(function))),
            Lower::Identity => self.identity(record),
            Lower::Norm => self.pass(record, Box::new(Pass::norm())),
            Lower::Decision(decision) => self.all(record, Box::new(decision)),
            Lower::Constant => self.all(record, Box::new(Constant)),
            Lower::By(lower) => lower(self, record),
            Lower::Unruled => self.all(record, Box::new(Unruled::default())),
        }
    }

    /// A record of complex numbers, as the same operator on their real parts and on their imaginary parts.
    fn by_parts(&mut self, record: &Record, entry: &Entry) -> Result<()> {
        let to_part = |data_type: DataType| data_type.part().unwrap_or(data_type);
        let operation = record.operation.with_types(to_part);
        let operation = Arc::new(operation.map_err(|error| Error::tensor("an operator of parts", error))?);
        let mut made = Vec::with_capacity(2);
        for index in [0, 1] {
            let slot = |value: ValueId, slot: &Slot| -> Result<Slot> {
                let tensor = slot.tensor.as_ref().map(|tensor| part(tensor, index)).transpose()?;
                Ok(Slot { value: crate::ValueId(value.0), tensor })
            };
            let mut inputs = Vec::with_capacity(record.inputs.len());
            for given in &record.inputs {
                let Meta { dtype, complex, .. } = self.meta(given);
                if !complex && dtype.is_float() {
                    let reason = "real and complex numbers in one operator have no rule here";
                    return Err(Error::Uncovered(reason.into()));
                }
                let value = ValueId(given.value.0);
                let of_part = |lowering: &mut Self| slot(lowering.writer.part(value, index), given);
                inputs.push(if complex { of_part(self)? } else { given.clone() });
            }
            let mut outputs = Vec::with_capacity(record.outputs.len());
            for output in &record.outputs {
                let Meta { mut shape, dtype, complex } = self.meta(output);
                if !complex {
                    return Err(Error::Uncovered("complex numbers become real ones without a rule".into()));
                }
                shape.pop();
                outputs.push(slot(self.writer.tape.value(Meta::new(shape, dtype)), output)?);
            }
            let (operation, scope) = (Arc::clone(&operation), Arc::clone(&record.scope));
            let of_parts = Record { operation, scope, chance: record.chance, inputs, outputs };
            self.lower(&of_parts, entry)?;
            made.push(of_parts.outputs);
        }
        for ((real, imaginary), z) in made[0].iter().zip(&made[1]).zip(&record.outputs) {
            let [real, imaginary, z] = [real, imaginary, z].map(|slot| ValueId(slot.value.0));
            self.writer.join([real, imaginary], z);
        }
        Ok(())
    }

    /// The first input unchanged, or in another type.
    fn identity(&mut self, record: &Record) -> Result<()> {
        let (operand, output) = (self.unread(input(record, 0)?), self.output_meta(record)?);
        let (op, operands) = self.writer.converted(operand, &output)?;
        self.step(record, op, operands)
    }

    /// A function of the first input.
    fn pass(&mut self, record: &Record, op: Box<dyn BacktraceOp<TfTensor>>) -> Result<()> {
        let operand = self.unread(input(record, 0)?);
        self.step(record, op, vec![operand])
    }

    /// Every input is an operand that the rule does not read.
    pub(crate) fn all(&mut self, record: &Record, op: Box<dyn BacktraceOp<TfTensor>>) -> Result<()> {
        let operands = record.inputs.iter().map(|slot| self.unread(slot)).collect();
        self.step(record, op, operands)
    }

    /// Adds a step that makes the record's outputs.
    pub(crate) fn step(
        &mut self,
        record: &Record,
        op: Box<dyn BacktraceOp<TfTensor>>,
        inputs: Vec<Operand<TfTensor>>,
    ) -> Result<()> {
        let outputs = record.outputs.iter().map(|output| ValueId(output.value.0)).collect();
        self.writer.step(op, inputs, outputs);
        Ok(())
    }

    /// The value of a variable is read: what this run wrote to it, else a constant known by the variable's name.
    pub(crate) fn read_variable(&mut self, record: &Record) -> Result<()> {
        let name = self.variable(input(record, 0)?).map(str::to_owned);
        if let Some(Assigned { values, whole }) = name.as_ref().and_then(|name| self.assigned.get(name)) {
            let meta = |value: &ValueId| self.writer.tape.meta(*value).clone();
            let operands = values.iter().map(|value| Operand::shape_only(*value, meta(value))).collect();
            if *whole {
                return self.step(record, Box::new(Pass::identity()), operands);
            }
            let reason = Some("a variable that was changed in part has no rule".into());
            return self.step(record, Box::new(Unruled { reason, ..Unruled::default() }), operands);
        }
        if let (Some(name), Some(output)) = (name, record.outputs.first()) {
            self.stored.insert(output.value.0, Some(name));
        }
        self.step(record, Box::new(Constant), Vec::new())
    }

    /// A variable takes the value of an input (`whole`), or is changed by inputs.
    pub(crate) fn write_variable(&mut self, record: &Record, whole: bool) -> Result<()> {
        let Some(name) = self.variable(input(record, 0)?).map(str::to_owned) else { return Ok(()) };
        let written = record.inputs[1..].iter().map(|slot| ValueId(slot.value.0));
        let assigned = self.assigned.entry(name).or_insert(Assigned { values: Vec::new(), whole });
        if whole {
            assigned.values.clear();
        }
        assigned.whole = whole;
        assigned.values.extend(written);
        Ok(())
    }

    /// The input that a value was made of, or what was read of one, if there is any.
    pub(crate) fn owner(&self, slot: &Slot) -> Option<String> {
        let (mut waiting, mut seen) = (vec![ValueId(slot.value.0)], HashSet::new());
        while let Some(value) = waiting.pop() {
            if let Some(port) = self.ports.iter().find(|port| port.value == value) {
                return Some(port.name.clone());
            }
            if let Some(Origin::Input(name)) = self.origins.get(value.0) {
                return Some(name.clone());
            }
            let makers = self.writer.tape.steps.iter().filter(|step| step.outputs.contains(&value));
            let operands = makers.flat_map(|step| step.inputs.iter().rev().map(|operand| operand.value));
            waiting.extend(operands.filter(|&operand| seen.insert(operand)));
        }
        None
    }

    /// What an operator read becomes an input to explain: of pictures and sounds the numbers, else what was read.
    pub(crate) fn begin(&mut self, name: String, slot: &Slot) -> Result<()> {
        let tensor = slot.tensor.as_ref().ok_or_else(|| not_kept(slot))?;
        let mut value = ValueId(slot.value.0);
        let mut read = TfTensor::from(tensor.clone());
        if SAMPLES.contains(&tensor.data_type()) {
            read = read.cast(DType::F32)?;
            let numbers =
                Operand::new(self.writer.tape.value(Meta::new(read.shape(), DType::F32)), read.clone());
            let from = numbers.value;
            self.writer.step(Box::new(Pass::identity()), vec![numbers], vec![value]);
            value = from;
        }
        self.ports.push(Port { name, value, tensor: read });
        Ok(())
    }

    /// What is to be explained: the inputs and what was read of them. Of an input that is read and no more, only the latter.
    pub(crate) fn explained(&mut self, inputs: Vec<Port<TfTensor>>) -> Vec<Port<TfTensor>> {
        let mut ports: Vec<_> = inputs.into_iter().chain(std::mem::take(&mut self.ports)).collect();
        ports.retain(|port| !(self.owners.contains(&port.name) && self.only_moves(port.value)));
        number(&mut ports);
        ports
    }

    /// Whether a value is moved and asked for its shape, and no more.
    fn only_moves(&self, value: ValueId) -> bool {
        let mut moved = HashSet::from([value]);
        self.writer.tape.steps.iter().all(|step| {
            let reads = step.inputs.iter().any(|operand| moved.contains(&operand.value));
            match step.op.family() {
                _ if !reads => true,
                Family::Movement | Family::Pass => {
                    moved.extend(&step.outputs);
                    true
                }
                family => family == Family::Constant,
            }
        })
    }

    /// Shape and element type of a slot's value.
    pub(crate) fn meta(&self, slot: &Slot) -> Meta {
        self.writer.tape.meta(ValueId(slot.value.0)).clone()
    }

    /// The shape of the record's first output.
    pub(crate) fn output_shape(&self, record: &Record) -> Result<Vec<usize>> {
        Ok(self.output_meta(record)?.shape)
    }

    /// Shape and element type of the record's first output.
    pub(crate) fn output_meta(&self, record: &Record) -> Result<Meta> {
        let output =
            record.outputs.first().ok_or_else(|| Error::Uncovered("the operator returned nothing".into()))?;
        Ok(self.meta(output))
    }

    /// What the record returned first, in its compute type.
    pub(crate) fn result(&self, record: &Record) -> Result<TfTensor> {
        let output =
            record.outputs.first().ok_or_else(|| Error::Uncovered("the operator returned nothing".into()))?;
        self.operand(output)?.data.ok_or_else(|| not_kept(output))
    }

    /// The number that a scalar constant of the graph is, which other frameworks would have as an argument.
    pub(crate) fn number_of_graph(&self, slot: &Slot) -> Result<Option<f64>> {
        let constant = matches!(self.stored.get(&slot.value.0), Some(None));
        match &slot.tensor {
            // A complex one has an axis of parts.
            Some(tensor) if constant && self.meta(slot).shape.is_empty() => {
                Ok(TfTensor::from(tensor.clone()).to_array()?.first().copied())
            }
            _ => Ok(None),
        }
    }

    /// An operand that the rule reads, in its compute type.
    pub(crate) fn operand(&self, slot: &Slot) -> Result<Operand<TfTensor>> {
        let mut operand = self.unread(slot);
        let tensor = slot.tensor.as_ref().ok_or_else(|| not_kept(slot))?;
        if operand.meta.dtype == DType::Other {
            return Err(Error::Uncovered("there is no rule for values of this type".into()));
        }
        operand.weight = self.weight(slot, tensor);
        let data = if operand.meta.complex { parts(tensor)? } else { TfTensor::from(tensor.clone()) };
        operand.data = Some(data.cast(operand.meta.dtype.compute())?);
        Ok(operand)
    }

    /// An operand of arithmetic, in the element type it ran in: integers count as numbers.
    pub(crate) fn number(&self, record: &Record, slot: &Slot) -> Result<Operand<TfTensor>> {
        let mut operand = self.operand(slot)?;
        let like = record.outputs.first().map_or(DType::F32, |output| self.meta(output).dtype);
        let wanted = if like.is_float() { like.compute() } else { DType::F32 };
        operand.data = operand.data.map(|data| data.cast(wanted)).transpose()?;
        Ok(operand)
    }

    /// An operand of which the rule reads the shape only.
    pub(crate) fn unread(&self, slot: &Slot) -> Operand<TfTensor> {
        Operand::shape_only(ValueId(slot.value.0), self.meta(slot))
    }

    /// Whether a slot holds a variable's value or a constant of the graph.
    pub(crate) fn is_stored(&self, slot: &Slot) -> bool {
        self.stored.contains_key(&slot.value.0)
    }

    /// A constant keeps its address for the life of the model; a variable has a name, and every run starts from the
    /// same values.
    fn weight(&self, slot: &Slot, tensor: &crate::Tensor) -> Option<WeightKey> {
        let mut identity = DefaultHasher::new();
        match self.stored.get(&slot.value.0)? {
            Some(variable) if self.written.contains(variable) => return None,
            Some(variable) => variable.hash(&mut identity),
            None => tensor.address().hash(&mut identity),
        }
        Some(WeightKey { identity: identity.finish(), version: 0 })
    }
}

/// Element types that hold samples of pictures and sounds.
const SAMPLES: [DataType; 4] = [DataType::UINT8, DataType::INT8, DataType::UINT16, DataType::INT16];

/// Tells those of one name apart.
fn number(ports: &mut [Port<TfTensor>]) {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for port in &*ports {
        *counts.entry(port.name.clone()).or_default() += 1;
    }
    let mut used: HashMap<String, usize> = HashMap::new();
    for port in ports.iter_mut().filter(|port| counts[&port.name] > 1) {
        let index = used.entry(port.name.clone()).or_default();
        port.name = format!("{}[{index}]", port.name);
        *index += 1;
    }
}

/// One of a record's inputs.
pub(crate) fn input(record: &Record, index: usize) -> Result<&Slot> {
    let missing = || Error::Uncovered(format!("the operator takes more than {} inputs", record.inputs.len()));
    record.inputs.get(index).ok_or_else(missing)
}

/// The numbers of an integer input that tells how: axes, a shape, a permutation.
pub(crate) fn integers(record: &Record, index: usize) -> Result<Vec<i64>> {
    let slot = input(record, index)?;
    let tensor = slot.tensor.as_ref().ok_or_else(|| not_kept(slot))?;
    Ok(TfTensor::from(tensor.clone()).to_indices()?.into_iter().collect())
}

/// An axis that may count from the end.
pub(crate) fn axis(index: i64, rank: usize) -> Result<usize> {
    let from_front = if index < 0 { index + rank as i64 } else { index };
    let axis = usize::try_from(from_front).ok().filter(|&axis| axis < rank);
    axis.ok_or_else(|| Error::Uncovered(format!("there is no axis {index} among {rank}")))
}

/// What the tape knows of a value. Texts are tokens, as integers are.
fn meta(value: &ValueInfo) -> Meta {
    match (value.data_type, value.data_type.part()) {
        (DataType::STRING, _) => Meta::new(value.shape.clone(), DType::Int),
        (_, Some(part)) => {
            let shape = [&value.shape[..], &[2]].concat();
            Meta { complex: true, ..Meta::new(shape, dtype(part)) }
        }
        (data_type, None) => Meta::new(value.shape.clone(), dtype(data_type)),
    }
}

pub(crate) fn not_kept(slot: &Slot) -> Error {
    let shape =
        slot.tensor.as_ref().map(|tensor| format!(" of shape {:?}", tensor.shape())).unwrap_or_default();
    Error::NotKept { what: format!("an operand{shape}") }
}

/// Keras names nodes by the path of the layer: `functional_1/lstm_1/while/lstm_cell_1/MatMul`.
pub(crate) fn module(node: &str) -> ModulePath {
    let path = node.rsplit_once('/').map_or("", |(path, _)| path).replace('/', ".");
    ModulePath { path, class: String::new() }
}
