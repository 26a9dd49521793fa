//! A model: one signature of a SavedModel.

use crate::interpreter::{Parsed, Recorder, Run, Value};
use crate::loading::{Loaded, load};
use crate::saved_model::{self, Chosen};
use crate::tensor_spec::TensorSpec;
use crate::variables::{Checkpoint, Values};
use crate::{
    Context, Error, Keep, Library, Operation, Origin, Port, Recording, Result, Scope, Tensor, TfTensor,
};
use dlbacktrace_core::explain::{SampleCache, Watch};
use dlbacktrace_core::{Chance, WeightCache};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// The part of a SavedModel to load, and how to run it.
#[derive(Debug, Clone)]
pub struct ModelOptions {
    /// All tags of the graph; `serve` by default.
    pub tags: Vec<String>,
    /// The signature; `serving_default` by default.
    pub signature: String,
    /// The number of threads for operators; by default one for each processor.
    pub threads: Option<usize>,
}

impl Default for ModelOptions {
    fn default() -> Self {
        Self { tags: vec!["serve".into()], signature: "serving_default".into(), threads: None }
    }
}

/// A signature of a SavedModel, ready to run. Threads may share it; their runs take turns.
///
/// Every run starts from the same state: changes of variables, tables and random number generators are undone after it.
/// put back after it.
pub struct Model {
    context: Arc<Context>,
    signature: String,
    inputs: Vec<TensorSpec>,
    ordered: bool,
    outputs: Vec<TensorSpec>,
    loaded: Mutex<Loaded>,
    weights: WeightCache<TfTensor>,
    samples: SampleCache,
}

impl Model {
    /// Loads a signature: compiles its functions, reads the variables it needs, fills its tables.
    ///
    /// # Errors
    /// [`Error::Load`] with a reason if the directory is not a SavedModel, or is damaged, or is of a kind that cannot be read;
    /// [`Error::NoTags`], [`Error::NoSignature`].
    pub fn load(
        library: &'static Library,
        directory: impl AsRef<Path>,
        options: &ModelOptions,
    ) -> Result<Self> {
        let chosen = saved_model::read(directory.as_ref(), &options.tags, &options.signature)?;
        let context = Context::new(library, options.threads)?;
        let checkpoint = Checkpoint::of(&chosen.directory)
            .map_err(|reason| Error::Load { path: chosen.directory.clone(), reason })?;
        Self::of(chosen, &Values::Checkpoint(checkpoint), context, options)
    }

    /// A chosen signature with the values of its variables.
    pub(crate) fn of(
        chosen: Chosen,
        values: &Values,
        context: Arc<Context>,
        options: &ModelOptions,
    ) -> Result<Self> {
        let loaded = load(&chosen, values, &context)
            .map_err(|reason| Error::Load { path: chosen.directory.clone(), reason })?;
        Ok(Self {
            context,
            signature: options.signature.clone(),
            inputs: chosen.inputs,
            ordered: chosen.ordered,
            outputs: chosen.outputs,
            loaded: Mutex::new(loaded),
            // Room for three parts of every weight: default mode computes |W| once, contrastive mode W⁺ and W⁻ too.
            weights: WeightCache::new(3 * stored(&chosen.directory)),
            samples: SampleCache::default(),
        })
    }

    /// The context of its tensors, which makes tensors for its inputs.
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// The name of the signature.
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// The inputs, in the order in which the model takes them if that is known ([`Model::ordered`]), else in the order of their
    /// names.
    pub fn inputs(&self) -> &[TensorSpec] {
        &self.inputs
    }

    /// Whether the order of the inputs is the model's own: that of the arguments of its function, or of the inputs of a Keras model.
    /// A signature is sorted by name, so the order is unknown for graphs without functions, and for functions that take a
    /// dictionary. For a single input it is known.
    pub fn ordered(&self) -> bool {
        self.ordered
    }

    /// The outputs, in the order of their names.
    pub fn outputs(&self) -> &[TensorSpec] {
        &self.outputs
    }

    pub(crate) fn weights(&self) -> &WeightCache<TfTensor> {
        &self.weights
    }

    pub(crate) fn samples(&self) -> &SampleCache {
        &self.samples
    }

    /// Shows each operator that the signature runs.
    pub(crate) fn each_operation(&self, show: &mut dyn FnMut(&Operation)) {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.program.each_operation(loaded.body, show);
    }

    /// Shows each operator of the signature whose result depends on random numbers or on the batch.
    pub(crate) fn each_chance(&self, show: &mut dyn FnMut(&Operation, Chance)) {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.program.each_chance(loaded.body, show);
    }

    /// Shows each operator of the signature that parses messages.
    pub(crate) fn each_parser(&self, show: &mut dyn FnMut(&Parsed<'_>)) {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.program.each_parser(loaded.body, show);
    }

    /// Runs the model without recording; returns the outputs with their names.
    ///
    /// # Errors
    /// [`Error::Inputs`] if an input is missing, unknown, or of another type or shape than the signature says;
    /// [`Error::Operator`] if an operator fails.
    pub fn forward(&self, inputs: &[(String, Tensor)]) -> Result<Vec<(String, Tensor)>> {
        self.forward_watched(inputs, None, &Watch::default())
    }

    /// Runs the model and records what ran; `keep` decides by an operator's type which of its tensors stay in memory.
    ///
    /// # Errors
    /// As [`Model::forward`].
    pub fn record(&self, inputs: &[(String, Tensor)], keep: &dyn Fn(&str) -> Keep) -> Result<Recording> {
        self.record_watched(inputs, keep, None, &Watch::default())
    }

    /// As [`Model::record`], with random numbers that start from `seed`. The watch is asked before each operator whether the run
    /// goes on.
    pub(crate) fn record_watched(
        &self,
        inputs: &[(String, Tensor)],
        keep: &dyn Fn(&str) -> Keep,
        seed: Option<u64>,
        watch: &Watch,
    ) -> Result<Recording> {
        self.run(inputs, Recorder::new(Some(keep)), seed, watch)
    }

    /// As [`Model::forward`], with random numbers that start from `seed`. The watch may stop the run.
    pub(crate) fn forward_watched(
        &self,
        inputs: &[(String, Tensor)],
        seed: Option<u64>,
        watch: &Watch,
    ) -> Result<Vec<(String, Tensor)>> {
        let recording = self.run(inputs, Recorder::new(None), seed, watch)?;
        Ok(recording.outputs.into_iter().map(|port| (port.name, port.tensor)).collect())
    }

    fn run(
        &self,
        inputs: &[(String, Tensor)],
        recorder: Recorder<'_>,
        seed: Option<u64>,
        watch: &Watch,
    ) -> Result<Recording> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let Loaded { program, body, state, assets, defaults } = &mut *loaded;
        let given = self.bound(inputs, |name| defaults.get(name))?;
        let variables = state.variables();
        let _step = self.context.step();
        let mut run = Run::new(program, &self.context, state, recorder, watch);
        run.seed = seed;
        let outcome = self.outcome(&mut run, *body, given, assets);
        state.set_variables(variables);
        state.restore(&self.context)?;
        outcome
    }

    fn outcome(
        &self,
        run: &mut Run<'_, '_>,
        body: usize,
        given: Vec<(String, Tensor)>,
        assets: &[Tensor],
    ) -> Result<Recording> {
        let mut inputs = Vec::with_capacity(given.len());
        let mut arguments = Vec::with_capacity(given.len() + assets.len());
        for (name, tensor) in given {
            let value = run.recorder.value(tensor.clone(), Origin::Input(name.clone()))?;
            inputs.push(Port { name, value: value.id, tensor });
            arguments.push(value);
        }
        for asset in assets {
            arguments.push(run.recorder.value(asset.clone(), Origin::Constant("asset".into()))?);
        }
        let results = run.call(body, arguments, &Arc::new(Scope::default()))?;
        let port = |(spec, value): (&TensorSpec, Value)| Port {
            name: spec.name.clone(),
            value: value.id,
            tensor: value.tensor,
        };
        let outputs = self.outputs.iter().zip(results).map(port).collect();
        let (records, values) = run.recorder.take();
        Ok(Recording { records, values, inputs, outputs })
    }

    /// The inputs in the order of the signature.
    fn bound<'d>(
        &self,
        inputs: &[(String, Tensor)],
        default: impl Fn(&str) -> Option<&'d Tensor>,
    ) -> Result<Vec<(String, Tensor)>> {
        let failed = |reason: String| Error::Inputs { signature: self.signature.clone(), reason };
        let names = || self.inputs.iter().map(|spec| spec.name.as_str()).collect::<Vec<_>>().join(", ");
        if let Some((name, _)) =
            inputs.iter().find(|(name, _)| !self.inputs.iter().any(|spec| spec.name == *name))
        {
            return Err(failed(format!("it has no input {name}; it takes {}", names())));
        }
        let bound = self.inputs.iter().map(|spec| {
            let given = inputs.iter().find(|(name, _)| *name == spec.name).map(|(_, tensor)| tensor);
            let tensor = given.or_else(|| default(&spec.name));
            let tensor =
                tensor.ok_or_else(|| failed(format!("{} is missing; it takes {}", spec.name, names())))?;
            fits(spec, tensor).map_err(failed)?;
            Ok((spec.name.clone(), tensor.clone()))
        });
        bound.collect()
    }
}

/// The bytes of the graph, which contains the constants, and of the variables.
fn stored(directory: &Path) -> usize {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len() as usize);
    let variables = std::fs::read_dir(directory.join("variables")).into_iter().flatten().flatten();
    size(&directory.join("saved_model.pb")) + variables.map(|file| size(&file.path())).sum::<usize>()
}

fn fits(spec: &TensorSpec, tensor: &Tensor) -> Result<(), String> {
    let name = &spec.name;
    if tensor.data_type() != spec.data_type {
        return Err(format!("{name} takes {}, but got {}", spec.data_type, tensor.data_type()));
    }
    let Some(wanted) = &spec.shape else { return Ok(()) };
    let shape = tensor.shape().map_err(|error| error.to_string())?;
    let fit = |(wanted, given): (&Option<usize>, &usize)| wanted.is_none_or(|wanted| wanted == *given);
    if wanted.len() == shape.len() && wanted.iter().zip(&shape).all(fit) {
        return Ok(());
    }
    let wanted: Vec<String> =
        wanted.iter().map(|extent| extent.map_or("any".into(), |extent| extent.to_string())).collect();
    Err(format!("{name} takes the shape [{}], but got {shape:?}", wanted.join(", ")))
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model")
            .field("signature", &self.signature)
            .field("inputs", &self.inputs)
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}
