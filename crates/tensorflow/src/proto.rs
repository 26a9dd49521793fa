//! TensorFlow's messages, as far as we read them. Field numbers are those of the `.proto` files that each module names; what is
//! only passed on stays bytes.

mod attribute;
mod function;
mod meta_graph;
mod objects;

pub(crate) use attribute::{Attribute, AttributeValue, List, Shape, TensorProto};
pub(crate) use function::{ArgumentDef, FunctionDef, GraphDef, NodeDef, OpDef, OpList};
pub(crate) use meta_graph::{MetaGraph, SavedModel, SignatureDef, TensorInfo};
pub(crate) use objects::{CheckpointGraph, ConcreteFunction, ObjectGraph, Structure};
