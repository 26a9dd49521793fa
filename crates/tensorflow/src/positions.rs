//! The order in which the model's own function takes the inputs of a signature.
//!
//! A signature is a map, sorted by name. The function that is saved for it takes its inputs in that order, and calls the model's
//! own function; this call shows the order.

use crate::proto::{ConcreteFunction, FunctionDef, MetaGraph, NodeDef, Structure};
use crate::tensor_spec::TensorSpec;
use prost::Message;

/// Puts the inputs into that order; returns whether it is known.
pub(crate) fn arrange(graph: &MetaGraph, inputs: &mut [TensorSpec]) -> bool {
    if inputs.len() < 2 {
        return true;
    }
    let Some(order) = order(graph, inputs) else { return false };
    let sorted = inputs.to_vec();
    for (place, index) in order.into_iter().enumerate() {
        inputs[place] = sorted[index].clone();
    }
    true
}

/// The indices of the inputs, in that order.
fn order(graph: &MetaGraph, inputs: &[TensorSpec]) -> Option<Vec<usize>> {
    let definition = graph.graph.as_ref()?;
    let given: Vec<&str> = inputs.iter().map(|input| node_of(&input.tensor)).collect();
    let outer = call(&definition.nodes, &given)?;
    let function = |name: &str| {
        let functions = definition.library.iter().flat_map(|library| &library.functions);
        let mut whole = functions.filter_map(|bytes| FunctionDef::decode(bytes.as_slice()).ok());
        whole.find(|function| function.signature.as_ref().is_some_and(|signature| signature.name == name))
    };
    let wrapper = function(outer.function)?;
    let arguments = &wrapper.signature.as_ref()?.inputs;
    let names: Option<Vec<&str>> =
        outer.places.iter().map(|&place| Some(arguments.get(place)?.name.as_str())).collect();
    let inner = call(&wrapper.nodes, &names?)?;
    let mut order: Vec<usize> = (0..inputs.len()).collect();
    order.sort_by_key(|&index| inner.places[index]);
    tells(graph, inner.function, order.is_sorted(), inputs.len()).then_some(order)
}

/// Whether a function's order of tensors is that of its arguments: those of a dictionary are sorted by their keys.
fn tells(graph: &MetaGraph, name: &str, sorted: bool, count: usize) -> bool {
    let functions = || graph.objects.iter().flat_map(|objects| &objects.functions);
    let takes = |function: &ConcreteFunction| {
        function.arguments.as_ref().filter(|arguments| arguments.tensors() == count).map(Structure::ordered)
    };
    let itself = functions().find(|(known, _)| *known == name).and_then(|(_, function)| takes(function));
    // A function that was traced again for the signature is described where it was traced first.
    let traced = || {
        let same = functions().filter(|(known, _)| stem(known) == stem(name));
        same.filter_map(|(_, function)| takes(function)).reduce(|all, ordered| all && ordered)
    };
    // Keys that are not sorted are not a dictionary's.
    itself.or_else(traced).unwrap_or(!sorted)
}

/// `__inference_serve_78` without its number.
fn stem(name: &str) -> &str {
    name.trim_end_matches(|character: char| character.is_ascii_digit())
}

/// A call that takes some values, and the place of each among its inputs.
struct Call<'g> {
    function: &'g str,
    places: Vec<usize>,
}

/// The call that takes all of these.
fn call<'g>(nodes: &'g [NodeDef], values: &[&str]) -> Option<Call<'g>> {
    nodes.iter().find_map(|node| {
        let function = node.function("f")?;
        let place = |value: &&str| node.inputs.iter().position(|input| node_of(input) == *value);
        Some(Call { function, places: values.iter().map(place).collect::<Option<_>>()? })
    })
}

fn node_of(tensor: &str) -> &str {
    tensor.split(':').next().unwrap_or(tensor)
}
