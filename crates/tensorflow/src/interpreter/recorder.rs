//! Records what runs.

use super::Operation;
use super::recording::{Keep, Origin, Record, Scope, Slot, ValueId, ValueInfo};
use crate::{DataType, Result, Tensor};
use dlbacktrace_core::Chance;
use std::collections::HashMap;
use std::sync::Arc;

/// A tensor with its identity.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub(crate) id: ValueId,
    pub(crate) tensor: Tensor,
}

/// Which tensors of an operator to keep, by the operator's type.
pub(crate) type Policy<'a> = &'a dyn Fn(&str) -> Keep;

/// Records what runs; without a policy it only numbers the values.
pub(crate) struct Recorder<'a> {
    policy: Option<Policy<'a>>,
    paused: usize,
    numbered: usize,
    /// Tensors made for the life of the model keep one identity during a run, by the address of their node.
    lasting: HashMap<(usize, usize), ValueId>,
    records: Vec<Record>,
    values: Vec<ValueInfo>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(policy: Option<Policy<'a>>) -> Self {
        let (records, values, lasting) = (Vec::new(), Vec::new(), HashMap::new());
        Self { policy, paused: 0, numbered: 0, lasting, records, values }
    }

    /// Takes out the recording.
    pub(crate) fn take(&mut self) -> (Vec<Record>, Vec<ValueInfo>) {
        (std::mem::take(&mut self.records), std::mem::take(&mut self.values))
    }

    /// A new value.
    pub(crate) fn value(&mut self, tensor: Tensor, origin: Origin) -> Result<Value> {
        let id = ValueId(self.numbered);
        self.numbered += 1;
        if self.policy.is_some() {
            let data_type = tensor.data_type();
            let opaque = [DataType::RESOURCE, DataType::VARIANT].contains(&data_type);
            let shape = if opaque { Vec::new() } else { tensor.shape()? };
            self.values.push(ValueInfo { data_type, shape, origin });
        }
        Ok(Value { id, tensor })
    }

    /// An output of a node that was made for the life of the model.
    pub(super) fn lasting(&mut self, key: (usize, usize), tensor: &Tensor, origin: Origin) -> Result<Value> {
        if let Some(&id) = self.lasting.get(&key) {
            return Ok(Value { id, tensor: tensor.clone() });
        }
        let value = self.value(tensor.clone(), origin)?;
        self.lasting.insert(key, value.id);
        Ok(value)
    }

    /// Records an operator that ran.
    pub(super) fn record(
        &mut self,
        operation: &Arc<Operation>,
        chance: Option<Chance>,
        scope: &Arc<Scope>,
        inputs: &[Value],
        outputs: &[Value],
    ) {
        let Some(policy) = self.policy.filter(|_| self.paused == 0) else { return };
        let keep = policy(&operation.operator);
        let slot =
            |value: &Value, keep: bool| Slot { value: value.id, tensor: keep.then(|| value.tensor.clone()) };
        let input = |(index, value): (usize, &Value)| {
            let whole = match keep {
                Keep::Indices | Keep::Results => false,
                Keep::Rest => index > 0,
                Keep::Inputs | Keep::All => true,
            };
            slot(value, whole || is_index(value.tensor.data_type()))
        };
        self.records.push(Record {
            operation: Arc::clone(operation),
            scope: Arc::clone(scope),
            chance,
            inputs: inputs.iter().enumerate().map(input).collect(),
            outputs: outputs
                .iter()
                .map(|value| slot(value, matches!(keep, Keep::All | Keep::Results)))
                .collect(),
        });
    }

    /// Records nothing until [`Recorder::resume`] has been called as often.
    pub(super) fn pause(&mut self) {
        self.paused += 1;
    }

    pub(super) fn resume(&mut self) {
        self.paused = self.paused.saturating_sub(1);
    }
}

/// Whether elements of this type can be indices, masks or names.
fn is_index(data_type: DataType) -> bool {
    let number = data_type.part().unwrap_or(data_type);
    !matches!(
        number,
        DataType::FLOAT | DataType::DOUBLE | DataType::HALF | DataType::BFLOAT16 | DataType::VARIANT
    )
}
