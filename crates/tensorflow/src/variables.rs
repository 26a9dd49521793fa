//! Gives variables their values, and finds them in the checkpoint.
//!
//! A signature captures variables by handles of the graph. The graph's own restore operators do not always know their values
//! (`tf.saved_model.save` of a Keras 3 model restores twins of other names). The object graph does: a captured handle is an
//! object of the model, the object has a path of attribute names, and the same path in the checkpoint leads to the key of its
//! value. The restore operators serve models of TensorFlow 1, which have no objects.

use crate::eager::{list_of_types, one_type};
use crate::proto::{CheckpointGraph, MetaGraph, NodeDef, ObjectGraph};
use crate::{Context, DataType, Tensor};
use prost::Message;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// The key under which a checkpoint describes its objects.
const OBJECTS: &str = "_CHECKPOINTABLE_OBJECT_GRAPH";

/// The name of a variable's content among the tensors of its object.
const CONTENT: &str = "VARIABLE_VALUE";

/// The operator that makes a handle to a variable.
const HANDLE: &str = "VarHandleOp";

/// Operators that are variables.
const VARIABLES: [&str; 3] = [HANDLE, "VariableV2", "Variable"];

/// Why a model with variables cannot be loaded without their values.
const MISSING: &str = "its directory `variables`, which holds the values of its variables, is missing or has no file \
                       variables.index. Copy the whole SavedModel";

/// Whether a node is a variable, or a handle to one.
pub(crate) fn is_variable(node: &NodeDef) -> bool {
    VARIABLES.contains(&node.operator.as_str())
}

/// A variable of the graph.
#[derive(Debug)]
pub(crate) struct Variable<'g> {
    /// Its node.
    pub(crate) node: &'g str,
    /// Where its value is stored, if the object graph knows.
    pub(crate) stored: Option<Stored>,
}

/// Where the value of a variable is stored.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    key: String,
    data_type: DataType,
}

/// The source of the variables' values.
pub(crate) enum Values {
    /// The model's checkpoint; a model without variables has none.
    Checkpoint(Option<Checkpoint>),
    /// Values read from a live session, by node.
    #[cfg_attr(not(feature = "tensorflow-crate"), expect(dead_code, reason = "only that crate has sessions"))]
    Live(HashMap<String, Tensor>),
}

impl Values {
    /// The checkpoint, if it is the source.
    pub(crate) fn checkpoint(&self) -> Option<&Checkpoint> {
        match self {
            Self::Checkpoint(checkpoint) => checkpoint.as_ref(),
            Self::Live(_) => None,
        }
    }

    /// The variables among `nodes`, with what is known of their values.
    pub(crate) fn variables<'g>(
        &self,
        context: &Arc<Context>,
        graph: &MetaGraph,
        nodes: &[&'g NodeDef],
    ) -> Result<Vec<Variable<'g>>, String> {
        match self {
            Self::Checkpoint(None) if nodes.iter().any(|node| is_variable(node)) => Err(MISSING.into()),
            Self::Checkpoint(None) => Ok(Vec::new()),
            Self::Checkpoint(Some(checkpoint)) => checkpoint.variables(context, graph, nodes),
            Self::Live(values) => {
                let handles = nodes.iter().filter(|node| node.operator == HANDLE);
                let variable = |node: &&'g NodeDef| {
                    let value = values.get(&node.name)?;
                    let stored = Stored { key: node.name.clone(), data_type: value.data_type() };
                    Some(Variable { node: &node.name, stored: Some(stored) })
                };
                Ok(handles.filter_map(variable).collect())
            }
        }
    }

    /// The values of variables of TensorFlow 1, which have no handle.
    pub(crate) fn references(&self, nodes: &[&NodeDef]) -> HashMap<String, Tensor> {
        let Self::Live(values) = self else { return HashMap::new() };
        let references = nodes.iter().filter(|node| is_variable(node) && node.operator != HANDLE);
        references.filter_map(|node| Some((node.name.clone(), values.get(&node.name)?.clone()))).collect()
    }

    /// Gives the variable behind a handle its value.
    pub(crate) fn assign(
        &self,
        context: &Arc<Context>,
        handle: &Tensor,
        stored: &Stored,
    ) -> Result<(), String> {
        let value = match self {
            Self::Checkpoint(Some(checkpoint)) => checkpoint.read(context, &stored.key, stored.data_type)?,
            Self::Checkpoint(None) => return Err("the model has no checkpoint".into()),
            Self::Live(values) => {
                values.get(&stored.key).cloned().ok_or("the session has no value for it")?
            }
        };
        let types = one_type(c"dtype", stored.data_type);
        context.execute(c"AssignVariableOp", &types, [handle, &value], 0).map(drop)
    }
}

/// A checkpoint of the model: the prefix of its files' names.
pub(crate) struct Checkpoint {
    prefix: String,
}

impl Checkpoint {
    /// The checkpoint in a SavedModel, if it has variables at all.
    pub(crate) fn of(directory: &Path) -> Result<Option<Self>, String> {
        let prefix = directory.join("variables").join("variables");
        if !prefix.with_extension("index").is_file() {
            return Ok(None);
        }
        let prefix = prefix.to_str().ok_or("its path is not UTF-8")?.to_owned();
        Ok(Some(Self { prefix }))
    }

    /// The prefix as a tensor.
    pub(crate) fn prefix(&self, context: &Arc<Context>) -> Result<Tensor, String> {
        context.strings(&[], &[&self.prefix]).map_err(|error| error.to_string())
    }

    /// The variables among `nodes`; for those that calls capture, with what the object graph knows.
    fn variables<'g>(
        &self,
        context: &Arc<Context>,
        graph: &MetaGraph,
        nodes: &[&'g NodeDef],
    ) -> Result<Vec<Variable<'g>>, String> {
        let captured = self.captured(context, graph)?;
        let variables = nodes.iter().filter(|node| is_variable(node));
        let variable = |node: &&'g NodeDef| Variable {
            node: &node.name,
            stored: captured.get(node.name.as_str()).cloned(),
        };
        Ok(variables.map(variable).collect())
    }

    fn read(&self, context: &Arc<Context>, key: &str, data_type: DataType) -> Result<Tensor, String> {
        let text =
            |shape: &[usize], text: &str| context.strings(shape, &[text]).map_err(|error| error.to_string());
        let inputs = [text(&[], &self.prefix)?, text(&[1], key)?, text(&[1], "")?];
        let read = context.execute(c"RestoreV2", &list_of_types(c"dtypes", &[data_type]), &inputs, 1);
        let read = read.map_err(|reason| format!(
                "its variables are damaged or incomplete: {key} cannot be read ({reason}). Copy the SavedModel again"
            ))?;
        read.into_iter().next().ok_or_else(|| format!("its variables do not contain {key}"))
    }

    /// The variables that calls in the graph capture, by node.
    fn captured(&self, context: &Arc<Context>, graph: &MetaGraph) -> Result<HashMap<String, Stored>, String> {
        let Some(objects) = graph.objects.as_ref().filter(|objects| !objects.nodes.is_empty()) else {
            return Ok(HashMap::new());
        };
        let described = self.read(context, OBJECTS, DataType::STRING)?;
        let described = described.strings().map_err(|error| error.to_string())?;
        let described = described.first().ok_or("its variables do not describe their objects")?;
        let described = CheckpointGraph::decode(described.as_slice()).map_err(|error| error.to_string())?;
        let keys = keys(objects, &described);
        let mut captured = HashMap::new();
        for node in graph.graph.iter().flat_map(|graph| &graph.nodes) {
            for (handle, object) in captures(node, objects) {
                let variable = usize::try_from(object).ok().and_then(|object| objects.nodes.get(object));
                let variable = variable.and_then(|object| object.variable.as_ref());
                if let (Some(variable), Some(key)) = (variable, keys.get(&object)) {
                    let stored = Stored { key: key.clone(), data_type: DataType(variable.data_type) };
                    captured.insert(handle.to_owned(), stored);
                }
            }
        }
        Ok(captured)
    }
}

/// The captured inputs of a call, each with its node in the graph and its object.
fn captures<'g>(node: &'g NodeDef, objects: &'g ObjectGraph) -> Vec<(&'g str, i32)> {
    let function = node.function("f").and_then(|name| objects.functions.get(name));
    let Some(function) = function else { return Vec::new() };
    let inputs: Vec<&str> =
        node.inputs.iter().filter(|input| !input.starts_with('^')).map(String::as_str).collect();
    let own = inputs.len().saturating_sub(function.bound_inputs.len());
    let handles = inputs.into_iter().skip(own).map(|input| input.split(':').next().unwrap_or(input));
    handles.zip(function.bound_inputs.iter().copied()).collect()
}

/// The key of each variable object's value, found by walking both graphs from their roots along the names of attributes.
fn keys(objects: &ObjectGraph, described: &CheckpointGraph) -> HashMap<i32, String> {
    let mut keys = HashMap::new();
    let mut seen = HashSet::new();
    let mut open = vec![(0, 0)];
    while let Some((object, twin)) = open.pop() {
        let at = |index: i32| usize::try_from(index).ok();
        let pair = at(object).and_then(|index| objects.nodes.get(index));
        let pair = pair.zip(at(twin).and_then(|index| described.nodes.get(index)));
        let Some((saved, stored)) = pair.filter(|_| seen.insert(object)) else { continue };
        if let Some(tensor) = stored.tensors.iter().find(|tensor| tensor.name == CONTENT) {
            keys.insert(object, tensor.key.clone());
        }
        let names: BTreeMap<&str, i32> =
            stored.children.iter().map(|child| (child.name.as_str(), child.node)).collect();
        open.extend(
            saved.children.iter().filter_map(|child| Some((child.node, *names.get(child.name.as_str())?))),
        );
    }
    keys
}

/// The nodes of the graph that these tensors need.
pub(crate) fn needed<'g>(graph: &'g MetaGraph, tensors: &[&'g str]) -> Vec<&'g NodeDef> {
    let nodes: HashMap<&str, &NodeDef> =
        graph.graph.iter().flat_map(|graph| &graph.nodes).map(|node| (node.name.as_str(), node)).collect();
    let mut seen = HashSet::new();
    let mut open = tensors.to_vec();
    let mut needed = Vec::new();
    while let Some(input) = open.pop() {
        let name = input.trim_start_matches('^').split(':').next().unwrap_or(input);
        if let Some(node) = nodes.get(name).filter(|_| seen.insert(name.to_owned())) {
            needed.push(*node);
            open.extend(node.inputs.iter().map(String::as_str));
        }
    }
    needed
}
