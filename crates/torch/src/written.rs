//! Operators as their written-out forms. Such an operator is computed once more under the recorder, by operators that have rules,
//! and that recording takes its place. So an operator and its written-out form cannot differ.

use crate::arguments::Arguments;
use crate::lowering::{self, Lowering, value as value_of};
use dlbacktrace_core::ops::Reshape;
use dlbacktrace_core::{Error, Result};
use dlbacktrace_torch_recorder::{ArgumentValue, Call, Record, Recorder, Recording, Slot, ValueId};
use std::collections::HashMap;
use tch::{TchError, Tensor};

/// Lowers a call by what `compute` makes of its tensor arguments with these names; the latter ones may be absent.
pub(crate) fn lower<const N: usize, const M: usize>(
    lowering: &mut Lowering,
    call: &Call,
    names: [&str; N],
    optional: [&str; M],
    compute: impl FnOnce([&Tensor; N], [Option<&Tensor>; M]) -> std::result::Result<Tensor, TchError>,
) -> Result<()> {
    let needed = names.iter().map(|name| call.tensor(name)).collect::<Result<Vec<_>>>()?;
    let slots: Vec<Option<&Slot>> =
        needed.into_iter().map(Some).chain(optional.iter().map(|name| call.optional(name))).collect();
    let mut operands = Vec::new();
    let mut tensors = Vec::new();
    for slot in slots {
        let operand = slot.map(|slot| lowering.operand(slot)).transpose()?;
        tensors.push(
            operand
                .as_ref()
                .map(|operand| operand.data())
                .transpose()?
                .map(|data| data.as_tch().shallow_clone()),
        );
        operands.extend(operand);
    }
    let given: Vec<(&str, &Tensor)> = tensors.iter().flatten().map(|tensor| ("", tensor)).collect();
    let recorder = Recorder::begin(lowering.framework.policy, &given, &[]).map_err(failed)?;
    let absent = Tensor::new();
    let made = compute(
        std::array::from_fn(|at| tensors[at].as_ref().unwrap_or(&absent)),
        std::array::from_fn(|at| tensors[N + at].as_ref()),
    );
    let made = made.map_err(failed)?;
    let recording = recorder.finish(&[("", &made)]).map_err(failed)?;
    insert(lowering, call, recording, operands)
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::tensor("written-out form of an operator", error)
}

/// Puts a recording in the place of a call: its inputs are the call's operands, its output is the call's first output.
fn insert(
    lowering: &mut Lowering,
    call: &Call,
    recording: Recording,
    operands: Vec<dlbacktrace_core::Operand<crate::TorchTensor>>,
) -> Result<()> {
    let mut numbers: HashMap<usize, usize> = HashMap::new();
    numbers.extend(
        recording.inputs.iter().zip(&operands).map(|(port, operand)| (port.value.0, operand.value.0)),
    );
    let output = recording.outputs.first().map_or(usize::MAX, |port| port.value.0);
    if numbers.contains_key(&output) {
        let unchanged = recording.inputs.iter().zip(operands).find(|(port, _)| port.value.0 == output);
        return lowering.step(
            call,
            Box::new(Reshape),
            unchanged.map(|(_, operand)| operand).into_iter().collect(),
        );
    }
    numbers.extend(lowering.made(call).first().map(|first| (output, first.0)));
    for (number, value) in recording.values.into_iter().enumerate() {
        numbers.entry(number).or_insert_with(|| value_of(lowering, value).0);
    }
    for mut record in recording.records {
        renumber(&mut record, &numbers);
        lowering::part(lowering, record)?;
    }
    Ok(())
}

fn renumber(record: &mut Record, numbers: &HashMap<usize, usize>) {
    let renumbered =
        |value: &mut ValueId| *value = ValueId(numbers.get(&value.0).copied().unwrap_or(value.0));
    match record {
        Record::Alias(alias) => {
            alias
                .sources
                .iter_mut()
                .chain([&mut alias.target])
                .for_each(|patch| renumbered(&mut patch.value));
        }
        Record::Call(call) => {
            for argument in &mut call.arguments {
                match &mut argument.value {
                    ArgumentValue::Tensor(slot) => renumbered(&mut slot.value),
                    ArgumentValue::Tensors(slots) => {
                        slots.iter_mut().flatten().for_each(|slot| renumbered(&mut slot.value));
                    }
                    _ => {}
                }
            }
            call.outputs.iter_mut().for_each(|output| renumbered(&mut output.slot.value));
        }
    }
}
