//! Any libtorch computation of the current thread: a closure, a `tch::nn` network.

use crate::table::policy;
use crate::{Explanation, Result, run};
use dlbacktrace_core::WeightCache;
use dlbacktrace_core::explain::Options;
use dlbacktrace_torch_recorder::{FixedRandom, Recorder};
use std::time::Instant;
use tch::Tensor;

/// The tensors that take part in a computation to explain.
#[derive(Debug, Default, Clone, Copy)]
pub struct Computation<'a> {
    /// The tensors to explain, by name.
    pub inputs: &'a [(&'a str, &'a Tensor)],
    /// Named weights, such as the variables of a `VarStore`.
    pub parameters: &'a [(&'a str, &'a Tensor)],
}

/// Runs a computation and traces its result back to its inputs. The closure uses the tensors named in
/// `computation`; it must compute on the calling thread.
///
/// ```no_run
/// use dlbacktrace_core::explain::Options;
/// use dlbacktrace_torch::{Computation, explain_computation};
/// use tch::{nn, nn::Module, Device, Kind, Tensor};
///
/// let store = nn::VarStore::new(Device::Cpu);
/// let net = nn::linear(store.root(), 4, 2, Default::default());
/// let x = Tensor::ones([1, 4], (Kind::Float, Device::Cpu));
/// let computation = Computation { inputs: &[("x", &x)], ..Default::default() };
/// let explanation = explain_computation(computation, &Options::default(), || net.forward(&x))?;
/// println!("{:?}", explanation.inputs[0].relevance.amount()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`Model::explain`](crate::Model::explain).
pub fn explain_computation(
    computation: Computation<'_>,
    options: &Options,
    compute: impl FnOnce() -> Tensor,
) -> Result<Explanation> {
    let start = Instant::now();
    let fixed = options.random_seed.map(FixedRandom::new).transpose()?;
    let reads = options.rules.reads();
    let recorder = Recorder::begin(policy(reads), computation.inputs, computation.parameters)?;
    let output = compute();
    let recording = recorder.finish(&[("output", &output)])?;
    drop(fixed);
    // The weights may be trained before the next explanation, so nothing is kept for it.
    let weights = WeightCache::new(0);
    run::explain(run::on_tape(recording, false, reads, start.elapsed(), None)?, options, &weights)
}
