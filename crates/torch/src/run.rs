//! From a recording to an explanation.

use crate::lowering::Lowering;
use crate::table::table;
use crate::{Explanation, Result, TorchTensor};
use dlbacktrace_core::explain::{self, Options, Run};
use dlbacktrace_core::{ValueId, WeightCache};
use dlbacktrace_torch_recorder::{Port, Recording};
use std::time::{Duration, Instant};

/// Explains what was recorded in `forward` time. `cache_weights`: see [`Lowering::new`].
pub(crate) fn explain(
    recording: Recording,
    options: &Options,
    weights: &WeightCache<TorchTensor>,
    cache_weights: bool,
    forward: Duration,
) -> Result<Explanation> {
    let recorded = Instant::now();
    let _no_gradients = tch::no_grad_guard();
    let mut lowering = Lowering::new(recording.values, cache_weights);
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
    Ok(explain::explain(run, options, weights)?)
}

fn ports(ports: Vec<Port>) -> Vec<explain::Port<TorchTensor>> {
    let port = |Port { name, value, tensor }| explain::Port {
        name,
        value: ValueId(value.0),
        tensor: TorchTensor::from(tensor),
    };
    ports.into_iter().map(port).collect()
}
