//! Explains TorchScript archives and tch computations.
//!
//! A [`Model`] is a TorchScript archive; [`explain_computation`] explains any other libtorch computation, such as a `tch::nn`
//! network. Both run once under the recorder and become a tape of the core's operators, by the table that [`operators`]
//! lists. The walk uses libtorch's own tensors.

mod arguments;
mod computation;
mod error;
mod lowering;
mod model;
mod paths;
mod rearrange;
mod run;
mod table;
mod tensor;
mod written;

pub use computation::{Computation, explain_computation};
pub use dlbacktrace_torch_recorder::{
    AtTensor, Error as ModuleError, FormalArgument, Input, Inputs, JitModule, NamedTensor, Replay, Submodule,
    libtorch_version, load_library, to_at, to_tch, tune_allocator,
};
pub use error::{Error, Result};
pub use model::{Inspection, Model};
pub use table::{OperatorRule, operators};
pub use tensor::TorchTensor;

/// Why a model decided as it did, on libtorch's tensors.
pub type Explanation = dlbacktrace_core::explain::Explanation<TorchTensor>;
