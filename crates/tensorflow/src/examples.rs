//! `tf.Example` messages: the features that a model reads from them, and how to write one.

use crate::interpreter::Parsed;
use crate::{DataType, Model};
use prost::{Message, Oneof};
use std::collections::BTreeMap;

/// What a model reads from the serialised messages that one of its inputs takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExampleSpec {
    /// The input.
    pub input: String,
    /// The features, by name.
    pub features: Vec<FeatureSpec>,
}

/// A feature of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureSpec {
    /// Its name.
    pub name: String,
    /// Its element type: numbers, 64-bit integers or texts.
    pub data_type: DataType,
    /// The extent of each axis, `None` for any; `None` for a feature with any number of values.
    pub shape: Option<Vec<Option<usize>>>,
    /// Whether each message must have it.
    pub required: bool,
}

/// The values of a feature.
#[derive(Debug, Clone, PartialEq)]
pub enum Feature {
    /// Texts, or files.
    Bytes(Vec<Vec<u8>>),
    /// Numbers.
    Floats(Vec<f32>),
    /// Integers.
    Ints(Vec<i64>),
}

impl Model {
    /// The features that the model reads from serialised `tf.Example` messages, if it has one input of texts and parses that.
    pub fn examples(&self) -> Option<ExampleSpec> {
        let mut texts = self.inputs().iter().filter(|input| input.data_type == DataType::STRING);
        let (input, None) = (texts.next()?.name.clone(), texts.next()) else { return None };
        let mut features = BTreeMap::new();
        self.each_parser(&mut |parsed| {
            let found = parsed.features();
            features.extend(found.into_iter().map(|feature| (feature.name.clone(), feature)));
        });
        (!features.is_empty()).then(|| ExampleSpec { input, features: features.into_values().collect() })
    }
}

impl Parsed<'_> {
    /// The features, in the order of its outputs.
    fn features(&self) -> Vec<FeatureSpec> {
        let types = |name: &str| self.operation.data_types(name).unwrap_or_default();
        let open = |keys: Vec<String>, types: Vec<DataType>| {
            let feature = |(name, data_type)| FeatureSpec { name, data_type, shape: None, required: false };
            keys.into_iter().zip(types).map(feature).collect::<Vec<_>>()
        };
        let mut features = open(self.sparse_keys(), types("sparse_types"));
        let dense =
            self.dense_keys().into_iter().zip(types("Tdense")).zip(self.operation.shapes("dense_shapes"));
        features.extend(dense.enumerate().map(|(place, ((name, data_type), shape))| FeatureSpec {
            name,
            data_type,
            shape,
            required: !self.has_default(place),
        }));
        features.extend(open(self.ragged_keys(), types("ragged_value_types")));
        features
    }
}

/// A message of these features, serialised.
pub fn example(features: impl IntoIterator<Item = (String, Feature)>) -> Vec<u8> {
    let feature = |(name, feature)| {
        let kind = match feature {
            Feature::Bytes(values) => Kind::Bytes(BytesList { values }),
            Feature::Floats(values) => Kind::Floats(FloatList { values }),
            Feature::Ints(values) => Kind::Ints(IntList { values }),
        };
        (name, FeatureMessage { kind: Some(kind) })
    };
    let features = FeatureMap { features: features.into_iter().map(feature).collect() };
    ExampleMessage { features: Some(features) }.encode_to_vec()
}

/// `example.proto` and `feature.proto`.
#[derive(Clone, PartialEq, Message)]
struct ExampleMessage {
    #[prost(message, optional, tag = "1")]
    features: Option<FeatureMap>,
}

#[derive(Clone, PartialEq, Message)]
struct FeatureMap {
    #[prost(btree_map = "string, message", tag = "1")]
    features: BTreeMap<String, FeatureMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct FeatureMessage {
    #[prost(oneof = "Kind", tags = "1, 2, 3")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Kind {
    #[prost(message, tag = "1")]
    Bytes(BytesList),
    #[prost(message, tag = "2")]
    Floats(FloatList),
    #[prost(message, tag = "3")]
    Ints(IntList),
}

#[derive(Clone, PartialEq, Message)]
struct BytesList {
    #[prost(bytes = "vec", repeated, tag = "1")]
    values: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct FloatList {
    #[prost(float, repeated, tag = "1")]
    values: Vec<f32>,
}

#[derive(Clone, PartialEq, Message)]
struct IntList {
    #[prost(int64, repeated, tag = "1")]
    values: Vec<i64>,
}
