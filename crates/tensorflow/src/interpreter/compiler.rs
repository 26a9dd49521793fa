//! From the functions and the graph of a model to bodies that can run.

use super::action::{Action, action};
use super::body::{Body, Node};
use super::operation::Operation;
use super::order::order;
use super::references::{Reference, tensors};
use super::write::Write;
use crate::proto::{ArgumentDef, FunctionDef, GraphDef, NodeDef, OpDef};
use prost::Message;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

/// Operators into which nobody can look, with the message for each.
const OPAQUE: [(&str, &str); 3] = [
    (
        "XlaCallModule",
        "it holds a program compiled for XLA (by jax2tf or Keras on JAX), whose operators cannot be seen; export the model from TensorFlow instead",
    ),
    ("TPUPartitionedCall", "it runs on a TPU; export the model for the CPU"),
    ("PyFunc", "it calls Python; export the model without tf.py_function"),
];

/// The part of the graph that computes some tensors. Tensors are named as in the graph, `node:0`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Entry<'a> {
    /// The given tensors.
    pub(crate) feeds: &'a [&'a str],
    /// The wanted tensors.
    pub(crate) fetches: &'a [&'a str],
    /// The nodes to run for their effects.
    pub(crate) targets: &'a [&'a str],
}

/// Bodies by number.
#[derive(Debug)]
pub(crate) struct Program {
    pub(super) bodies: Vec<Body>,
    /// The functions, serialised, if TensorFlow runs operators that call them.
    pub(crate) shared: Vec<Vec<u8>>,
}

impl Program {
    /// Shows once each operator that a body, and all that it calls, run; the conditions of loops are left out.
    pub(crate) fn each_operation(&self, body: usize, show: &mut dyn FnMut(&Operation)) {
        let (mut waiting, mut seen) = (vec![body], HashSet::from([body]));
        while let Some(body) = waiting.pop().and_then(|body| self.bodies.get(body)) {
            for node in &body.nodes {
                match &node.action {
                    Action::Execute => show(&node.operation),
                    Action::ExecuteOnce | Action::ReadVariable if node.operation.makes_variable() => {
                        show(&node.operation);
                    }
                    action => {
                        waiting.extend(action.bodies().into_iter().filter(|&called| seen.insert(called)));
                    }
                }
            }
        }
    }
}

/// Makes a program.
pub(crate) struct Compiler<'a> {
    graph: &'a GraphDef,
    functions: HashMap<String, Arc<FunctionDef>>,
    /// The operators of the loaded TensorFlow.
    here: &'a HashMap<String, OpDef>,
    /// The operators as they were where the model was saved.
    there: HashMap<&'a str, &'a OpDef>,
    numbers: HashMap<String, usize>,
    /// Functions that wait to be compiled, by number.
    waiting: Vec<(usize, String)>,
    bodies: Vec<Option<Body>>,
    shares: bool,
}

/// The source of a body.
struct Source<'a> {
    name: &'a str,
    nodes: &'a [NodeDef],
    /// The arguments, each by node and position.
    arguments: Vec<(&'a str, usize)>,
    results: Vec<&'a str>,
    targets: Vec<&'a str>,
}

/// A node whose inputs have no slots yet.
struct Draft<'a> {
    node: Node,
    inputs: Vec<Reference<'a>>,
    /// Name, first slot and number of tensors of each output.
    outputs: Vec<(String, usize, usize)>,
}

impl Draft<'_> {
    fn slot(&self, reference: Reference<'_>) -> Option<usize> {
        let (first, count, position) = match reference {
            Reference::Control(_) => return None,
            Reference::Position(_, position) => (self.node.first_output, self.node.outputs, position),
            Reference::Part(_, name, position) => {
                let (_, first, count) = self.outputs.iter().find(|(output, ..)| output == name)?;
                (*first, *count, position)
            }
        };
        (position < count).then_some(first + position)
    }
}

impl<'a> Compiler<'a> {
    pub(crate) fn new(
        graph: &'a GraphDef,
        here: &'a HashMap<String, OpDef>,
        there: &'a [OpDef],
    ) -> Result<Self, String> {
        let mut functions = HashMap::new();
        for bytes in graph.library.iter().flat_map(|library| &library.functions) {
            let function = FunctionDef::decode(bytes.as_slice()).map_err(|error| error.to_string())?;
            let name = function.signature.as_ref().map(|signature| signature.name.clone());
            functions.insert(name.ok_or("a function has no signature")?, Arc::new(function));
        }
        let there = there.iter().map(|def| (def.name.as_str(), def)).collect();
        let (numbers, waiting, bodies) = (HashMap::new(), Vec::new(), Vec::new());
        Ok(Self { graph, functions, here, there, numbers, waiting, bodies, shares: false })
    }

    /// Adds a body for a part of the graph; returns its number.
    pub(crate) fn entry(&mut self, name: &str, entry: Entry<'_>) -> Result<usize, String> {
        let graph = self.graph;
        let arguments = entry.feeds.iter().copied().map(tensor_of_graph).collect::<Result<_, String>>()?;
        let (results, targets) = (entry.fetches.to_vec(), entry.targets.to_vec());
        let body = self.body(&Source { name, nodes: &graph.nodes, arguments, results, targets })?;
        self.bodies.push(Some(body));
        Ok(self.bodies.len() - 1)
    }

    /// The program, with all functions that the entries call.
    pub(crate) fn finish(mut self) -> Result<Program, String> {
        while let Some((number, name)) = self.waiting.pop() {
            let function = self.functions.get(&name).ok_or_else(|| format!("there is no function {name}"))?;
            let function = Arc::clone(function);
            let body =
                self.function(&name, &function).map_err(|reason| format!("function {name}: {reason}"))?;
            if let Some(place) = self.bodies.get_mut(number) {
                *place = Some(body);
            }
        }
        let bodies = self.bodies.into_iter().collect::<Option<_>>().ok_or("a function was not compiled")?;
        let shared =
            self.graph.library.iter().filter(|_| self.shares).flat_map(|library| library.functions.clone());
        Ok(Program { bodies, shared: shared.collect() })
    }

    fn function(&mut self, name: &str, function: &FunctionDef) -> Result<Body, String> {
        let signature = function.signature.as_ref().ok_or("it has no signature")?;
        let result = |output: &'_ ArgumentDef| {
            let result = function.results.get(&output.name).map(String::as_str);
            result.ok_or_else(|| format!("no node makes its output {}", output.name))
        };
        let results = signature.outputs.iter().map(result).collect::<Result<_, String>>()?;
        let arguments = signature.inputs.iter().map(|input| (input.name.as_str(), 0)).collect();
        let targets = function.control_results.values().map(String::as_str).collect();
        self.body(&Source { name, nodes: &function.nodes, arguments, results, targets })
    }

    fn body(&mut self, source: &Source<'_>) -> Result<Body, String> {
        let chosen = in_order(source)?;
        let place: HashMap<&str, usize> =
            chosen.iter().enumerate().map(|(place, node)| (node.name.as_str(), place)).collect();
        let mut slots = source.arguments.len();
        let mut drafts = Vec::with_capacity(chosen.len());
        for node in chosen {
            let draft = self
                .draft(node, slots)
                .map_err(|reason| format!("node {} ({}): {reason}", node.name, node.operator))?;
            slots += draft.node.outputs;
            drafts.push(draft);
        }
        let slot = |reference: Reference<'_>| -> Result<usize, String> {
            let argument = |node, position| source.arguments.iter().position(|&at| at == (node, position));
            if let Reference::Position(node, position) = reference
                && let Some(slot) = argument(node, position)
            {
                return Ok(slot);
            }
            let draft = place.get(reference.node()).and_then(|&place| drafts.get(place));
            draft
                .and_then(|draft| draft.slot(reference))
                .ok_or_else(|| format!("there is no tensor {reference:?}"))
        };
        let inputs: Vec<Vec<usize>> = drafts
            .iter()
            .map(|draft| {
                let data =
                    draft.inputs.iter().filter(|reference| !matches!(reference, Reference::Control(_)));
                data.map(|&reference| slot(reference)).collect()
            })
            .collect::<Result<_, String>>()?;
        let parsed = |text: &&str| Reference::parse(text).and_then(slot);
        let results = source.results.iter().map(parsed).collect::<Result<_, _>>()?;
        let target = |name: &&str| {
            place.get(name.trim_start_matches('^')).copied().ok_or_else(|| format!("there is no node {name}"))
        };
        let targets = source.targets.iter().map(target).collect::<Result<_, _>>()?;
        let nodes = drafts.into_iter().zip(inputs).map(|(draft, inputs)| {
            let controls = draft.inputs.iter().filter_map(|reference| match reference {
                Reference::Control(name) => place.get(name).copied(),
                _ => None,
            });
            Node { inputs, controls: controls.collect(), ..draft.node }
        });
        let nodes: Vec<Node> = nodes.collect();
        let framed = nodes.iter().any(|node| matches!(node.action, Action::Frame(_)));
        let (name, arguments) = (source.name.to_owned(), source.arguments.len());
        let mut body = Body { name, arguments, slots, nodes, results, targets, framed };
        body.plan_release();
        body.mark_chance();
        Ok(body)
    }

    fn draft<'n>(&mut self, node: &'n NodeDef, first_output: usize) -> Result<Draft<'n>, String> {
        if let Some((_, reason)) = OPAQUE.iter().find(|(operator, _)| *operator == node.operator) {
            return Err((*reason).to_owned());
        }
        let mut inputs: Vec<Reference<'n>> =
            node.inputs.iter().map(|text| Reference::parse(text)).collect::<Result<_, _>>()?;
        let function = self.functions.get(&node.operator).map(Arc::clone);
        let here = self.here.get(&node.operator);
        let definition = function.as_ref().and_then(|function| function.signature.as_ref()).or(here);
        let definition =
            definition.ok_or("this TensorFlow has no such operator, and the model no such function")?;
        let operation = Operation::new(node, here, self.there.get(node.operator.as_str()).copied())?;
        if let Some(attribute) = operation.placeholder() {
            return Err(format!(
                "its attribute {attribute} gets its value only from the caller, which is not supported"
            ));
        }
        let mut outputs = Vec::with_capacity(definition.outputs.len());
        let mut slots = first_output;
        for output in &definition.outputs {
            let count = tensors(output, &operation)?;
            outputs.push((output.name.clone(), slots, count));
            slots += count;
        }
        let action = if function.is_some() {
            Action::Call(self.number(&node.operator)?)
        } else if let Some(write) = Write::of(&node.operator) {
            let variable = inputs.first().ok_or("it does not name a variable")?.node().to_owned();
            inputs.remove(0);
            Action::WriteVariable { variable, write }
        } else {
            action(&operation, inputs.len(), |name| self.number(name))?
        };
        self.shares |= action == Action::Execute && operation.names_functions();
        let node = Node {
            operation: Arc::new(operation),
            action,
            inputs: Vec::new(),
            controls: Vec::new(),
            first_output,
            outputs: slots - first_output,
            release: Vec::new(),
            drawing: None,
            chance: None,
            made: OnceLock::new(),
        };
        Ok(Draft { node, inputs, outputs })
    }

    /// The number of a function, which is compiled later.
    fn number(&mut self, name: &str) -> Result<usize, String> {
        if let Some(&number) = self.numbers.get(name) {
            return Ok(number);
        }
        let number = self.bodies.len();
        self.bodies.push(None);
        self.numbers.insert(name.to_owned(), number);
        self.waiting.push((number, name.to_owned()));
        Ok(number)
    }
}

/// Node and position of a tensor of the graph.
fn tensor_of_graph(name: &str) -> Result<(&str, usize), String> {
    match Reference::parse(name)? {
        Reference::Position(node, position) => Ok((node, position)),
        _ => Err(format!("{name:?} is not a tensor of the graph")),
    }
}

/// The nodes that results and targets need, in an order in which they can run.
fn in_order<'a>(source: &Source<'a>) -> Result<Vec<&'a NodeDef>, String> {
    let mut numbers = HashMap::with_capacity(source.nodes.len());
    for (number, node) in source.nodes.iter().enumerate() {
        if numbers.insert(node.name.as_str(), number).is_some() {
            return Err(format!("there are two nodes {}", node.name));
        }
    }
    // The node of a reference; none if it refers to an argument.
    let producer = |text: &str| -> Result<Option<usize>, String> {
        let reference = Reference::parse(text)?;
        let given = |&(node, position): &(&str, usize)| match reference {
            Reference::Position(name, at) => (name, at) == (node, position),
            Reference::Control(name) => name == node,
            Reference::Part(..) => false,
        };
        if source.arguments.iter().any(given) {
            return Ok(None);
        }
        let number = numbers.get(reference.node()).copied();
        number.map(Some).ok_or_else(|| format!("there is no node {}", reference.node()))
    };
    let mut before: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut open = Vec::new();
    for text in &source.results {
        open.extend(producer(text)?);
    }
    for name in &source.targets {
        open.extend(producer(&format!("^{name}"))?);
    }
    while let Some(number) = open.pop() {
        if before.contains_key(&number) {
            continue;
        }
        let Some(node) = source.nodes.get(number) else { continue };
        // The variable that is written is not read as a value.
        let written = usize::from(Write::of(&node.operator).is_some());
        let inputs = node.inputs.iter().skip(written);
        let inputs = inputs.map(|text| producer(text)).collect::<Result<Vec<_>, _>>()?;
        let inputs: Vec<usize> = inputs.into_iter().flatten().collect();
        open.extend(&inputs);
        before.insert(number, inputs);
    }
    let mut chosen: Vec<usize> = before.keys().copied().collect();
    chosen.sort_unstable();
    let place: HashMap<usize, usize> =
        chosen.iter().enumerate().map(|(place, &number)| (number, place)).collect();
    // Loops of TensorFlow 1 close by these; anything else must have no cycles.
    let closes = |number: &usize| {
        source.nodes.get(*number).is_some_and(|node| node.operator.ends_with("NextIteration"))
    };
    let waits = |number: &usize| {
        let before = before.get(number).into_iter().flatten().filter(|number| !closes(number));
        before.filter_map(|number| place.get(number).copied()).collect()
    };
    let waits: Vec<Vec<usize>> = chosen.iter().map(waits).collect();
    let order = order(&waits).ok_or("its nodes wait for each other in a circle")?;
    Ok(order.into_iter().filter_map(|place| source.nodes.get(*chosen.get(place)?)).collect())
}
