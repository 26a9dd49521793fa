//! TorchScript archives and live libtorch computations behind the interface of all models.

use crate::inspection::StaticInfo;
use crate::model::Loaded;
use crate::{
    Argument, Error, Explanation, Inputs, LoadOptions, ModuleEntry, Options, OutputTensor, ReplayReport,
    Result, Value,
};
use dlbacktrace_core::DType;
use dlbacktrace_core::analysis::Scaling;
use dlbacktrace_core::explain::Watch;
use dlbacktrace_torch as native;
use ndarray::ArrayD;
use std::ffi::c_void;
use std::path::Path;
use std::time::Instant;
use tch::{Kind, Tensor};

pub use dlbacktrace_torch::{Computation, TorchTensor, libtorch_version, tune_allocator};

/// Runs a computation of the current thread, such as a `tch::nn` network, and traces its result back to the
/// inputs that `computation` names.
///
/// # Errors
/// As [`Model::explain`](crate::Model::explain).
pub fn explain(
    computation: Computation<'_>,
    options: &Options,
    compute: impl FnOnce() -> Tensor,
) -> Result<Explanation> {
    Explanation::of(native::explain_computation(computation, &options.0, compute)?, framework())
}

impl crate::Model {
    /// Shares a live `torch::jit::Module` of the C++ side: nothing is copied, and the module is not changed. Share it again after
    /// its parameters have been replaced by other tensors.
    ///
    /// # Errors
    /// [`Error::Load`] if it has no `forward`, is in training mode or is not on the CPU.
    ///
    /// # Safety
    /// `module` is null or points to a `torch::jit::Module` of the libtorch that this process has loaded, alive during
    /// this call.
    pub unsafe fn share_torch(module: *const c_void) -> Result<Self> {
        let start = Instant::now();
        // SAFETY: the caller guarantees the pointer.
        let module = unsafe { module.cast::<native::JitModule>().as_ref() };
        let module =
            module.ok_or_else(|| Error::Load("cannot take the live module: there is no module".into()))?;
        Self::of(Box::new(native::Model::share(module)?), start)
    }
}

impl Loaded for native::Model {
    fn framework(&self) -> String {
        framework()
    }

    fn arguments(&self) -> Result<Vec<Argument>> {
        let argument = |argument: native::FormalArgument| Argument {
            name: argument.name,
            kind: argument.type_name,
            optional: argument.has_default,
        };
        Ok(self.arguments()?.into_iter().map(argument).collect())
    }

    fn ordered(&self) -> bool {
        true
    }

    fn precision(&self) -> Result<Option<DType>> {
        Ok(self.precision()?)
    }

    fn forward(&self, inputs: &Inputs) -> Result<Vec<OutputTensor>> {
        let outputs = self.forward(&to_inputs(inputs)?)?;
        Ok(outputs
            .into_iter()
            .map(|(name, tensor)| OutputTensor::new(name, TorchTensor::from(tensor)))
            .collect())
    }

    fn explain(&self, inputs: &Inputs, options: &Options) -> Result<Explanation> {
        Explanation::of(self.explain(&to_inputs(inputs)?, &options.0)?, framework())
    }

    fn scalings(&self, inputs: &Inputs) -> Result<Vec<(String, Scaling)>> {
        Ok(self.scalings(&to_inputs(inputs)?)?)
    }

    fn replay(&self, inputs: &Inputs, watch: &Watch) -> Result<ReplayReport> {
        let native::Replay { checked, skipped, failed, .. } = self.replay(&to_inputs(inputs)?, watch)?;
        Ok(ReplayReport { checked, skipped, failed })
    }

    fn inspect(&self) -> Result<StaticInfo> {
        let found = self.inspect()?;
        let elements = |sizes: &[i64]| sizes.iter().map(|&extent| extent.max(0) as usize).product::<usize>();
        let module = |module: native::Submodule| ModuleEntry { path: module.path, class: module.class_name };
        let parameters = found.tensors.iter().filter(|tensor| !tensor.is_buffer);
        Ok(StaticInfo {
            outputs: vec![Argument { name: "output".to_owned(), kind: found.returns, optional: false }],
            modules: found.modules.into_iter().map(module).collect(),
            parameters: parameters.map(|tensor| elements(&tensor.sizes)).sum(),
            operators: found.operators,
            random: found.random,
        })
    }
}

/// Loads a TorchScript archive, after the libraries of custom operators.
pub(crate) fn load(path: &Path, options: &LoadOptions) -> Result<Box<dyn Loaded>> {
    for library in &options.libraries {
        native::load_library(library).map_err(native::Error::from)?;
    }
    Ok(Box::new(native::Model::load(path)?))
}

fn framework() -> String {
    format!("libtorch {}", native::libtorch_version())
}

pub(crate) fn to_inputs(inputs: &Inputs) -> Result<native::Inputs> {
    let mut converted = native::Inputs::new(inputs.positional.iter().map(input).collect::<Result<Vec<_>>>()?);
    for (name, value) in &inputs.named {
        converted = converted.with(name.clone(), input(value)?);
    }
    Ok(converted)
}

fn input(value: &Value) -> Result<native::Input> {
    use native::Input;
    let all = |values: &[Value]| values.iter().map(input).collect::<Result<Vec<_>>>();
    Ok(match value {
        Value::F32(array) => Input::Tensor(of_array(array)?),
        Value::F64(array) => Input::Tensor(of_array(array)?),
        Value::F16(array) => Input::Tensor(of_array(array)?),
        // Converts by way of single precision, because tch mistakes brain floats for halves.
        Value::BF16(array) => Input::Tensor(of_array(&array.mapv(f32::from))?.to_kind(Kind::BFloat16)),
        Value::Int(array) => Input::Tensor(of_array(array)?),
        Value::Int32(array) => Input::Tensor(of_array(array)?),
        Value::U8(array) => Input::Tensor(of_array(array)?),
        Value::Bool(array) => Input::Tensor(of_array(array)?),
        Value::Float(number) => Input::Float(*number),
        Value::Integer(number) => Input::Int(*number),
        Value::Flag(flag) => Input::Bool(*flag),
        Value::Text(text) => Input::Text(text.clone()),
        Value::Bytes(_) => {
            return Err(Error::Inputs(
                "a TorchScript model does not take the bytes of a file; give the numbers that the file holds"
                    .into(),
            ));
        }
        Value::List(values) => Input::List(all(values)?),
        Value::Tuple(values) => Input::Tuple(all(values)?),
        Value::Dict(entries) => Input::Dict(
            entries
                .iter()
                .map(|(key, value)| Ok((Input::Text(key.clone()), input(value)?)))
                .collect::<Result<_>>()?,
        ),
        Value::Nothing => Input::None,
        Value::Tensor(tensor) if !tensor.as_tch().defined() => {
            return Err(Error::Inputs("a tensor is undefined".into()));
        }
        Value::Tensor(tensor) => Input::Tensor(tensor.as_tch().shallow_clone()),
        #[cfg(feature = "tensorflow")]
        Value::TensorFlow(_) => {
            return Err(Error::Inputs(
                "a TorchScript model does not take a tensor of TensorFlow; give an array".into(),
            ));
        }
    })
}

fn of_array<T: tch::kind::Element + Copy>(array: &ArrayD<T>) -> Result<Tensor> {
    let values: Vec<T> = array.iter().copied().collect();
    tensor(&values, array.shape())
}

fn tensor<T: tch::kind::Element>(values: &[T], shape: &[usize]) -> Result<Tensor> {
    let shape: Vec<i64> = shape.iter().map(|&extent| extent as i64).collect();
    // An empty tensor has no data to copy.
    let made = if values.is_empty() {
        Tensor::f_zeros(&shape, (T::KIND, tch::Device::Cpu))
    } else {
        Tensor::f_from_slice(values).and_then(|tensor| tensor.f_reshape(&shape))
    };
    made.map_err(|error| {
        Error::Internal(format!(
            "cannot make a tensor of shape {shape:?} and type {:?}: {error}",
            T::KIND as Kind
        ))
    })
}
