//! Explaining and checking a model.

use crate::lowering::Lowering;
use crate::table::{keep, table};
use crate::{DataType, Error, Explanation, Keep, Model, Port, Record, Result, Tensor, TfTensor};
use dlbacktrace_core::ValueId;
use dlbacktrace_core::explain::{self, Options, Run};
use std::collections::HashSet;
use std::time::Instant;

/// What the recording's own check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// Operators run again on what was recorded.
    pub checked: usize,
    /// Operators that read or change more than their inputs (variables, tables, generators), or whose results are no
    /// plain tensors.
    pub skipped: usize,
    /// One line for each that gave something else.
    pub failed: Vec<String>,
}

impl Model {
    /// Runs the model and traces the chosen output back to the inputs.
    ///
    /// # Errors
    /// As [`Model::forward`], and [`Error::Core`] when the options do not fit or the walk fails, above all on an
    /// operator without a rule.
    pub fn explain(&self, inputs: &[(String, Tensor)], options: &Options) -> Result<Explanation> {
        let start = Instant::now();
        let recording = self.record(inputs, &keep)?;
        let (recorded, forward) = (Instant::now(), start.elapsed());
        let mut lowering = Lowering::new(self.context(), recording.values, &recording.records);
        for record in recording.records {
            lowering.record(record, table())?;
        }
        let run = Run {
            tape: lowering.writer.tape,
            inputs: ports(recording.inputs),
            outputs: ports(recording.outputs),
            recorded,
            forward,
        };
        Ok(explain::explain(run, options, self.weights())?)
    }

    /// Records a run whole and repeats each operator on what was recorded: the recording's own check.
    ///
    /// # Errors
    /// As [`Model::forward`].
    pub fn replay(&self, inputs: &[(String, Tensor)]) -> Result<Replay> {
        let recording = self.record(inputs, &|_| Keep::All)?;
        // Kernels leave results unset that only training reads.
        let inputs = recording.records.iter().flat_map(|record| &record.inputs);
        let outputs = recording.outputs.iter().map(|port| port.value);
        let read: HashSet<_> = inputs.map(|slot| slot.value).chain(outputs).collect();
        let mut replay = Replay { checked: 0, skipped: 0, failed: Vec::new() };
        for record in &recording.records {
            match self.repeated(record, &read)? {
                None => replay.skipped += 1,
                Some(true) => replay.checked += 1,
                Some(false) => {
                    replay.checked += 1;
                    replay.failed.push(format!("{} at {}", record.operation.operator, record.place()));
                }
            }
        }
        Ok(replay)
    }

    /// Whether an operator gives again what was recorded, bit for bit, as far as it is read; `None` where that cannot be
    /// told.
    fn repeated(&self, record: &Record, read: &HashSet<crate::ValueId>) -> Result<Option<bool>> {
        let tensors = |slots: &[crate::Slot]| -> Option<Vec<Tensor>> {
            let plain = |tensor: &Tensor| {
                let data_type = tensor.data_type();
                data_type == DataType::STRING || data_type.size().is_some()
            };
            slots.iter().map(|slot| slot.tensor.clone().filter(plain)).collect()
        };
        let (Some(inputs), Some(outputs)) = (tensors(&record.inputs), tensors(&record.outputs)) else {
            return Ok(None);
        };
        if !record.operation.repeats() {
            return Ok(None);
        }
        let again = record.operation.run(self.context(), &inputs, outputs.len()).map_err(|reason| {
            Error::Operator { operator: record.operation.operator.clone(), place: record.place(), reason }
        })?;
        for ((slot, recorded), again) in record.outputs.iter().zip(&outputs).zip(&again) {
            if read.contains(&slot.value) && !same(recorded, again)? {
                return Ok(Some(false));
            }
        }
        Ok(Some(outputs.len() == again.len()))
    }
}

fn same(a: &Tensor, b: &Tensor) -> Result<bool> {
    if a.data_type() != b.data_type() || a.shape()? != b.shape()? {
        return Ok(false);
    }
    Ok(match a.data_type() {
        DataType::STRING => a.strings()? == b.strings()?,
        _ => a.bytes()? == b.bytes()?,
    })
}

fn ports(ports: Vec<Port>) -> Vec<explain::Port<TfTensor>> {
    let port = |Port { name, value, tensor }| explain::Port {
        name,
        value: ValueId(value.0),
        tensor: TfTensor::from(tensor),
    };
    ports.into_iter().map(port).collect()
}
