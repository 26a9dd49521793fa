//! Describes recordings of TensorFlow to the core's lowering.

use crate::backend::{dtype, part, parts};
use crate::{Context, DataType, Keep, Origin, Record, Slot, TfTensor, ValueInfo, derivatives};
use dlbacktrace_core::lowering::{self, Framework, OfSlot, Table};
use dlbacktrace_core::rules::Reads;
use dlbacktrace_core::{
    Chance, DType, Derivative, Error, Meta, ModulePath, Place, Port, Result, Tensor, ValueId, WeightKey,
};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// A tape while it is written.
pub(crate) type Lowering = lowering::Lowering<TensorFlow>;

/// TensorFlow, and what is known of the values of a recording.
pub(crate) struct TensorFlow {
    pub(crate) context: Arc<Context>,
    pub(crate) origins: Vec<Origin>,
    /// The variable from which a value was read; `None` for constants of the graph.
    pub(crate) stored: HashMap<usize, Option<String>>,
    /// Variables that this run writes to; nothing derived from them is kept.
    written: HashSet<String>,
    /// What this run has written to variables (`table/variables.rs`).
    pub(crate) assigned: HashMap<String, Assigned>,
    /// Values decoded from files and messages, which are inputs of their own (`table/sources.rs`).
    pub(crate) ports: Vec<Port<TfTensor>>,
    /// The names of the inputs from which these are decoded.
    pub(crate) owners: HashSet<String>,
    /// The elements of each list of tensors (`table/lists.rs`), `None` if nothing was written.
    pub(crate) lists: HashMap<usize, Vec<Option<Element>>>,
}

/// An element of a list of tensors: a value of the tape.
pub(crate) type Element = ValueId;

/// What was written to a variable.
pub(crate) struct Assigned {
    /// The values on which its value depends.
    pub(crate) values: Vec<ValueId>,
    /// Whether the variable's value is just this one value.
    pub(crate) whole: bool,
}

/// An empty tape for the values of a recording, which kept what these rules read.
pub(crate) fn begin(
    context: &Arc<Context>,
    values: Vec<ValueInfo>,
    records: &[Record],
    reads: Reads,
    table: &'static Table<TensorFlow>,
) -> Lowering {
    let (mut stored, mut metas) = (HashMap::new(), Vec::with_capacity(values.len()));
    let mut origins = Vec::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        metas.push(meta(&value));
        match &value.origin {
            Origin::Constant(_) => drop(stored.insert(index, None)),
            // The value of a variable of TensorFlow 1; other variables are handles, which are read later.
            Origin::Variable(name) if value.data_type != DataType::RESOURCE => {
                stored.insert(index, Some(name.clone()));
            }
            _ => {}
        }
        origins.push(value.origin);
    }
    let mut framework = TensorFlow {
        context: Arc::clone(context),
        origins,
        stored,
        written: HashSet::new(),
        assigned: HashMap::new(),
        ports: Vec::new(),
        owners: HashSet::new(),
        lists: HashMap::new(),
    };
    framework.written = records.iter().filter_map(|record| framework.written_by(record)).collect();
    let mut lowering = Lowering::new(framework, table, reads);
    for meta in metas {
        lowering.writer.tape.value(meta);
    }
    lowering
}

impl TensorFlow {
    /// The variable that an operator writes to.
    fn written_by(&self, record: &Record) -> Option<String> {
        let operator = record.operation.operator.as_str();
        let writes = operator.starts_with("Assign")
            || operator.starts_with("ResourceScatter")
            || operator.starts_with("ResourceApply");
        self.variable(record.inputs.first().filter(|_| writes)?).map(str::to_owned)
    }

    /// The variable of a handle.
    pub(crate) fn variable(&self, handle: &Slot) -> Option<&str> {
        match self.origins.get(handle.value.0) {
            Some(Origin::Variable(name)) => Some(name),
            _ => None,
        }
    }
}

impl Framework for TensorFlow {
    type Tensor = TfTensor;
    type Raw = crate::Tensor;
    type Call = Record;
    type Keep = Keep;

    const INDICES: Keep = Keep::Indices;
    const GATED: Keep = Keep::Indices;
    const OPERANDS: Keep = Keep::Inputs;
    const RESULTS: Keep = Keep::Results;
    // The formulas of derivatives read results, too.
    const DERIVATIVE: Keep = Keep::All;
    const ALL: Keep = Keep::All;

    fn operator(record: &Record) -> &str {
        &record.operation.operator
    }

    fn place(record: &Record) -> Place {
        Place { module: module(&record.operation.name), source: Some(record.place()), ..Place::default() }
    }

    fn chance(record: &Record) -> Option<Chance> {
        record.chance
    }

    fn operands(record: &Record) -> impl Iterator<Item = &Slot> {
        record.inputs.iter()
    }

    fn outputs(record: &Record) -> impl Iterator<Item = (&Slot, bool)> {
        record.outputs.iter().map(|output| (output, true))
    }

    fn on(record: &Record, slot: &mut OfSlot<'_, crate::Tensor>) -> Result<Record> {
        let to_part = |data_type: DataType| data_type.part().unwrap_or(data_type);
        let operation = record.operation.with_types(to_part);
        let operation = operation.map_err(|error| Error::tensor("an operator of parts", error))?;
        let inputs = record.inputs.iter().map(|input| slot(input, false)).collect::<Result<_>>()?;
        let outputs = record.outputs.iter().map(|output| slot(output, true)).collect::<Result<_>>()?;
        let (operation, scope) = (Arc::new(operation), Arc::clone(&record.scope));
        Ok(Record { operation, scope, chance: record.chance, inputs, outputs })
    }

    fn derivative(&self, record: &Record) -> Option<Box<dyn Derivative<TfTensor>>> {
        derivatives::derivative(record)
    }

    fn tensor(&self, raw: &crate::Tensor, meta: &Meta) -> Result<TfTensor> {
        match meta {
            Meta { complex: true, .. } => parts(raw),
            Meta { dtype: DType::Other, .. } => {
                Err(Error::Uncovered("values of this type have no rule".into()))
            }
            _ => Ok(TfTensor::from(raw.clone())),
        }
    }

    fn share(raw: &crate::Tensor) -> crate::Tensor {
        raw.clone()
    }

    fn part(raw: &crate::Tensor, index: usize) -> Result<crate::Tensor> {
        part(raw, index)
    }

    /// A constant keeps its address for the life of the model. A variable has a name, and every run starts from the same values.
    fn weight(&self, slot: &Slot) -> Option<WeightKey> {
        let mut identity = DefaultHasher::new();
        match self.stored.get(&slot.value.0)? {
            Some(variable) if self.written.contains(variable) => return None,
            Some(variable) => variable.hash(&mut identity),
            None => slot.tensor.as_ref()?.address().hash(&mut identity),
        }
        Some(WeightKey { identity: identity.finish(), version: 0 })
    }

    /// A variable's value or a constant of the graph.
    fn is_stored(&self, value: ValueId) -> bool {
        self.stored.contains_key(&value.0)
    }
}

/// The number in a scalar constant of the graph, which other frameworks would pass as an argument.
pub(crate) fn number_of_graph(lowering: &Lowering, slot: &Slot) -> Result<Option<f64>> {
    let constant = matches!(lowering.framework.stored.get(&slot.value.0), Some(None));
    match &slot.tensor {
        // A complex one has an axis of parts.
        Some(tensor) if constant && lowering.meta(slot).shape.is_empty() => {
            Ok(TfTensor::from(tensor.clone()).to_array()?.first().copied())
        }
        _ => Ok(None),
    }
}

/// One of a record's inputs.
pub(crate) fn input(record: &Record, index: usize) -> Result<&Slot> {
    let missing = || Error::Uncovered(format!("the operator takes more than {} inputs", record.inputs.len()));
    record.inputs.get(index).ok_or_else(missing)
}

/// The numbers of an integer input that says how: axes, a shape, a permutation.
pub(crate) fn integers(record: &Record, index: usize) -> Result<Vec<i64>> {
    let slot = input(record, index)?;
    let tensor = slot.tensor.as_ref().ok_or_else(|| not_kept(slot))?;
    Ok(TfTensor::from(tensor.clone()).to_indices()?.into_iter().collect())
}

/// An axis, which may be counted from the end.
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
