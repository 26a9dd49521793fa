//! Runs libtorch computations and records every operator that ran.
//!
//! A [`Module`] is a TorchScript archive loaded in libtorch. [`Module::record`] runs its `forward` once; a [`Recorder`]
//! listens to any other libtorch computation of the current thread. Both return a [`Recording`]: the operators in the
//! order in which they ran, with their arguments, the identity of every value and, if the [`Policy`] keeps them, the
//! tensors themselves.
//!
//! The policy decides what counts as one operator: operators that it names are recorded as a whole; composite operators that
//! it does not name are followed into their parts.
//!
//! ```no_run
//! use dlbacktrace_torch_recorder::{Input, Inputs, Keep, Module, Policy};
//!
//! let module = Module::load("model.pt")?;
//! let policy = Policy::new([("aten::linear", Keep::All), ("aten::relu", Keep::Indices)]);
//! let input = tch::Tensor::ones([1, 4], (tch::Kind::Float, tch::Device::Cpu));
//! let recording = module.record(&Inputs::new([Input::Tensor(input)]), &policy)?;
//! println!("{} operators", recording.records.len());
//! # Ok::<(), dlbacktrace_torch_recorder::Error>(())
//! ```

mod archive;
mod bridge;
mod call;
mod derivative;
mod error;
mod input;
mod library;
mod module;
mod policy;
mod random;
mod record;
mod recorder;
mod recording;
mod tensor;
mod watcher;

pub use bridge::ffi::{AtTensor, JitModule};
pub use call::call_operator;
pub use error::{Error, Result};
pub use input::{Input, Inputs};
pub use library::{libtorch_version, load_library, tune_allocator};
pub use module::{ChanceUse, FormalArgument, Module, NamedTensor, OperatorCount, Submodule};
pub use policy::{Keep, Policy};
pub use random::FixedRandom;
pub use record::{Alias, Argument, ArgumentValue, Call, Chance, Output, Patch, Record, Slot, ValueId};
pub use recorder::Recorder;
pub use recording::{Origin, Port, Recording, Replay, Value};
pub use tensor::{Shared, holds_alone, is_strided, to_at, to_tch};
