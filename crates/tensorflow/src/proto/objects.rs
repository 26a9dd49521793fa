//! `saved_object_graph.proto` and `trackable_object_graph.proto`: the Python objects that the model was, by the names
//! of their attributes, once in the model and once in its checkpoint.

use prost::Message;
use std::collections::BTreeMap;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ObjectGraph {
    #[prost(message, repeated, tag = "1")]
    pub(crate) nodes: Vec<SavedObject>,
    #[prost(btree_map = "string, message", tag = "2")]
    pub(crate) functions: BTreeMap<String, ConcreteFunction>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SavedObject {
    #[prost(message, repeated, tag = "1")]
    pub(crate) children: Vec<Child>,
    #[prost(message, optional, tag = "7")]
    pub(crate) variable: Option<SavedVariable>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Child {
    #[prost(int32, tag = "1")]
    pub(crate) node: i32,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SavedVariable {
    #[prost(int32, tag = "1")]
    pub(crate) data_type: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ConcreteFunction {
    /// The objects that the last arguments of the function are.
    #[prost(int32, repeated, tag = "2")]
    pub(crate) bound_inputs: Vec<i32>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CheckpointGraph {
    #[prost(message, repeated, tag = "1")]
    pub(crate) nodes: Vec<CheckpointObject>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CheckpointObject {
    #[prost(message, repeated, tag = "1")]
    pub(crate) children: Vec<Child>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) tensors: Vec<CheckpointTensor>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CheckpointTensor {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "3")]
    pub(crate) key: String,
}
