//! The inputs of a model.

use crate::{Error, Result};
use half::{bf16, f16};
use ndarray::ArrayD;

/// One argument of a model, or a part of one. The model's signature decides the final type of numbers.
#[derive(Debug)]
#[non_exhaustive]
pub enum Value {
    /// Single precision.
    F32(ArrayD<f32>),
    /// Double precision.
    F64(ArrayD<f64>),
    /// Half precision.
    F16(ArrayD<f16>),
    /// Brain float.
    BF16(ArrayD<bf16>),
    /// 64-bit integers.
    Int(ArrayD<i64>),
    /// 32-bit integers.
    Int32(ArrayD<i32>),
    /// Bytes, as of pictures.
    U8(ArrayD<u8>),
    /// Truth values.
    Bool(ArrayD<bool>),
    /// A number.
    Float(f64),
    /// An integer.
    Integer(i64),
    /// A truth value.
    Flag(bool),
    /// A text.
    Text(String),
    /// The bytes of a file or of a message, for models that read pictures or `tf.Example`s themselves: one element of a
    /// SavedModel's string tensor.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Value>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A dictionary.
    Dict(Vec<(String, Value)>),
    /// `None`, for an optional argument.
    Nothing,
    /// A tensor of libtorch; shared, not copied.
    #[cfg(feature = "torch")]
    Tensor(dlbacktrace_torch::TorchTensor),
    /// A tensor of TensorFlow; shared, not copied.
    #[cfg(feature = "tensorflow")]
    TensorFlow(dlbacktrace_tensorflow::Tensor),
}

impl Value {
    /// How deep lists, tuples and dictionaries may stand in each other.
    pub const MOST_NESTED: usize = 64;

    /// Whether at most so many containers stand in each other.
    fn is_nested_within(&self, most: usize) -> bool {
        let inner = |value: &Self| most > 0 && value.is_nested_within(most - 1);
        match self {
            Self::List(values) | Self::Tuple(values) => most > 0 && values.iter().all(inner),
            Self::Dict(entries) => most > 0 && entries.iter().all(|(_, value)| inner(value)),
            _ => true,
        }
    }

    /// Whether its elements are texts or bytes.
    pub fn is_text(&self) -> bool {
        match self {
            Self::Text(_) | Self::Bytes(_) => true,
            Self::List(values) | Self::Tuple(values) => {
                values.iter().all(Self::is_text) && !values.is_empty()
            }
            _ => false,
        }
    }

    /// The extent of each axis, also for lists whose items are alike; `None` for what is not an array.
    pub fn shape(&self) -> Option<Vec<usize>> {
        Some(match self {
            Self::F32(array) => array.shape().to_vec(),
            Self::F64(array) => array.shape().to_vec(),
            Self::F16(array) => array.shape().to_vec(),
            Self::BF16(array) => array.shape().to_vec(),
            Self::Int(array) => array.shape().to_vec(),
            Self::Int32(array) => array.shape().to_vec(),
            Self::U8(array) => array.shape().to_vec(),
            Self::Bool(array) => array.shape().to_vec(),
            Self::Float(_) | Self::Integer(_) | Self::Flag(_) | Self::Text(_) | Self::Bytes(_) => Vec::new(),
            Self::List(values) | Self::Tuple(values) => {
                let first = values.first().map_or(Some(Vec::new()), Self::shape)?;
                let alike = values.iter().all(|value| value.shape().as_ref() == Some(&first));
                alike.then(|| [&[values.len()], first.as_slice()].concat())?
            }
            Self::Dict(_) | Self::Nothing => return None,
            #[cfg(feature = "torch")]
            Self::Tensor(tensor) => tensor.as_tch().size().iter().map(|&extent| extent as usize).collect(),
            #[cfg(feature = "tensorflow")]
            Self::TensorFlow(tensor) => tensor.shape().ok()?,
        })
    }
}

macro_rules! from {
    ($($from:ty => $variant:ident),* $(,)?) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value)
            }
        }
    )*};
}

from! {
    ArrayD<f32> => F32,
    ArrayD<f64> => F64,
    ArrayD<f16> => F16,
    ArrayD<bf16> => BF16,
    ArrayD<i64> => Int,
    ArrayD<i32> => Int32,
    ArrayD<u8> => U8,
    ArrayD<bool> => Bool,
    f64 => Float,
    i64 => Integer,
    bool => Flag,
    String => Text,
    Vec<u8> => Bytes,
}

#[cfg(feature = "torch")]
impl From<tch::Tensor> for Value {
    fn from(tensor: tch::Tensor) -> Self {
        Self::Tensor(tensor.into())
    }
}

#[cfg(feature = "tensorflow")]
impl From<dlbacktrace_tensorflow::Tensor> for Value {
    fn from(tensor: dlbacktrace_tensorflow::Tensor) -> Self {
        Self::TensorFlow(tensor)
    }
}

/// The arguments of one run: by position, by name, or both. Arguments left out take their defaults.
#[derive(Debug, Default)]
pub struct Inputs {
    pub(crate) positional: Vec<Value>,
    pub(crate) named: Vec<(String, Value)>,
}

impl Inputs {
    /// No arguments yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next argument by position.
    #[must_use]
    pub fn push(mut self, value: impl Into<Value>) -> Self {
        self.positional.push(value.into());
        self
    }

    /// The arguments by name, to change them before another run.
    pub fn named_mut(&mut self) -> &mut [(String, Value)] {
        &mut self.named
    }

    /// These inputs, if no value is nested so deep that reading it could exhaust the stack.
    pub(crate) fn bounded(&self) -> Result<&Self> {
        let mut values = self.positional.iter().chain(self.named.iter().map(|(_, value)| value));
        match values.all(|value| value.is_nested_within(Value::MOST_NESTED)) {
            true => Ok(self),
            false => Err(Error::Inputs(format!(
                "lists, tuples and dictionaries of the inputs are nested more than {} deep",
                Value::MOST_NESTED
            ))),
        }
    }

    /// Adds an argument by name.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.named.push((name.to_owned(), value.into()));
        self
    }
}
