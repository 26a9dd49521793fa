//! Reads the fixtures of `tests/savedmodels`.

// Each test file uses its own part of this.
#![allow(dead_code)]

use dlbacktrace_tensorflow::{Context, DataType, Library, Model, ModelOptions, Tensor};
use safetensors::{Dtype, SafeTensors};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a fixture holds beside its SavedModel.
pub struct Fixture {
    pub directory: PathBuf,
    pub inputs: Vec<(String, Stored)>,
    pub outputs: Vec<(String, Stored)>,
}

/// A tensor as it was stored.
#[derive(Debug, Clone, PartialEq)]
pub enum Stored {
    Plain { data_type: DataType, shape: Vec<usize>, bytes: Vec<u8> },
    Text { shape: Vec<usize>, strings: Vec<String> },
}

impl Stored {
    fn shape(&self) -> &[usize] {
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

/// The folder of the fixtures.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/savedmodels")
}

/// The names of all fixtures.
pub fn names() -> Vec<String> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let directories = entries.filter(|path| path.is_dir());
    let mut names: Vec<String> =
        directories.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// TensorFlow. A missing one fails the test, and says what to do.
pub fn library() -> &'static Library {
    Library::load(None).unwrap_or_else(|error| panic!("{error}, or `cargo xtask setup --tensorflow`"))
}

/// Loads a fixture's model.
pub fn load(directory: &Path) -> dlbacktrace_tensorflow::Result<Model> {
    Model::load(library(), directory, &ModelOptions::default())
}

/// Reads a fixture's inputs and outputs.
pub fn fixture(name: &str) -> Fixture {
    let directory = folder().join(name);
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
        (name, Stored::Text { shape, strings: rows.concat() })
    }));
    let part = |prefix: &str| {
        let named = all.iter().filter_map(|(name, stored)| Some((name.strip_prefix(prefix)?, stored)));
        named.map(|(name, stored)| (name.to_owned(), stored.clone())).collect()
    };
    Fixture { inputs: part("input:"), outputs: part("output:"), directory }
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

    /// The samples of a batch, each alone; `None` where the inputs are no batch of several.
    pub fn samples(&self) -> Option<Vec<Self>> {
        let count = *self.inputs.first()?.1.shape().first()?;
        let batch = self.inputs.iter().all(|(_, stored)| stored.shape().first() == Some(&count));
        let alone = |sample: usize| {
            let inputs = self.inputs.iter().map(|(name, stored)| (name.clone(), stored.sample(sample)));
            Self { directory: self.directory.clone(), inputs: inputs.collect(), outputs: Vec::new() }
        };
        (batch && count > 1).then(|| (0..count).map(alone).collect())
    }

    /// The largest difference between `outputs` and the stored ones; infinite where they do not compare.
    pub fn difference(&self, outputs: &[(String, Tensor)]) -> f32 {
        if outputs.len() != self.outputs.len() {
            return f32::INFINITY;
        }
        let pairs = self.outputs.iter().map(|(name, stored)| {
            let output = outputs.iter().find(|(output, _)| output == name);
            match (stored, output) {
                (Stored::Plain { shape, bytes, .. }, Some((_, output)))
                    if output.shape().unwrap() == *shape =>
                {
                    let differences = floats(&output.bytes().unwrap()).into_iter().zip(floats(bytes));
                    differences.map(|(a, b)| (a - b).abs()).fold(0.0, largest)
                }
                _ => f32::INFINITY,
            }
        });
        pairs.fold(0.0, largest)
    }
}

/// The larger; what is no number is larger than any.
fn largest(a: f32, b: f32) -> f32 {
    if a.is_nan() || b.is_nan() { f32::INFINITY } else { a.max(b) }
}

pub fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|bytes| f32::from_ne_bytes(bytes.try_into().unwrap())).collect()
}

fn data_type(dtype: Dtype) -> DataType {
    match dtype {
        Dtype::F32 => DataType::FLOAT,
        Dtype::I32 => DataType::INT32,
        Dtype::I64 => DataType::INT64,
        other => panic!("no fixture holds {other:?}"),
    }
}
