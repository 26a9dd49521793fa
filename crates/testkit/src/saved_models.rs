//! Reads the fixtures of `tests/savedmodels`.

use crate::fixtures::SAVED_MODELS;
use dlbacktrace_tensorflow::{Context, DataType, Library, Model, ModelOptions, Tensor};
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What `index.json` says of a fixture.
#[derive(Debug, Clone, Deserialize)]
pub struct Entry {
    pub name: String,
    /// `explained`, `unsupported` or `raises`.
    pub expect: String,
    /// Whether every model like it must be explained; if not, an error that names the operator is fine.
    pub common: bool,
    /// The fixture that must give the same relevance.
    pub equals: Option<String>,
    /// Integer inputs that are numbers, not tokens.
    #[serde(default)]
    pub numeric_inputs: Vec<String>,
}

/// What a fixture holds beside its SavedModel.
pub struct Fixture {
    pub entry: Entry,
    pub directory: PathBuf,
    pub inputs: Vec<(String, Stored)>,
    pub outputs: Vec<(String, Stored)>,
    /// The derivative of the sum of the first floating output, by name, by each floating input, as `tf.GradientTape` gives it.
    pub gradients: Vec<(String, Stored)>,
}

/// A tensor as it was stored.
#[derive(Debug, Clone, PartialEq)]
pub enum Stored {
    Plain { data_type: DataType, shape: Vec<usize>, bytes: Vec<u8> },
    Text { shape: Vec<usize>, strings: Vec<Vec<u8>> },
}

impl Stored {
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Plain { shape, .. } | Self::Text { shape, .. } => shape,
        }
    }

    /// One sample of a batch, as a batch of one.
    fn sample(&self, index: usize) -> Self {
        let mut shape = self.shape().to_vec();
        let count = std::mem::replace(&mut shape[0], 1);
        let of = |length: usize| index * length / count..(index + 1) * length / count;
        match self {
            Self::Plain { data_type, bytes, .. } => {
                Self::Plain { data_type: *data_type, shape, bytes: bytes[of(bytes.len())].to_vec() }
            }
            Self::Text { strings, .. } => Self::Text { shape, strings: strings[of(strings.len())].to_vec() },
        }
    }
}

/// The entries of all fixtures.
pub fn index() -> Vec<Entry> {
    SAVED_MODELS.index()
}

/// TensorFlow. If it is missing, the test fails and says what to do.
pub fn library() -> &'static Library {
    Library::load(None).unwrap_or_else(|error| panic!("{error}, or `cargo xtask setup --tensorflow`"))
}

/// Loads a fixture's model.
pub fn load(directory: &Path) -> dlbacktrace_tensorflow::Result<Model> {
    Model::load(library(), directory, &ModelOptions::default())
}

/// Reads a fixture's inputs and outputs.
pub fn fixture(name: &str) -> Fixture {
    let directory = SAVED_MODELS.path(name);
    let file = fs::read(directory.with_extension("safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let (_, header) = SafeTensors::read_metadata(&file).unwrap();
    let text = header.metadata().as_ref().map_or("{}", |metadata| &metadata["text"]);
    let text: BTreeMap<String, Vec<Vec<String>>> = serde_json::from_str(text).unwrap();
    let mut all: Vec<(String, Stored)> = tensors
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            let (shape, bytes) = (view.shape().to_vec(), view.data().to_vec());
            (name, Stored::Plain { data_type: data_type(view.dtype()), shape, bytes })
        })
        .collect();
    all.extend(text.into_iter().map(|(name, rows)| {
        let shape = vec![rows.len(), rows[0].len()];
        (name, Stored::Text { shape, strings: rows.concat().into_iter().map(String::into_bytes).collect() })
    }));
    let data = header.metadata().as_ref().and_then(|metadata| metadata.get("bytes"));
    let data: BTreeMap<String, Vec<String>> = serde_json::from_str(data.map_or("{}", |data| data)).unwrap();
    all.extend(data.into_iter().map(|(name, items)| {
        let strings = items.iter().map(|item| from_hex(item)).collect();
        (name, Stored::Text { shape: vec![items.len()], strings })
    }));
    let part = |prefix: &str| {
        let named = all.iter().filter_map(|(name, stored)| Some((name.strip_prefix(prefix)?, stored)));
        named.map(|(name, stored)| (name.to_owned(), stored.clone())).collect()
    };
    let entry = index().into_iter().find(|entry| entry.name == name);
    let entry = entry.unwrap_or_else(|| panic!("no fixture {name}"));
    let [inputs, outputs, gradients] = ["input:", "output:", "gradient:"].map(part);
    Fixture { entry, directory, inputs, outputs, gradients }
}

fn from_hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

impl Fixture {
    /// The inputs in TensorFlow.
    pub fn tensors(&self, context: &Arc<Context>) -> Vec<(String, Tensor)> {
        let tensor = |stored: &Stored| match stored {
            Stored::Plain { data_type, shape, bytes } => context.tensor(*data_type, shape, bytes).unwrap(),
            Stored::Text { shape, strings } => context.strings(shape, strings).unwrap(),
        };
        self.inputs.iter().map(|(name, stored)| (name.clone(), tensor(stored))).collect()
    }

    /// The samples of a batch, each alone; `None` if the inputs are not a batch of several.
    pub fn samples(&self) -> Option<Vec<Self>> {
        let count = *self.inputs.first()?.1.shape().first()?;
        let batch = self.inputs.iter().all(|(_, stored)| stored.shape().first() == Some(&count));
        let alone = |sample: usize| {
            let inputs = self.inputs.iter().map(|(name, stored)| (name.clone(), stored.sample(sample)));
            let (entry, directory) = (self.entry.clone(), self.directory.clone());
            Self { entry, directory, inputs: inputs.collect(), outputs: Vec::new(), gradients: Vec::new() }
        };
        (batch && count > 1).then(|| (0..count).map(alone).collect())
    }

    /// The largest difference between `outputs` and the stored ones, relative to the largest stored number (at least
    /// 1); infinite if they cannot be compared.
    pub fn difference(&self, outputs: &[(String, Tensor)]) -> f64 {
        if outputs.len() != self.outputs.len() {
            return f64::INFINITY;
        }
        let pairs = self.outputs.iter().map(|(name, stored)| {
            let output = outputs.iter().find(|(output, _)| output == name);
            match (stored, output) {
                (Stored::Plain { shape, bytes, data_type }, Some((_, output)))
                    if output.shape().unwrap() == *shape && output.data_type() == *data_type =>
                {
                    let (found, stored) =
                        (numbers(*data_type, &output.bytes().unwrap()), numbers(*data_type, bytes));
                    let scale = stored.iter().fold(1.0, |scale: f64, value| scale.max(value.abs()));
                    let equal = |(a, b): (f64, f64)| if a == b { 0.0 } else { (a - b).abs() / scale };
                    found.into_iter().zip(stored).map(equal).fold(0.0, largest)
                }
                (Stored::Text { strings, .. }, Some((_, output))) => {
                    let found = output.strings().unwrap();
                    let same = found.iter().zip(strings).all(|(found, stored)| found == stored);
                    if same && found.len() == strings.len() { 0.0 } else { f64::INFINITY }
                }
                _ => f64::INFINITY,
            }
        });
        pairs.fold(0.0, largest)
    }
}

/// The larger of two numbers; NaN counts as infinite.
fn largest(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::INFINITY } else { a.max(b) }
}

pub fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|bytes| f32::from_ne_bytes(bytes.try_into().unwrap())).collect()
}

/// Elements of any type as doubles.
pub fn numbers(data_type: DataType, bytes: &[u8]) -> Vec<f64> {
    fn each<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        bytes.chunks_exact(N).map(|bytes| number(bytes.try_into().unwrap())).collect()
    }
    match data_type {
        DataType::FLOAT => each(bytes, |bytes| f32::from_ne_bytes(bytes).into()),
        DataType::DOUBLE => each(bytes, f64::from_ne_bytes),
        DataType::HALF => each(bytes, |bytes| f16::from_ne_bytes(bytes).into()),
        DataType::BFLOAT16 => each(bytes, |bytes| bf16::from_ne_bytes(bytes).into()),
        DataType::INT64 => each(bytes, |bytes| i64::from_ne_bytes(bytes) as f64),
        DataType::INT32 => each(bytes, |bytes| i32::from_ne_bytes(bytes).into()),
        DataType::UINT8 | DataType::BOOL => each(bytes, |[byte]| byte.into()),
        other => panic!("no fixture holds {other:?}"),
    }
}

fn data_type(dtype: Dtype) -> DataType {
    match dtype {
        Dtype::F16 => DataType::HALF,
        Dtype::BF16 => DataType::BFLOAT16,
        Dtype::F32 => DataType::FLOAT,
        Dtype::F64 => DataType::DOUBLE,
        Dtype::I32 => DataType::INT32,
        Dtype::I64 => DataType::INT64,
        Dtype::U8 => DataType::UINT8,
        Dtype::BOOL => DataType::BOOL,
        other => panic!("no fixture holds {other:?}"),
    }
}
