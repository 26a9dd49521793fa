//! Turns a SavedModel into a program whose variables have their values.

use crate::eager::registered_operators;
use crate::interpreter::{Compiler, Entry, Program, Recorder, Run, Scope, State, Value};
use crate::proto::{Attribute, AttributeValue, GraphDef, MetaGraph};
use crate::saved_model::Chosen;
use crate::variables::{Values, needed};
use crate::{Context, Error, Origin, Tensor};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// The signature that fills the tables, in models of TensorFlow 2.
const INIT: &str = "__saved_model_init_op";

/// The collections that name the node that fills the tables, in models of TensorFlow 1; the first one that exists is used.
const INIT_COLLECTIONS: [&str; 2] = ["saved_model_main_op", "legacy_init_op"];

/// A model ready to run.
pub(crate) struct Loaded {
    pub(crate) program: Program,
    /// The body of the signature; it takes the inputs, then the assets.
    pub(crate) body: usize,
    pub(crate) state: State,
    /// The paths of the assets, in the order of the body's last arguments.
    pub(crate) assets: Vec<Tensor>,
    /// The values of inputs that may be left out.
    pub(crate) defaults: BTreeMap<String, Tensor>,
}

/// Compiles the signature, gives its variables their values and fills the tables.
pub(crate) fn load(chosen: &Chosen, values: &Values, context: &Arc<Context>) -> Result<Loaded, String> {
    let graph = &chosen.graph;
    let empty = GraphDef::default();
    let nodes = graph.graph.as_ref().unwrap_or(&empty);
    let there = graph.info.as_ref().and_then(|info| info.operators.as_ref());
    let there = there.map_or(&[][..], |list| &list.operators);
    let mut compiler = Compiler::new(nodes, registered_operators(context.library()), there)?;

    let outputs: Vec<&str> = chosen.outputs.iter().map(|output| output.tensor.as_str()).collect();
    let inputs: Vec<&str> = chosen.inputs.iter().map(|input| input.tensor.as_str()).collect();
    let (asset_names, assets) = assets(chosen, context)?;
    let mut feeds = inputs;
    feeds.extend(&asset_names);
    let body = compiler.entry("signature", Entry { feeds: &feeds, fetches: &outputs, targets: &[] })?;

    let needed = needed(graph, &outputs);
    let variables = values.variables(context, graph, &needed)?;
    let (known, unknown): (Vec<_>, Vec<_>) = variables.iter().partition(|variable| variable.stored.is_some());
    let handles: Vec<&str> = known.iter().map(|variable| variable.node).collect();
    let handles = compiler.entry("variables", Entry { fetches: &handles, ..Entry::default() })?;
    let restore = match (values.checkpoint(), &graph.saver) {
        (Some(checkpoint), Some(saver)) if !unknown.is_empty() && !saver.restore_node.is_empty() => {
            let mut feeds = vec![saver.filename_tensor.as_str()];
            feeds.extend(&asset_names);
            let target = saver.restore_node.split(':').next().unwrap_or_default();
            let body =
                compiler.entry("restore", Entry { feeds: &feeds, fetches: &[], targets: &[target] })?;
            Some((body, checkpoint.prefix(context)?))
        }
        _ => None,
    };
    let init = match init_node(graph) {
        Some(node) => {
            Some(compiler.entry("init", Entry { feeds: &asset_names, fetches: &[], targets: &[node] })?)
        }
        None => None,
    };

    let program = compiler.finish()?;
    for function in &program.shared {
        context.add_function(function)?;
    }
    let mut state = State::default();
    state.set_variables(values.references(&needed));
    let mut run = |body: usize, arguments: Vec<Tensor>| -> Result<Vec<Value>, Error> {
        let mut run = Run::new(&program, context, &mut state, Recorder::new(None));
        let given = arguments.into_iter().map(|tensor| run.recorder.value(tensor, Origin::Computed));
        let arguments = given.collect::<Result<Vec<_>, _>>()?;
        run.call(body, arguments, &Arc::new(Scope::default()))
    };
    if let Some((body, prefix)) = restore {
        let arguments = [prefix].into_iter().chain(assets.clone()).collect();
        run(body, arguments).map_err(|error| format!("its variables cannot be restored: {error}"))?;
    }
    let handles = run(handles, Vec::new()).map_err(|error| error.to_string())?;
    for (variable, handle) in known.iter().zip(handles) {
        if let Some(stored) = &variable.stored {
            let assigned = values.assign(context, &handle.tensor, stored);
            assigned.map_err(|reason| format!("variable {}: {reason}", variable.node))?;
        }
    }
    if let Some(body) = init {
        run(body, assets.clone()).map_err(|error| format!("its tables cannot be filled: {error}"))?;
    }
    state.settle();
    let defaults = defaults(chosen, context)?;
    Ok(Loaded { program, body, state, assets, defaults })
}

/// The tensors of the graph that stand for files of the model, and the paths of these files.
fn assets<'g>(chosen: &'g Chosen, context: &Arc<Context>) -> Result<(Vec<&'g str>, Vec<Tensor>), String> {
    let mut seen = HashSet::new();
    let (mut names, mut paths) = (Vec::new(), Vec::new());
    for asset in &chosen.graph.assets {
        let name = asset.tensor.as_ref().map(|tensor| tensor.name.as_str()).unwrap_or_default();
        if name.is_empty() || !seen.insert(name) {
            continue;
        }
        let path = chosen.directory.join("assets").join(&asset.file_name);
        let path = path.to_str().ok_or("its path is not UTF-8")?;
        names.push(name);
        paths.push(context.strings(&[], &[path]).map_err(|error| error.to_string())?);
    }
    Ok((names, paths))
}

/// The node that fills the tables.
fn init_node(graph: &MetaGraph) -> Option<&str> {
    let signature = graph.signatures.get(INIT).and_then(|signature| signature.outputs.values().next());
    let signature = signature.map(|output| output.name.as_str());
    let collection = || {
        let nodes = INIT_COLLECTIONS.iter().find_map(|name| graph.collections.get(*name)?.nodes.as_ref());
        nodes.and_then(|nodes| nodes.names.first()).map(String::as_str)
    };
    let name = signature.or_else(collection).filter(|name| !name.is_empty())?;
    name.split(':').next()
}

/// The values of inputs that may be left out, from serialised constants.
fn defaults(chosen: &Chosen, context: &Arc<Context>) -> Result<BTreeMap<String, Tensor>, String> {
    let constant = |(name, bytes): (&String, &Vec<u8>)| {
        let spec = chosen
            .inputs
            .iter()
            .find(|spec| spec.name == *name)
            .ok_or(format!("there is no input {name}"))?;
        let value = AttributeValue { value: Some(Attribute::Tensor(bytes.clone())) };
        let value = crate::eager::Attributes::new([("value", &value)])?;
        let attributes = value.and(crate::eager::one_type(c"dtype", spec.data_type));
        let made = context.execute(c"Const", &attributes, [], 1)?;
        Ok((name.clone(), made.into_iter().next().ok_or("a default has no value")?))
    };
    chosen.defaults.iter().map(constant).collect()
}
