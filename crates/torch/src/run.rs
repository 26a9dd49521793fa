//! From a recording to an explanation.

use crate::lowering;
use crate::table::table;
use crate::{Explanation, Result, TorchTensor};
use dlbacktrace_core::WeightCache;
use dlbacktrace_core::explain::{self, Again, Options, Run};
use dlbacktrace_core::rules::Reads;
use dlbacktrace_torch_recorder::{Port, Recording};
use std::time::{Duration, Instant};

/// The tape of a recording that took `forward` to make. `cache_weights` and `reads`: see [`lowering::begin`].
pub(crate) fn on_tape(
    recording: Recording,
    cache_weights: bool,
    reads: Reads,
    forward: Duration,
    again: Option<Again<'_, TorchTensor>>,
) -> Result<Run<'_, TorchTensor>> {
    let recorded = Instant::now();
    let _no_gradients = tch::no_grad_guard();
    let mut lowering = lowering::begin(recording.values, cache_weights, reads, table());
    for record in recording.records {
        lowering::record(&mut lowering, record)?;
    }
    let inputs = Port::of_rules(recording.inputs);
    Ok(Run {
        tape: lowering.writer.tape,
        given: inputs.clone(),
        inputs,
        outputs: Port::of_rules(recording.outputs),
        assumed: Vec::new(),
        recorded,
        forward,
        again,
    })
}

/// Traces the chosen output of a run back to its inputs.
pub(crate) fn explain(
    run: Run<'_, TorchTensor>,
    options: &Options,
    weights: &WeightCache<TorchTensor>,
) -> Result<Explanation> {
    let _no_gradients = tch::no_grad_guard();
    Ok(explain::explain(run, options, weights)?)
}
