//! Models and tensors of a program that serves them with the crate `tensorflow`.

use crate::proto::{MetaGraph, NodeDef};
use crate::saved_model::choose;
use crate::variables::{Values, is_variable, needed};
use crate::{Context, DataType, Error, Library, Model, ModelOptions, Result, Tensor};
use prost::Message;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use tensorflow::{Graph, Operation, SavedModelBundle, SessionRunArgs, TensorType};

/// The prefix of the nodes that we add to read variables.
const READ: &str = "dlbacktrace/read";

/// An element type of both crates.
pub trait Element: TensorType {
    /// The tensor in a context, copied.
    ///
    /// # Errors
    /// [`Error::Tensor`].
    fn tensor(context: &Arc<Context>, tensor: &tensorflow::Tensor<Self>) -> Result<Tensor>;
}

fn extents(dims: &[u64]) -> Vec<usize> {
    // Extents of tensors in memory fit.
    dims.iter().map(|&extent| extent as usize).collect()
}

macro_rules! plain {
    ($($element:ty => $data_type:ident),* $(,)?) => {$(
        impl Element for $element {
            fn tensor(context: &Arc<Context>, tensor: &tensorflow::Tensor<Self>) -> Result<Tensor> {
                let bytes: Vec<u8> = tensor.iter().flat_map(|element| element.to_ne_bytes()).collect();
                context.tensor(DataType::$data_type, &extents(tensor.dims()), &bytes)
            }
        }
    )*};
}

plain! { f32 => FLOAT, f64 => DOUBLE, i8 => INT8, i16 => INT16, i32 => INT32, i64 => INT64, u8 => UINT8, u16 => UINT16 }

impl Element for bool {
    fn tensor(context: &Arc<Context>, tensor: &tensorflow::Tensor<Self>) -> Result<Tensor> {
        let bytes: Vec<u8> = tensor.iter().map(|&element| u8::from(element)).collect();
        context.tensor(DataType::BOOL, &extents(tensor.dims()), &bytes)
    }
}

impl Element for String {
    fn tensor(context: &Arc<Context>, tensor: &tensorflow::Tensor<Self>) -> Result<Tensor> {
        context.strings(&extents(tensor.dims()), tensor)
    }
}

impl Model {
    /// A signature of a bundle that is being served, with the values that its variables have in the bundle's session.
    ///
    /// `graph` is the one into which the bundle was loaded; operators that read variables are added to it, under the name
    /// `dlbacktrace`. `directory` is the bundle's own, and is read only for the vocabularies of lookup tables. The library is the
    /// one that the crate `tensorflow` has loaded.
    ///
    /// # Errors
    /// [`Error::Load`] with a reason, [`Error::NoSignature`], and those of [`Library::load`].
    pub fn of_bundle(
        bundle: &SavedModelBundle,
        graph: &mut Graph,
        directory: impl AsRef<Path>,
        options: &ModelOptions,
    ) -> Result<Self> {
        let failed = |reason: String| Error::Load { path: directory.as_ref().to_path_buf(), reason };
        #[allow(deprecated, reason = "its replacement shows only the signatures")]
        let definition = MetaGraph::decode(bundle.meta_graph_def.as_slice());
        let definition = definition.map_err(|error| failed(error.to_string()))?;
        let context = Context::new(Library::load(None)?, options.threads)?;
        let chosen = choose(directory.as_ref(), definition, &options.signature)?;
        let outputs: Vec<&str> = chosen.outputs.iter().map(|output| output.tensor.as_str()).collect();
        let nodes = needed(&chosen.graph, &outputs);
        let mut values = HashMap::new();
        for node in nodes.into_iter().filter(|node| is_variable(node)) {
            let value = value(bundle, graph, node, &context)
                .map_err(|reason| failed(format!("variable {}: {reason}", node.name)))?;
            values.insert(node.name.clone(), value);
        }
        Self::of(chosen, &Values::Live(values), context, options)
    }
}

/// The value that a variable has in the bundle's session.
fn value(
    bundle: &SavedModelBundle,
    graph: &mut Graph,
    node: &NodeDef,
    context: &Arc<Context>,
) -> Result<Tensor, String> {
    let said = |status: tensorflow::Status| status.to_string();
    let variable = graph.operation_by_name_required(&node.name).map_err(said)?;
    let data_type = variable.get_attr_type("dtype").map_err(said)?;
    let read = match node.operator.as_str() {
        "VarHandleOp" => read(graph, &variable, &format!("{READ}/{}", node.name), data_type)?,
        // A variable of TensorFlow 1 is read by fetching it.
        _ => variable,
    };
    use tensorflow::DataType as Of;
    match data_type {
        Of::Float => fetched::<f32>(bundle, &read, context),
        Of::Double => fetched::<f64>(bundle, &read, context),
        Of::Int32 => fetched::<i32>(bundle, &read, context),
        Of::Int64 => fetched::<i64>(bundle, &read, context),
        Of::UInt8 => fetched::<u8>(bundle, &read, context),
        Of::Bool => fetched::<bool>(bundle, &read, context),
        Of::String => fetched::<String>(bundle, &read, context),
        other => {
            Err(format!("elements of type {other} cannot be read from a session; load the directory instead"))
        }
    }
}

/// The operator that reads a variable; it is added once.
fn read(
    graph: &mut Graph,
    handle: &Operation,
    name: &str,
    data_type: tensorflow::DataType,
) -> Result<Operation, String> {
    if let Ok(Some(read)) = graph.operation_by_name(name) {
        return Ok(read);
    }
    let mut read = graph.new_operation("ReadVariableOp", name).map_err(|error| error.to_string())?;
    read.add_input(handle.output(0));
    read.set_attr_type("dtype", data_type).map_err(|error| error.to_string())?;
    read.finish().map_err(|status| status.to_string())
}

fn fetched<T: Element>(
    bundle: &SavedModelBundle,
    operation: &Operation,
    context: &Arc<Context>,
) -> Result<Tensor, String> {
    let mut arguments = SessionRunArgs::new();
    let token = arguments.request_fetch(operation, 0);
    bundle.session.run(&mut arguments).map_err(|status| {
        format!("it has no value in the session, so the model cannot run there either ({status}); load the directory instead")
    })?;
    let value = arguments.fetch::<T>(token).map_err(|status| status.to_string())?;
    T::tensor(context, &value).map_err(|error| error.to_string())
}
