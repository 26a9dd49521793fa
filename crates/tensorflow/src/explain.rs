//! Explains and checks a model.

use crate::lowering;
use crate::table::{explained, keep, table};
use crate::{DataType, Error, Explanation, Keep, Model, Port, Record, Result, Tensor, TfTensor};
use dlbacktrace_core::analysis::Scaling;
use dlbacktrace_core::explain::{self, Again, Options, Run, Watch};
use dlbacktrace_core::rules::RuleSet;
use dlbacktrace_core::start::Classes;
use dlbacktrace_core::{Range, Result as CoreResult, Tensor as _};
use std::collections::HashSet;
use std::time::Instant;

pub use dlbacktrace_core::Replay;

impl Model {
    /// Runs the model and traces the chosen output back to the inputs.
    ///
    /// # Errors
    /// As [`Model::forward`], and [`Error::Core`] if the options do not fit or the walk fails, above all at an operator without a
    /// rule.
    pub fn explain(&self, inputs: &[(String, Tensor)], options: &Options) -> Result<Explanation> {
        let mut options = options.clone();
        options.start.classes.get_or_insert(Classes::Last);
        Ok(explain::explain(
            self.on_tape(inputs, &options.rules, options.random_seed, &options.watch)?,
            &options,
            self.weights(),
        )?)
    }

    /// Runs the model and returns how it scales each input before anything else.
    ///
    /// # Errors
    /// As [`Model::forward`], and [`Error::Core`].
    pub fn scalings(&self, inputs: &[(String, Tensor)]) -> Result<Vec<(String, Scaling)>> {
        Ok(explain::scalings(&self.on_tape(inputs, &RuleSet::default(), None, &Watch::default())?))
    }

    /// A run on a tape, for these rules.
    fn on_tape<'a>(
        &'a self,
        inputs: &'a [(String, Tensor)],
        rules: &RuleSet,
        seed: Option<u64>,
        watch: &Watch,
    ) -> Result<Run<'a, TfTensor>> {
        let start = Instant::now();
        let reads = rules.reads();
        let watch = watch.across_runs();
        let recording = self.record_watched(inputs, &|operator| keep(operator, reads), seed, &watch)?;
        let (recorded, forward) = (Instant::now(), start.elapsed());
        let mut lowering =
            lowering::begin(self.context(), recording.values, &recording.records, reads, table());
        for record in recording.records {
            lowering.record(&record)?;
        }
        let given = Port::of_rules(recording.inputs);
        let explained = explained(&mut lowering, given.clone());
        Ok(Run {
            tape: lowering.writer.tape,
            inputs: explained,
            given,
            outputs: Port::of_rules(recording.outputs),
            assumed: Vec::new(),
            recorded,
            forward,
            again: Some(Again {
                known: self.samples(),
                run: Box::new(move |rows| self.with_last_row(inputs, rows, seed, &watch)),
            }),
        })
    }

    /// The outputs for the same inputs, with the last row in every row of each input that has this many rows.
    fn with_last_row(
        &self,
        inputs: &[(String, Tensor)],
        rows: usize,
        seed: Option<u64>,
        watch: &Watch,
    ) -> CoreResult<Vec<TfTensor>> {
        let repeated = |(name, tensor): &(String, Tensor)| {
            let tensor = TfTensor::from(tensor.clone());
            let shape = tensor.shape();
            if shape.first() != Some(&rows) {
                return Ok((name.clone(), tensor.to_tensor()?));
            }
            let mut region = Range::whole(&shape);
            region[0] = Range::span(rows - 1, 1);
            Ok((name.clone(), tensor.slice(&region)?.broadcast_to(&shape)?.to_tensor()?))
        };
        let inputs = inputs.iter().map(repeated).collect::<CoreResult<Vec<_>>>()?;
        let outputs = self.forward_watched(&inputs, seed, watch).map_err(|error| match error {
            Error::Core(cancelled @ dlbacktrace_core::Error::Cancelled(_)) => cancelled,
            error => dlbacktrace_core::Error::tensor("forward", error),
        })?;
        Ok(outputs.into_iter().map(|(_, tensor)| TfTensor::from(tensor)).collect())
    }

    /// Records a run with all tensors, and repeats each operator on the recorded ones, to check the recording. The watch
    /// may stop the run.
    ///
    /// # Errors
    /// As [`Model::forward`].
    pub fn replay(&self, inputs: &[(String, Tensor)], watch: &Watch) -> Result<Replay> {
        let recording = self.record_watched(inputs, &|_| Keep::All, None, watch)?;
        // Some kernels leave results unset that only training reads.
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

    /// Whether an operator gives the recorded results again, bit for bit, as far as they are read; `None` if this cannot be checked.
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
