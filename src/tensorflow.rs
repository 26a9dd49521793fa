//! SavedModels behind the interface of all models.

use crate::argument::fits;
use crate::inspection::StaticInfo;
use crate::model::Loaded;
use crate::{
    Argument, Error, Explanation, Inputs, LoadOptions, ModuleEntry, Options, OutputTensor, ReplayReport,
    Result, Value,
};
use dlbacktrace_core::analysis::Scaling;
use dlbacktrace_core::explain::Watch;
use dlbacktrace_core::{DType, Tensor as _};
use dlbacktrace_tensorflow as native;
use native::TensorSpec;
use ndarray::ArrayD;
use std::path::Path;
use std::time::Instant;

#[cfg(feature = "tensorflow-crate")]
pub use dlbacktrace_tensorflow::Element;
pub use dlbacktrace_tensorflow::{
    Context, DataType, ExampleSpec, Feature, FeatureSpec, Library, Model, ModelOptions, Tensor, TfTensor,
    example,
};

impl Loaded for Model {
    fn framework(&self) -> String {
        framework(self)
    }

    fn arguments(&self) -> Result<Vec<Argument>> {
        Ok(self.inputs().iter().map(argument).collect())
    }

    fn ordered(&self) -> bool {
        self.ordered()
    }

    /// None: the signature gives the type of each input.
    fn precision(&self) -> Result<Option<DType>> {
        Ok(None)
    }

    fn forward(&self, inputs: &Inputs) -> Result<Vec<OutputTensor>> {
        let outputs = self.forward(&bound(self, inputs)?)?;
        Ok(outputs
            .into_iter()
            .map(|(name, tensor)| OutputTensor::new(name, TfTensor::from(tensor)))
            .collect())
    }

    fn explain(&self, inputs: &Inputs, options: &Options) -> Result<Explanation> {
        Explanation::of(self.explain(&bound(self, inputs)?, &options.0)?, framework(self))
    }

    fn scalings(&self, inputs: &Inputs) -> Result<Vec<(String, Scaling)>> {
        Ok(self.scalings(&bound(self, inputs)?)?)
    }

    fn replay(&self, inputs: &Inputs, watch: &Watch) -> Result<ReplayReport> {
        let native::Replay { checked, skipped, failed } = self.replay(&bound(self, inputs)?, watch)?;
        Ok(ReplayReport { checked, skipped, failed })
    }

    fn examples(&self) -> Option<ExampleSpec> {
        self.examples()
    }

    fn inspect(&self) -> Result<StaticInfo> {
        let found = self.inspect();
        let module = |path| ModuleEntry { path, class: String::new() };
        Ok(StaticInfo {
            random: found.random,
            outputs: self.outputs().iter().map(argument).collect(),
            modules: found.modules.into_iter().map(module).collect(),
            parameters: found.parameters,
            operators: found.operators,
        })
    }
}

/// Loads a signature of a SavedModel.
pub(crate) fn load(path: &Path, options: &LoadOptions) -> Result<Box<dyn Loaded>> {
    let library = Library::load(options.tensorflow.as_deref())?;
    let mut chosen = ModelOptions { threads: options.threads, ..ModelOptions::default() };
    if let Some(signature) = &options.signature {
        chosen.signature.clone_from(signature);
    }
    if !options.tags.is_empty() {
        // An empty tag asks for the graph without tags.
        chosen.tags = options.tags.iter().filter(|tag| !tag.is_empty()).cloned().collect();
    }
    Ok(Box::new(Model::load(library, path, &chosen)?))
}

/// Puts a model that you built yourself, such as a bundle that is being served, behind the interface of all models.
impl TryFrom<Model> for crate::Model {
    type Error = Error;

    fn try_from(model: Model) -> Result<Self> {
        Self::of(Box::new(model), Instant::now())
    }
}

fn framework(model: &Model) -> String {
    format!("TensorFlow {}", model.context().library().version())
}

fn argument(spec: &TensorSpec) -> Argument {
    let extent = |extent: &Option<usize>| extent.map_or("?".to_owned(), |extent| extent.to_string());
    let shape = spec.shape.as_ref().map_or("[…]".to_owned(), |shape| {
        format!("[{}]", shape.iter().map(extent).collect::<Vec<_>>().join(", "))
    });
    Argument {
        name: spec.name.clone(),
        kind: format!("Tensor {} {shape}", spec.data_type),
        optional: spec.optional,
    }
}

/// The inputs by name, each in the element type that the signature gives.
fn bound(model: &Model, inputs: &Inputs) -> Result<Vec<(String, Tensor)>> {
    let specs = model.inputs();
    if inputs.positional.len() > specs.len() {
        let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
        return Err(Error::Inputs(format!(
            "the model takes {} inputs ({}), but got {}",
            specs.len(),
            names.join(", "),
            inputs.positional.len()
        )));
    }
    let positional = positional(model, inputs)?.into_iter();
    let named = inputs.named.iter().map(|(name, value)| (name.as_str(), value));
    let given = positional.chain(named).filter(|(_, value)| !matches!(value, Value::Nothing));
    let tensor = |(name, value): (&str, &Value)| {
        let spec = specs.iter().find(|spec| spec.name == name);
        let tensor = tensor(model, name, value, spec.map(|spec| spec.data_type))?;
        Ok((name.to_owned(), in_shape(tensor, spec.and_then(|spec| spec.shape.as_deref()))?))
    };
    given.map(tensor).collect()
}

/// The inputs by position with their names. If the model does not give its order, each must fit exactly one input.
fn positional<'a>(model: &'a Model, inputs: &'a Inputs) -> Result<Vec<(&'a str, &'a Value)>> {
    let mut open: Vec<&TensorSpec> = model.inputs().iter().collect();
    open.retain(|spec| inputs.named.iter().all(|(name, _)| *name != spec.name));
    let mut found = Vec::with_capacity(inputs.positional.len());
    for value in &inputs.positional {
        let takes = |spec: &&TensorSpec| {
            model.ordered() || fits(&spec.data_type.to_string(), spec.shape.as_deref(), value)
        };
        let fitting: Vec<usize> = (0..open.len()).filter(|&place| takes(&open[place])).collect();
        let place = match fitting.as_slice() {
            [first, ..] if model.ordered() => *first,
            [only] => *only,
            several => {
                let of: Vec<&str> = several.iter().map(|&place| open[place].name.as_str()).collect();
                let of = if of.is_empty() {
                    "none of its inputs fits".to_owned()
                } else {
                    format!("several fit: {}", of.join(", "))
                };
                return Err(Error::Inputs(format!(
                    "the model does not give the order of its inputs, and for an input given by position, {of}; give each input by name"
                )));
            }
        };
        found.push((open.remove(place).name.as_str(), value));
    }
    Ok(found)
}

/// A value as a tensor of the wanted element type. Numbers are converted, but never fractions to integers.
fn tensor(model: &Model, name: &str, value: &Value, wanted: Option<DataType>) -> Result<Tensor> {
    let made = match value {
        Value::F32(array) => plain(model, DataType::FLOAT, array, |x| x.to_ne_bytes()),
        Value::F64(array) => plain(model, DataType::DOUBLE, array, |x| x.to_ne_bytes()),
        Value::F16(array) => plain(model, DataType::HALF, array, |x| x.to_ne_bytes()),
        Value::BF16(array) => plain(model, DataType::BFLOAT16, array, |x| x.to_ne_bytes()),
        Value::Int(array) => plain(model, DataType::INT64, array, |x| x.to_ne_bytes()),
        Value::Int32(array) => plain(model, DataType::INT32, array, |x| x.to_ne_bytes()),
        Value::U8(array) => plain(model, DataType::UINT8, array, |x| [*x]),
        Value::Bool(array) => plain(model, DataType::BOOL, array, |x| [u8::from(*x)]),
        Value::Float(number) => model.context().tensor(DataType::DOUBLE, &[], &number.to_ne_bytes()),
        Value::Integer(number) => model.context().tensor(DataType::INT64, &[], &number.to_ne_bytes()),
        Value::Flag(flag) => model.context().tensor(DataType::BOOL, &[], &[u8::from(*flag)]),
        Value::Text(_) | Value::Bytes(_) | Value::List(_) | Value::Tuple(_) => {
            let mut found = Vec::new();
            let shape = texts(value, &mut found).ok_or_else(|| {
                Error::Inputs(format!(
                    "{name}: a SavedModel takes lists only of texts, nested ones of equal length; give numbers as one array"
                ))
            })?;
            model.context().strings(&shape, &found)
        }
        Value::TensorFlow(tensor) => Ok(tensor.clone()),
        #[cfg(feature = "torch")]
        Value::Tensor(_) => {
            return Err(Error::Inputs(format!(
                "{name}: a SavedModel does not take a tensor of libtorch; give an array"
            )));
        }
        Value::Dict(_) | Value::Nothing => {
            return Err(Error::Inputs(format!("{name}: a SavedModel takes arrays and texts")));
        }
    }?;
    let Some(wanted) = wanted else { return Ok(made) };
    let given = made.data_type();
    let converts =
        given == wanted || (number(given) && (fraction(wanted) || (number(wanted) && !fraction(given))));
    if !converts {
        return Err(Error::Inputs(format!("{name} takes {wanted}, but got {given}")));
    }
    Ok(made.cast(wanted)?)
}

/// Adds or removes the axis of a single feature: `[N]` fits the `[N, 1]` of a signature, and the reverse. A single number or
/// text is one sample.
fn in_shape(tensor: Tensor, wanted: Option<&[Option<usize>]>) -> Result<Tensor> {
    let (mut shape, Some(wanted)) = (tensor.shape()?, wanted) else { return Ok(tensor) };
    let single = |extent: &Option<usize>| extent.is_none_or(|extent| extent == 1);
    if shape.is_empty() && wanted.iter().all(single) {
        shape.resize(wanted.len(), 1);
    } else if wanted.len() == shape.len() + 1 && !shape.is_empty() && wanted.ends_with(&[Some(1)]) {
        shape.push(1);
    } else if shape.len() == wanted.len() + 1 && shape.ends_with(&[1]) {
        shape.pop();
    } else {
        return Ok(tensor);
    }
    Ok(TfTensor::from(tensor).reshape(&shape)?.to_tensor()?)
}

/// The shape of a text or of nested lists of texts, and these in order.
fn texts<'a>(value: &'a Value, found: &mut Vec<&'a [u8]>) -> Option<Vec<usize>> {
    match value {
        Value::Text(text) => {
            found.push(text.as_bytes());
            Some(Vec::new())
        }
        Value::Bytes(bytes) => {
            found.push(bytes);
            Some(Vec::new())
        }
        Value::List(values) | Value::Tuple(values) => {
            let shapes = values.iter().map(|value| texts(value, found)).collect::<Option<Vec<_>>>()?;
            let first = shapes.first().cloned().unwrap_or_default();
            shapes.iter().all(|shape| *shape == first).then(|| [&[values.len()], &first[..]].concat())
        }
        _ => None,
    }
}

fn fraction(data_type: DataType) -> bool {
    [DataType::FLOAT, DataType::DOUBLE, DataType::HALF, DataType::BFLOAT16].contains(&data_type)
}

fn number(data_type: DataType) -> bool {
    data_type.size().is_some()
}

fn plain<T, const BYTES: usize>(
    model: &Model,
    data_type: DataType,
    array: &ArrayD<T>,
    bytes: impl Fn(&T) -> [u8; BYTES],
) -> native::Result<Tensor> {
    let bytes: Vec<u8> = array.iter().flat_map(bytes).collect();
    model.context().tensor(data_type, array.shape(), &bytes)
}
