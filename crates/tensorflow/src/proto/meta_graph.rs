//! `saved_model.proto`, `meta_graph.proto` and `saver.proto`.

use super::{GraphDef, ObjectGraph, OpList, Shape};
use prost::Message;
use std::collections::BTreeMap;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SavedModel {
    #[prost(int64, tag = "1")]
    pub(crate) schema_version: i64,
    #[prost(message, repeated, tag = "2")]
    pub(crate) graphs: Vec<MetaGraph>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct MetaGraph {
    #[prost(message, optional, tag = "1")]
    pub(crate) info: Option<MetaInfo>,
    #[prost(message, optional, tag = "2")]
    pub(crate) graph: Option<GraphDef>,
    #[prost(message, optional, tag = "3")]
    pub(crate) saver: Option<SaverDef>,
    #[prost(btree_map = "string, message", tag = "4")]
    pub(crate) collections: BTreeMap<String, Collection>,
    #[prost(btree_map = "string, message", tag = "5")]
    pub(crate) signatures: BTreeMap<String, SignatureDef>,
    #[prost(message, repeated, tag = "6")]
    pub(crate) assets: Vec<AssetFileDef>,
    #[prost(message, optional, tag = "7")]
    pub(crate) objects: Option<ObjectGraph>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct MetaInfo {
    /// The operators of the graph as they were where it was saved.
    #[prost(message, optional, tag = "2")]
    pub(crate) operators: Option<OpList>,
    #[prost(string, repeated, tag = "4")]
    pub(crate) tags: Vec<String>,
    #[prost(string, tag = "5")]
    pub(crate) tensorflow_version: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SaverDef {
    #[prost(string, tag = "1")]
    pub(crate) filename_tensor: String,
    #[prost(string, tag = "3")]
    pub(crate) restore_node: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Collection {
    #[prost(message, optional, tag = "1")]
    pub(crate) nodes: Option<NodeList>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct NodeList {
    #[prost(string, repeated, tag = "1")]
    pub(crate) names: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct AssetFileDef {
    #[prost(message, optional, tag = "1")]
    pub(crate) tensor: Option<TensorInfo>,
    #[prost(string, tag = "2")]
    pub(crate) file_name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SignatureDef {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(crate) inputs: BTreeMap<String, TensorInfo>,
    #[prost(btree_map = "string, message", tag = "2")]
    pub(crate) outputs: BTreeMap<String, TensorInfo>,
    /// The `TensorProto`s of inputs that may be left out.
    #[prost(btree_map = "string, bytes", tag = "4")]
    pub(crate) defaults: BTreeMap<String, Vec<u8>>,
}

/// A tensor of the graph; a sparse or composite one has no name.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TensorInfo {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(int32, tag = "2")]
    pub(crate) data_type: i32,
    #[prost(message, optional, tag = "3")]
    pub(crate) shape: Option<Shape>,
}
