//! Walks by the rule `gradient` against libtorch's own autograd, for every fixture.

use dlbacktrace::rules::RuleSet;
use dlbacktrace::{Error, Model, Options, Output, Target};
use tch::{CModule, IValue, Kind, Tensor};
use testkit_torch::fixtures::{Fixture, Node, Tensors, fixtures};

/// The derivative of the sum of the first floating output by each floating input, by autograd; `None` if the fixture's inputs or outputs
/// have a form that tch cannot hand over, or if its outputs have no derivative.
fn by_autograd(fixture: &Fixture, tensors: &Tensors, explained: usize) -> Option<Vec<Option<Tensor>>> {
    let mut leaves = Vec::new();
    let inputs: Option<Vec<IValue>> =
        fixture.inputs.iter().map(|input| given(&input.value, tensors, &mut leaves)).collect();
    let inputs = inputs?;
    let outputs = tch::with_grad(|| {
        let mut module = CModule::load(fixture.path()).ok()?;
        module.set_eval();
        let mut outputs = Vec::new();
        flatten(module.forward_is(&inputs).ok()?, &mut outputs)?;
        let output = outputs.swap_remove(explained);
        output.requires_grad().then_some(output)
    })?;
    let sum = tch::with_grad(|| outputs.sum(outputs.kind()));
    // Some fused operators have none.
    sum.f_backward().ok()?;
    let gradient = |leaf: Option<Tensor>| {
        leaf.map(|leaf| if leaf.grad().defined() { leaf.grad() } else { leaf.zeros_like() })
    };
    Some(leaves.into_iter().map(gradient).collect())
}

/// The input as tch takes it. Floating tensors become leaves; each tensor adds an entry to `leaves`.
fn given(node: &Node, tensors: &Tensors, leaves: &mut Vec<Option<Tensor>>) -> Option<IValue> {
    let mut all = |nodes: &mut dyn Iterator<Item = &Node>| -> Option<Vec<IValue>> {
        nodes.map(|node| given(node, tensors, leaves)).collect()
    };
    Some(match node {
        Node::Tensor(key) => {
            let tensor = tensors[key].copy();
            let leaf = tensor.is_floating_point().then(|| tensor.set_requires_grad(true));
            let tensor = leaf.as_ref().unwrap_or(&tensors[key]).shallow_clone();
            leaves.push(leaf);
            IValue::Tensor(tensor)
        }
        Node::Value(serde_json::Value::Null) => IValue::None,
        Node::Value(serde_json::Value::Bool(flag)) => IValue::Bool(*flag),
        Node::Value(serde_json::Value::Number(number)) => {
            number.as_i64().map_or_else(|| IValue::Double(number.as_f64().unwrap()), IValue::Int)
        }
        Node::List(nodes) => {
            let items = all(&mut nodes.iter())?.into_iter().map(Tensor::try_from);
            IValue::TensorList(items.collect::<Result<_, _>>().ok()?)
        }
        Node::Tuple(nodes) => IValue::Tuple(all(&mut nodes.iter())?),
        _ => return None,
    })
}

fn flatten(value: IValue, tensors: &mut Vec<Tensor>) -> Option<()> {
    match value {
        IValue::Tensor(tensor) => tensors.push(tensor),
        IValue::TensorList(list) => tensors.extend(list),
        IValue::Tuple(values) | IValue::GenericList(values) => {
            values.into_iter().try_for_each(|value| flatten(value, tensors))?;
        }
        _ => return None,
    }
    Some(())
}

/// Fixtures that are not compared, and why.
const APART: [(&str, &str); 3] = [
    ("methods", "autograd stops at its no_grad block, of which a recording knows nothing"),
    (
        "movement_shape",
        "autograd stops at a detach, which makes no value of its own, so that a recording does not see it",
    ),
    ("mlp_fp16_weights", "the derivative is below the smallest number of half precision"),
];

/// What is wrong with a fixture's gradient; `Ok(false)` if there is nothing to compare with.
fn compared(fixture: &Fixture) -> Result<bool, String> {
    let tensors = fixture.tensors();
    let floating = fixture.outputs(&tensors).iter().position(Tensor::is_floating_point).unwrap_or(0);
    let Some(expected) = by_autograd(fixture, &tensors, floating) else { return Ok(false) };
    if expected.iter().all(Option::is_none) || APART.iter().any(|(name, _)| *name == fixture.name) {
        return Ok(false);
    }
    let model = Model::load(fixture.path()).map_err(|error| error.to_string())?;
    let options = Options::new()
        .rules(RuleSet::named("gradient").unwrap())
        .output(Output::Index(floating))
        .target(Target::AllOutputs);
    let explanation = match model.explain(&fixture.inputs(&tensors), &options) {
        Ok(explanation) => explanation,
        Err(Error::NoRule(_) | Error::Usage(_)) if !fixture.common => return Ok(false),
        Err(error) => return Err(error.to_string()),
    };
    let found = explanation.inputs().iter().filter_map(|input| input.tensor());
    let found: Vec<&Tensor> = found.collect();
    if found.len() != expected.len() {
        // Integers that are masks are no inputs of an explanation.
        return Err(format!("{} inputs are explained, {} were given", found.len(), expected.len()));
    }
    for (found, expected) in found.iter().zip(&expected) {
        let Some(expected) = expected else { continue };
        let tolerance = match expected.kind() {
            Kind::Double => 1e-9,
            Kind::Float if fixture.name != "mixed_precision" => 1e-4,
            // Half precision.
            _ => 2e-2,
        };
        let (found, expected) = (found.to_kind(Kind::Double), expected.to_kind(Kind::Double));
        let scale = f64::try_from(expected.abs().max()).unwrap().max(1e-30);
        let gap = f64::try_from((&found - &expected).abs().max()).unwrap() / scale;
        if gap.is_nan() || gap > tolerance {
            return Err(format!("off by {gap:.1e} of the largest, {scale:.1e}"));
        }
    }
    Ok(true)
}

#[test]
fn every_fixture_has_the_derivative_of_autograd() {
    let (mut count, mut problems) = (0, String::new());
    for fixture in fixtures().iter().filter(|fixture| fixture.expect == "explained") {
        match compared(fixture) {
            Ok(same) => count += usize::from(same),
            Err(problem) => problems += &format!("\n{}: {problem}", fixture.name),
        }
    }
    println!("{count} fixtures compared");
    assert!(problems.is_empty(), "{} fixtures differ:{problems}", problems.lines().count() - 1);
    assert!(count > 200, "only {count} fixtures were compared");
}
