//! `saved_object_graph.proto` and `trackable_object_graph.proto`: the Python objects of the model with the names of their
//! attributes, once in the model and once in its checkpoint.

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
    /// The objects that are the last arguments of the function.
    #[prost(int32, repeated, tag = "2")]
    pub(crate) bound_inputs: Vec<i32>,
    /// What it takes besides these: a tuple of the arguments by position, and a dictionary of the others.
    #[prost(message, optional, tag = "3")]
    pub(crate) arguments: Option<Structure>,
}

/// A `StructuredValue`: nested tuples, lists and dictionaries of the specifications of tensors.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Structure {
    #[prost(bytes = "vec", optional, tag = "33")]
    pub(crate) tensor: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "35")]
    pub(crate) bounded_tensor: Option<Vec<u8>>,
    #[prost(message, optional, tag = "51")]
    pub(crate) list: Option<Structures>,
    #[prost(message, optional, tag = "52")]
    pub(crate) tuple: Option<Structures>,
    #[prost(message, optional, tag = "53")]
    pub(crate) dictionary: Option<Fields>,
    #[prost(message, optional, tag = "54")]
    pub(crate) named_tuple: Option<Pairs>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Structures {
    #[prost(message, repeated, tag = "1")]
    pub(crate) values: Vec<Structure>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Fields {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(crate) fields: BTreeMap<String, Structure>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Pairs {
    #[prost(message, repeated, tag = "2")]
    pub(crate) values: Vec<Pair>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Pair {
    #[prost(message, optional, tag = "2")]
    pub(crate) value: Option<Structure>,
}

impl Structure {
    /// The parts of a list, a tuple or a dictionary.
    fn parts(&self) -> impl Iterator<Item = &Self> {
        let values = self.list.iter().chain(&self.tuple).flat_map(|part| &part.values);
        let fields = self.dictionary.iter().flat_map(|part| part.fields.values());
        let pairs = self.named_tuple.iter().flat_map(|part| &part.values);
        values.chain(fields).chain(pairs.filter_map(|pair| pair.value.as_ref()))
    }

    /// The number of tensors in it.
    pub(crate) fn tensors(&self) -> usize {
        let own = usize::from(self.tensor.is_some()) + usize::from(self.bounded_tensor.is_some());
        own + self.parts().map(Self::tensors).sum::<usize>()
    }

    /// Whether its tensors have an order of their own; those of a dictionary have none.
    pub(crate) fn ordered(&self) -> bool {
        let alone = self.dictionary.is_none() || self.tensors() < 2;
        alone && self.parts().all(Self::ordered)
    }
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
