//! A TorchScript module: its structure, and how to run it.

use crate::archive;
use crate::bridge::ffi::{self, JitModule};
use crate::error::{Error, Result};
use crate::input::Inputs;
use crate::policy::Policy;
use crate::recording::{Port, Recording};
use crate::tensor;
use crate::watcher::Watcher;
use cxx::UniquePtr;
use dlbacktrace_core::explain::Watch;
use std::fmt;
use std::path::Path;
use tch::Kind;

pub use ffi::{ChanceUse, FormalArgument, NamedTensor, OperatorCount, Submodule};

/// A TorchScript module in evaluation mode on the CPU. Threads may share it.
///
/// Runs do not affect each other: a module that assigns attributes or writes into its own tensors runs on a deep copy each
/// time, and a run never writes the caller's input tensors.
pub struct Module {
    inner: UniquePtr<ffi::Module>,
}

impl fmt::Debug for Module {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Module").field("submodules", &self.submodules()).finish_non_exhaustive()
    }
}

impl NamedTensor {
    /// Its element type; `None` for a type that tch does not know.
    pub fn kind(&self) -> Option<Kind> {
        tensor::kind(self.dtype)
    }
}

impl Module {
    /// Loads an archive written by `torch.jit.save`.
    ///
    /// # Errors
    /// [`Error::Load`] if the file is missing or damaged, [`Error::Operator`] if it calls operators of another library.
    pub fn load(path: impl AsRef<Path>) -> Result<Module> {
        let path = path.as_ref();
        let inner =
            archive::check(path).map_err(|reason| Error::Load { path: path.to_owned(), reason }).and_then(
                |()| ffi::load_module(&path.to_string_lossy()).map_err(|error| Error::load(path, &error)),
            )?;
        Ok(Module { inner })
    }

    /// Shares a live `torch::jit::Module`: nothing is copied, and the module is not changed. Share it again after its parameters
    /// have been replaced by other tensors.
    ///
    /// # Errors
    /// [`Error::Live`] if it is in training mode or not on the CPU.
    pub fn share(module: &JitModule) -> Result<Module> {
        let inner = ffi::share_module(module);
        inner.map(|inner| Module { inner }).map_err(|error| Error::Live { reason: error.what().to_owned() })
    }

    /// Runs `forward` and records it. Gradients and graph optimisation are off, so that each operator is the one in the code.
    /// Forked tasks run where they are forked, so that the records of every run come in the same order.
    ///
    /// # Errors
    /// [`Error::Inputs`] if the inputs do not fit the schema, [`Error::Forward`] if the computation fails.
    pub fn record(&self, inputs: &Inputs, policy: &Policy) -> Result<Recording> {
        self.record_watched(inputs, policy, &Watch::default())
    }

    /// As [`record`](Self::record); the watch is asked before each operator whether the run goes on.
    ///
    /// # Errors
    /// As [`record`](Self::record), and [`Error::Cancelled`] if the watch stops the run.
    pub fn record_watched(&self, inputs: &Inputs, policy: &Policy, watch: &Watch) -> Result<Recording> {
        let bound = self.bind(inputs)?;
        let watcher = Watcher::new(watch.clone());
        let recording = self.inner.record(bound, &policy.inner, Box::new(watcher.clone()));
        if let Some(cancelled) = watcher.stopped() {
            return Err(Error::Cancelled(cancelled));
        }
        recording.map_err(forward_error).and_then(Recording::from_ffi)
    }

    /// Runs `forward` without recording and returns its tensors, named as in [`Recording::outputs`].
    ///
    /// # Errors
    /// As [`Module::record`].
    pub fn forward(&self, inputs: &Inputs) -> Result<Vec<Port>> {
        let bound = self.bind(inputs)?;
        let recording = self.inner.forward(bound).map_err(forward_error).and_then(Recording::from_ffi)?;
        Ok(recording.outputs)
    }

    /// The arguments of `forward`, without `self`.
    ///
    /// # Errors
    /// [`Error::Record`] when the module has no `forward`.
    pub fn arguments(&self) -> Result<Vec<FormalArgument>> {
        self.inner.arguments().map_err(record_error)
    }

    /// The type that `forward` returns, as TorchScript writes it, such as `"Dict[str, Tensor]"`.
    ///
    /// # Errors
    /// As [`Module::arguments`].
    pub fn returns(&self) -> Result<String> {
        self.inner.returns().map_err(record_error)
    }

    /// The tree of modules, each before its children; the module itself, with an empty path, is first.
    ///
    /// # Errors
    /// [`Error::Record`] if libtorch cannot inspect the module.
    pub fn submodules(&self) -> Result<Vec<Submodule>> {
        self.inner.submodules().map_err(record_error)
    }

    /// The parameters, then the buffers.
    ///
    /// # Errors
    /// As [`Module::submodules`].
    pub fn tensors(&self) -> Result<Vec<NamedTensor>> {
        self.inner.tensors().map_err(record_error)
    }

    /// The operators in the code of `forward` and of all that it calls, by name. The operators that ran are in a [`Recording`].
    ///
    /// # Errors
    /// As [`Module::arguments`].
    pub fn operators(&self) -> Result<Vec<OperatorCount>> {
        self.inner.operators().map_err(record_error)
    }

    /// The operators in that code whose results depend on random numbers or on the batch, as far as constant arguments show it.
    ///
    /// # Errors
    /// As [`Module::arguments`].
    pub fn chances(&self) -> Result<Vec<ChanceUse>> {
        self.inner.chances().map_err(record_error)
    }

    /// Whether `forward` assigns attributes or writes into the module's own tensors, so that each run takes a copy.
    pub fn keeps_state(&self) -> bool {
        self.inner.keeps_state()
    }

    /// Whether it was saved in training mode and its code asks for the mode. It runs in evaluation mode all the same.
    pub fn left_training(&self) -> bool {
        self.inner.left_training()
    }

    fn bind(&self, inputs: &Inputs) -> Result<UniquePtr<ffi::Bound>> {
        let arguments = inputs.to_ffi()?;
        self.inner.bind(&arguments).map_err(|error| Error::Inputs { reason: error.what().to_owned() })
    }
}

fn forward_error(error: cxx::Exception) -> Error {
    Error::Forward { reason: error.what().to_owned() }
}

fn record_error(error: cxx::Exception) -> Error {
    Error::Record { reason: error.what().to_owned() }
}
