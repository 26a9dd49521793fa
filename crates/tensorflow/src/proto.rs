//! TensorFlow's messages, as far as they are read. Field numbers are those of the `.proto` files that each is named
//! after; what is only handed on stays bytes.

mod attribute;
mod function;
mod meta_graph;
mod objects;

pub(crate) use attribute::{Attribute, AttributeValue, List, Shape, TensorProto};
pub(crate) use function::{ArgumentDef, FunctionDef, GraphDef, NodeDef, OpDef, OpList};
pub(crate) use meta_graph::{MetaGraph, SavedModel, SignatureDef, TensorInfo};
pub(crate) use objects::{CheckpointGraph, ConcreteFunction, ObjectGraph, Structure};
