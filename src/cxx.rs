//! Meets the C++ of a program through the crate `cxx`: its bridges take and give [`AtTensor`] (`at::Tensor`) and [`JitModule`]
//! (`torch::jit::Module`).
//!
//! ```ignore
//! #[cxx::bridge]
//! mod ffi {
//!     #[namespace = "torch::jit"]
//!     unsafe extern "C++" {
//!         include!("torch/script.h");
//!         type Module = dlbacktrace::cxx::JitModule;
//!     }
//!     extern "Rust" {
//!         type Explainer;
//!         fn explainer(module: &Module) -> Result<Box<Explainer>>;
//!     }
//! }
//! ```
//!
//! `examples/cxx-service` in the repository is a whole program.

use crate::{Explanation, InputRelevance, Model, Result, Value};
use ::cxx::UniquePtr;
use dlbacktrace_torch as native;
use std::time::Instant;

pub use dlbacktrace_torch::{AtTensor, JitModule, to_at, to_tch};

impl Model {
    /// Shares a live `torch::jit::Module` of the C++ side: nothing is copied, and the module is not changed. Share it again after
    /// its parameters have been replaced by other tensors.
    ///
    /// # Errors
    /// [`Error::Load`](crate::Error::Load) if it has no `forward`, is in training mode or is not on the CPU.
    pub fn share(module: &JitModule) -> Result<Self> {
        let start = Instant::now();
        Self::of(Box::new(native::Model::share(module)?), start)
    }
}

/// A tensor of libtorch; shared, not copied.
impl From<&AtTensor> for Value {
    fn from(tensor: &AtTensor) -> Self {
        to_tch(tensor).into()
    }
}

impl InputRelevance {
    /// [`tensor`](Self::tensor) as an `at::Tensor`, not copied; null for a model of another framework.
    pub fn at_tensor(&self) -> UniquePtr<AtTensor> {
        self.tensor().map_or_else(UniquePtr::null, to_at)
    }

    /// [`negative_tensor`](Self::negative_tensor) as an `at::Tensor`, not copied; null in default mode.
    pub fn negative_at_tensor(&self) -> UniquePtr<AtTensor> {
        self.negative_tensor().map_or_else(UniquePtr::null, to_at)
    }
}

impl Explanation {
    /// [`output_tensor`](Self::output_tensor) as an `at::Tensor`, not copied; null for a model of another framework.
    pub fn output_at_tensor(&self) -> UniquePtr<AtTensor> {
        self.output_tensor().map_or_else(UniquePtr::null, to_at)
    }
}
