//! `attr_value.proto` and `tensor_shape.proto`.

use prost::{Message, Oneof};
use std::collections::BTreeMap;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct AttributeValue {
    #[prost(oneof = "Attribute", tags = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10")]
    pub(crate) value: Option<Attribute>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Attribute {
    #[prost(message, tag = "1")]
    List(List),
    #[prost(bytes, tag = "2")]
    Bytes(Vec<u8>),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(float, tag = "4")]
    Float(f32),
    #[prost(bool, tag = "5")]
    Bool(bool),
    #[prost(int32, tag = "6")]
    Type(i32),
    #[prost(message, tag = "7")]
    Shape(Shape),
    /// A `TensorProto`.
    #[prost(bytes, tag = "8")]
    Tensor(Vec<u8>),
    #[prost(string, tag = "9")]
    Placeholder(String),
    #[prost(message, tag = "10")]
    Function(NameAttributes),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct List {
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub(crate) bytes: Vec<Vec<u8>>,
    #[prost(int64, repeated, tag = "3")]
    pub(crate) ints: Vec<i64>,
    #[prost(float, repeated, tag = "4")]
    pub(crate) floats: Vec<f32>,
    #[prost(bool, repeated, tag = "5")]
    pub(crate) bools: Vec<bool>,
    #[prost(int32, repeated, tag = "6")]
    pub(crate) types: Vec<i32>,
    #[prost(message, repeated, tag = "7")]
    pub(crate) shapes: Vec<Shape>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub(crate) tensors: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "9")]
    pub(crate) functions: Vec<NameAttributes>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NameAttributes {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(btree_map = "string, message", tag = "2")]
    pub(crate) attributes: BTreeMap<String, AttributeValue>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Shape {
    #[prost(message, repeated, tag = "2")]
    pub(crate) axes: Vec<Axis>,
    #[prost(bool, tag = "3")]
    pub(crate) unknown_rank: bool,
}

/// `tensor.proto`, as far as texts need it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TensorProto {
    #[prost(message, optional, tag = "2")]
    pub(crate) shape: Option<Shape>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub(crate) strings: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Axis {
    /// −1 where unknown.
    #[prost(int64, tag = "1")]
    pub(crate) size: i64,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
}

impl Shape {
    /// The extents, each `None` if unknown; `None` if even their number is unknown.
    pub(crate) fn extents(&self) -> Option<Vec<Option<usize>>> {
        let extents = self.axes.iter().map(|axis| usize::try_from(axis.size).ok());
        (!self.unknown_rank).then(|| extents.collect())
    }
}
