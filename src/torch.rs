//! Live libtorch computations, and the way from the facade's types to libtorch's.

use crate::options::{Output, OwnSeed};
use crate::{Error, Explanation, Inputs, Options, Result, Value};
use dlbacktrace_core::analysis::PrepareOptions;
use dlbacktrace_torch as native;
use ndarray::ArrayD;
use std::sync::Arc;
use std::time::Duration;
use tch::{Kind, Tensor};

pub use dlbacktrace_torch::{Computation, TorchTensor, libtorch_version, tune_allocator};

/// Runs a computation of the current thread, such as a `tch::nn` network, and traces its result back to the
/// inputs that `computation` names.
///
/// # Errors
/// As [`Model::explain`](crate::Model::explain).
pub fn explain(
    computation: Computation<'_>,
    options_given: &Options,
    compute: impl FnOnce() -> Tensor,
) -> Result<Explanation> {
    let explanation = native::explain_computation(computation, &options(options_given)?, compute)?;
    Explanation::from_torch(explanation, Duration::ZERO)
}

pub(crate) fn options(options: &Options) -> Result<native::Options> {
    let seed = options.seed.as_ref();
    let at = |OwnSeed { module, positive, .. }: &OwnSeed| -> Result<native::SeedAt> {
        let tensor = of_array(positive)?;
        Ok(match module {
            Some(module) => native::SeedAt::Module(module.clone(), tensor),
            None => native::SeedAt::Output(tensor),
        })
    };
    let negative = seed.and_then(|seed| seed.negative.as_ref());
    Ok(native::Options {
        output: match &options.output {
            Output::Index(index) => native::OutputChoice::Index(*index),
            Output::Name(name) => native::OutputChoice::Name(name.clone()),
        },
        start: options.start,
        seed: seed.map(at).transpose()?.map(Arc::new),
        negative_seed: negative.map(|negative| of_array(negative)).transpose()?.map(Arc::new),
        prepare: PrepareOptions { gates: options.gates, gate_of: options.gate_of.clone() },
        all_values: options.all_values,
        numeric_inputs: options.numeric_inputs.clone(),
        allow_unruled: options.allow_unruled,
        progress: options.progress.clone(),
    })
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
        Value::BF16(array) => Input::Tensor(of_array(array)?),
        Value::Int(array) => Input::Tensor(of_array(array)?),
        Value::Int32(array) => Input::Tensor(of_array(array)?),
        Value::U8(array) => Input::Tensor(of_array(array)?),
        Value::Bool(array) => Input::Tensor(of_array(array)?),
        Value::Float(number) => Input::Float(*number),
        Value::Integer(number) => Input::Int(*number),
        Value::Flag(flag) => Input::Bool(*flag),
        Value::Text(text) => Input::Text(text.clone()),
        Value::List(values) => Input::List(all(values)?),
        Value::Tuple(values) => Input::Tuple(all(values)?),
        Value::Dict(entries) => Input::Dict(
            entries
                .iter()
                .map(|(key, value)| Ok((Input::Text(key.clone()), input(value)?)))
                .collect::<Result<_>>()?,
        ),
        Value::Nothing => Input::None,
        Value::Tensor(tensor) => Input::Tensor(tensor.shallow_clone()),
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
