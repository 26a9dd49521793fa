//! `graph.proto`, `node_def.proto`, `function.proto` and `op_def.proto`.

use super::{Attribute, AttributeValue};
use prost::Message;
use std::collections::BTreeMap;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct GraphDef {
    #[prost(message, repeated, tag = "1")]
    pub(crate) nodes: Vec<NodeDef>,
    #[prost(message, optional, tag = "2")]
    pub(crate) library: Option<FunctionLibrary>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NodeDef {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) operator: String,
    #[prost(string, repeated, tag = "3")]
    pub(crate) inputs: Vec<String>,
    #[prost(btree_map = "string, message", tag = "5")]
    pub(crate) attributes: BTreeMap<String, AttributeValue>,
}

impl NodeDef {
    /// The name of the function in an attribute.
    pub(crate) fn function(&self, attribute: &str) -> Option<&str> {
        match self.attributes.get(attribute)?.value.as_ref()? {
            Attribute::Function(function) => Some(&function.name),
            _ => None,
        }
    }
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct FunctionLibrary {
    /// Each is a [`FunctionDef`], kept whole for operators that call functions themselves.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(crate) functions: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct FunctionDef {
    #[prost(message, optional, tag = "1")]
    pub(crate) signature: Option<OpDef>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) nodes: Vec<NodeDef>,
    #[prost(btree_map = "string, string", tag = "4")]
    pub(crate) results: BTreeMap<String, String>,
    #[prost(btree_map = "string, string", tag = "6")]
    pub(crate) control_results: BTreeMap<String, String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct OpList {
    #[prost(message, repeated, tag = "1")]
    pub(crate) operators: Vec<OpDef>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct OpDef {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(message, repeated, tag = "2")]
    pub(crate) inputs: Vec<ArgumentDef>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) outputs: Vec<ArgumentDef>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) attributes: Vec<AttributeDef>,
}

/// An argument: one tensor, or as many as the attribute `number` or the list of types `types` says.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ArgumentDef {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "5")]
    pub(crate) number: String,
    #[prost(string, tag = "6")]
    pub(crate) types: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct AttributeDef {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(message, optional, tag = "3")]
    pub(crate) default: Option<AttributeValue>,
}
