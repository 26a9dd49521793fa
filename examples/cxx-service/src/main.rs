//! A service in C++ classifies pictures with its module of libtorch. For each it asks Rust why. Module and tensors are shared, not
//! copied.

use cxx::UniquePtr;
use dlbacktrace::{Inputs, Model, Options, Result, Target};

#[cxx::bridge(namespace = "service")]
mod ffi {
    #[namespace = "at"]
    unsafe extern "C++" {
        include!("cxx-service/src/service.h");
        type Tensor = dlbacktrace::cxx::AtTensor;
    }
    #[namespace = "torch::jit"]
    unsafe extern "C++" {
        type Module = dlbacktrace::cxx::JitModule;
    }
    extern "Rust" {
        type Explainer;
        fn explainer(module: &Module) -> Result<Box<Explainer>>;
        fn explain(self: &Explainer, picture: &Tensor, digit: usize) -> Result<UniquePtr<Tensor>>;
    }
    unsafe extern "C++" {
        fn serve(model: &str, picture: &str) -> Result<()>;
    }
}

struct Explainer(Model);

fn explainer(module: &ffi::Module) -> Result<Box<Explainer>> {
    Ok(Box::new(Explainer(Model::share(module)?)))
}

impl Explainer {
    fn explain(&self, picture: &ffi::Tensor, digit: usize) -> Result<UniquePtr<ffi::Tensor>> {
        let options = Options::new().target(Target::Class(digit));
        let explanation = self.0.explain(&Inputs::new().push(picture), &options)?;
        Ok(explanation.inputs()[0].at_tensor())
    }
}

fn main() -> std::result::Result<(), cxx::Exception> {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    ffi::serve(&format!("{examples}/models/digits_cnn.pt"), &format!("{examples}/data/digit_3.pgm"))
}
