//! Turns a SavedModel into a program whose variables have their values.

use crate::eager::registered_operators;
use crate::interpreter::{Compiler, Entry, Program, Recorder, Run, Scope, State, Value};
use crate::proto::{Attribute, AttributeValue, GraphDef, MetaGraph};
use crate::saved_model::Chosen;
use crate::variables::{Values, needed};
use crate::{Context, Error, Origin, Tensor};
use dlbacktrace_core::explain::Watch;
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
    let outputs: Vec<&str> = chosen.outputs.iter().map(|output| output.tensor.as_str()).collect();
    let needed = needed(graph, &outputs);
    let variables = values.variables(context, graph, &needed)?;
    let (known, unknown): (Vec<_>, Vec<_>) = variables.iter().partition(|variable| variable.stored.is_some());
    let (asset_names, assets) = assets(chosen, context)?;
    let restore = values.checkpoint().filter(|_| !unknown.is_empty());
    let handles: Vec<&str> = known.iter().map(|variable| variable.node).collect();
    let compiled = compiled(chosen, context, &outputs, &handles, &asset_names, restore.is_some())?;
    for function in &compiled.program.shared {
        context.add_function(function)?;
    }

    let mut state = State::default();
    state.set_variables(values.references(&needed));
    let mut run = |body: usize, arguments: Vec<Tensor>| -> Result<Vec<Value>, Error> {
        let watch = Watch::default();
        let mut run = Run::new(&compiled.program, context, &mut state, Recorder::new(None), &watch);
        let given = arguments.into_iter().map(|tensor| run.recorder.value(tensor, Origin::Computed));
        let arguments = given.collect::<Result<Vec<_>, _>>()?;
        run.call(body, arguments, &Arc::new(Scope::default()))
    };
    if let (Some(body), Some(checkpoint)) = (compiled.restore, restore) {
        let arguments = [checkpoint.prefix(context)?].into_iter().chain(assets.clone()).collect();
        run(body, arguments).map_err(|error| format!("its variables cannot be restored: {error}"))?;
    }
    let handles = run(compiled.variables, Vec::new()).map_err(|error| error.to_string())?;
    for (variable, handle) in known.iter().zip(handles) {
        if let Some(stored) = &variable.stored {
            let assigned = values.assign(context, &handle.tensor, stored);
            assigned.map_err(|reason| format!("variable {}: {reason}", variable.node))?;
        }
    }
    if let Some(body) = compiled.init {
        run(body, assets.clone()).map_err(|error| format!("its tables cannot be filled: {error}"))?;
    }
    state.settle();
    let Compiled { program, signature: body, .. } = compiled;
    Ok(Loaded { program, body, state, assets, defaults: defaults(chosen, context)? })
}

/// A program with the bodies that serve a signature.
struct Compiled {
    program: Program,
    signature: usize,
    /// Makes the variables.
    variables: usize,
    /// Reads the variables of a model of TensorFlow 1 from its checkpoint.
    restore: Option<usize>,
    /// Fills the tables.
    init: Option<usize>,
}

fn compiled(
    chosen: &Chosen,
    context: &Context,
    outputs: &[&str],
    variables: &[&str],
    assets: &[&str],
    restored: bool,
) -> Result<Compiled, String> {
    let graph = &chosen.graph;
    let empty = GraphDef::default();
    let nodes = graph.graph.as_ref().unwrap_or(&empty);
    let there = graph.info.as_ref().and_then(|info| info.operators.as_ref());
    let there = there.map_or(&[][..], |list| &list.operators);
    let mut compiler = Compiler::new(nodes, registered_operators(context.library()), there)?;

    let inputs = chosen.inputs.iter().map(|input| input.tensor.as_str());
    let feeds: Vec<&str> = inputs.chain(assets.iter().copied()).collect();
    let signature = compiler.entry("signature", Entry { feeds: &feeds, fetches: outputs, targets: &[] })?;
    let variables = compiler.entry("variables", Entry { fetches: variables, ..Entry::default() })?;
    let saver = graph.saver.as_ref().filter(|saver| restored && !saver.restore_node.is_empty());
    let restore = saver.map(|saver| {
        let feeds: Vec<&str> = [saver.filename_tensor.as_str()].iter().chain(assets).copied().collect();
        let target = saver.restore_node.split(':').next().unwrap_or_default();
        compiler.entry("restore", Entry { feeds: &feeds, fetches: &[], targets: &[target] })
    });
    let restore = restore.transpose()?;
    let init = init_node(graph)
        .map(|node| compiler.entry("init", Entry { feeds: assets, fetches: &[], targets: &[node] }))
        .transpose()?;
    Ok(Compiled { program: compiler.finish()?, signature, variables, restore, init })
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
