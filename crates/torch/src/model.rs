//! TorchScript archives.

use crate::lowering::chance;
use crate::paths::Paths;
use crate::table::{policy, policy_for_outputs, policy_for_replays, table};
use crate::tensor::dtype;
use crate::{Explanation, Result, TorchTensor, run};
use dlbacktrace_core::analysis::Scaling;
use dlbacktrace_core::explain::{Again, OperatorUse, Options, SampleCache, Watch, coverage, scalings};
use dlbacktrace_core::rules::Reads;
use dlbacktrace_core::{DType, Family, ModulePath, RandomUse, WeightCache};
use dlbacktrace_torch_recorder::{
    FixedRandom, FormalArgument, Inputs, JitModule, Module, NamedTensor, OperatorCount, Replay, Submodule,
};
use std::path::Path;
use std::time::{Duration, Instant};

/// A TorchScript archive, ready to be explained. Threads may share it.
pub struct Model {
    module: Module,
    weights: WeightCache<TorchTensor>,
    samples: SampleCache,
    paths: Paths,
}

/// What is known of a model without running it.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// The arguments of `forward`.
    pub arguments: Vec<FormalArgument>,
    /// The type it returns.
    pub returns: String,
    /// The tree of modules.
    pub modules: Vec<Submodule>,
    /// Parameters and buffers.
    pub tensors: Vec<NamedTensor>,
    /// The operators in the code, except those that only TorchScript itself handles.
    pub operators: Vec<OperatorUse>,
    /// The share of them that has a rule, 0 to 1. A run follows composite operators without a rule of their own into their parts
    /// and shows whether these have one; here such operators count as if they had.
    pub coverage: f64,
    /// The operators in the code whose results depend on random numbers or on the batch.
    pub random: Vec<RandomUse>,
}

impl Model {
    /// Loads an archive written by `torch.jit.save`.
    ///
    /// # Errors
    /// [`Error::Module`](crate::Error::Module) if the file is missing or damaged.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let module = Module::load(path)?;
        // Room for three parts of every weight: default mode computes |W| once, contrastive mode W⁺ and W⁻ too.
        // Traces of other languages hold their weights as constants of the code, which the module does not list.
        let named: usize = module.tensors()?.iter().map(bytes).sum();
        let stored = std::fs::metadata(path).map_or(0, |file| file.len() as usize);
        Self::of(module, named.max(stored))
    }

    /// Shares a live `torch::jit::Module`: nothing is copied, and the module is not changed.
    ///
    /// # Errors
    /// [`Error::Module`](crate::Error::Module) if it is in training mode or not on the CPU.
    pub fn share(module: &JitModule) -> Result<Self> {
        let module = Module::share(module)?;
        let weights = module.tensors()?.iter().map(bytes).sum::<usize>();
        Self::of(module, weights)
    }

    fn of(module: Module, weights: usize) -> Result<Self> {
        let paths = Paths::of(&module.submodules()?);
        Ok(Self { module, weights: WeightCache::new(3 * weights), samples: SampleCache::default(), paths })
    }

    /// The arguments of `forward`.
    ///
    /// # Errors
    /// [`Error::Module`](crate::Error::Module) if there is no `forward`.
    pub fn arguments(&self) -> Result<Vec<FormalArgument>> {
        Ok(self.module.arguments()?)
    }

    /// The floating-point type of its parameters; `None` if there are none, or if they have several types.
    ///
    /// # Errors
    /// [`Error::Module`](crate::Error::Module).
    pub fn precision(&self) -> Result<Option<DType>> {
        let tensors = self.module.tensors()?;
        let parameters = tensors.iter().filter(|tensor| !tensor.is_buffer);
        let types = parameters.filter_map(|tensor| Some(dtype(tensor.kind()?)));
        let mut floating: Vec<DType> = types.filter(|dtype| dtype.is_float()).collect();
        floating.dedup();
        Ok(if floating.len() == 1 { floating.pop() } else { None })
    }

    /// Runs the model and traces the chosen output back to the inputs.
    ///
    /// # Errors
    /// [`Error::Module`](crate::Error::Module) if the inputs do not fit or the model fails, and
    /// [`Error::Core`](crate::Error::Core) if the options do not fit or the walk fails, above all at an operator
    /// without a rule.
    pub fn explain(&self, inputs: &Inputs, options: &Options) -> Result<Explanation> {
        let start = Instant::now();
        let fixed = options.random_seed.map(FixedRandom::new).transpose()?;
        let reads = options.rules.reads();
        let watch = options.watch.across_runs();
        let mut recording = self.module.record_watched(inputs, policy(reads), &watch)?;
        drop(fixed);
        self.paths.complete(&mut recording.records);
        let forward = start.elapsed();
        let again = Again {
            known: &self.samples,
            run: Box::new(move |rows| {
                let inputs = inputs.with_last_row(rows);
                let recording = self.module.record_watched(&inputs, policy_for_outputs(), &watch);
                let recording = recording.map_err(|error| match error {
                    dlbacktrace_torch_recorder::Error::Cancelled(cancelled) => cancelled,
                    error => dlbacktrace_core::Error::tensor("forward", error),
                })?;
                Ok(recording.outputs.into_iter().map(|port| TorchTensor::from(port.tensor)).collect())
            }),
        };
        let mut run = run::on_tape(recording, !self.module.keeps_state(), reads, forward, Some(again))?;
        if self.module.left_training() {
            let mode = "the model was saved in training mode, but ran in evaluation mode, as after eval()";
            run.assumed.push(mode.to_owned());
        }
        run::explain(run, options, &self.weights)
    }

    /// Runs the model and returns how it scales each input before anything else.
    ///
    /// # Errors
    /// [`Error::Module`](crate::Error::Module).
    pub fn scalings(&self, inputs: &Inputs) -> Result<Vec<(String, Scaling)>> {
        let recording = self.module.record(inputs, policy(Reads::default()))?;
        Ok(scalings(&run::on_tape(recording, false, Reads::default(), Duration::ZERO, None)?))
    }

    /// Runs the model without recording; returns the outputs, flattened, with their names.
    ///
    /// # Errors
    /// [`Error::Module`](crate::Error::Module).
    pub fn forward(&self, inputs: &Inputs) -> Result<Vec<(String, tch::Tensor)>> {
        let outputs = self.module.forward(inputs)?;
        Ok(outputs.into_iter().map(|port| (port.name, port.tensor)).collect())
    }

    /// Records a run with all tensors, and repeats each operator on copies of the recorded ones, to check the recording. The watch
    /// may stop the run.
    ///
    /// # Errors
    /// [`Error::Module`](crate::Error::Module).
    pub fn replay(&self, inputs: &Inputs, watch: &Watch) -> Result<Replay> {
        Ok(self.module.record_watched(inputs, &policy_for_replays(), watch)?.replay()?)
    }

    /// What is known without running.
    ///
    /// # Errors
    /// [`Error::Module`](crate::Error::Module).
    pub fn inspect(&self) -> Result<Inspection> {
        let used = |OperatorCount { name, count, composite, .. }: OperatorCount| {
            let row = table().get(name.strip_suffix('_').unwrap_or(&name));
            let used = OperatorUse::new(name, count, [row.map_or(Family::Unruled, |row| row.listed)]);
            // Composite operators that the table does not know are followed.
            let followed = (row.is_none() && composite).then(|| FOLLOWED.to_owned());
            let used = used.of_kinds(row.and_then(|row| row.kinds()).unwrap_or_default());
            OperatorUse { rule: used.rule.or(followed), ..used }
        };
        let operators: Vec<OperatorUse> = self
            .module
            .operators()?
            .into_iter()
            .filter(|operator| operator.computes && !OF_INTEGERS.contains(&operator.name.as_str()))
            .map(used)
            .collect();
        Ok(Inspection {
            arguments: self.module.arguments().unwrap_or_default(),
            returns: self.module.returns().unwrap_or_default(),
            modules: self.module.submodules()?,
            tensors: self.module.tensors()?,
            coverage: coverage(&operators),
            operators,
            random: self.random()?,
        })
    }
}

impl Model {
    /// The operators in the code whose results depend on random numbers or on the batch.
    fn random(&self) -> Result<Vec<RandomUse>> {
        let top = self.module.submodules()?.into_iter().next().map(|top| top.class_name).unwrap_or_default();
        let uses = self.module.chances()?.into_iter().filter_map(|found| {
            let path = self.paths.full(&found.path).to_owned();
            // The code of the model itself has no module around it.
            let class = if path.is_empty() { top.clone() } else { found.class_name };
            let module = ModulePath { path, class };
            Some(RandomUse { operator: found.name, module, chance: chance(found.chance)?, count: 1 })
        });
        Ok(RandomUse::counted(uses))
    }
}

fn bytes(tensor: &NamedTensor) -> usize {
    tensor.sizes.iter().map(|&extent| extent.max(0) as usize).product::<usize>() * 4
}

/// The rule of an operator that has none of its own, because its parts have rules.
const FOLLOWED: &str = "that of its parts";

/// Operators in the arithmetic of shapes, which have a rule only for tokens.
const OF_INTEGERS: &[&str] = &["aten::floor_divide", "aten::remainder"];
