//! Walks by the rule set `gradient` against `tf.GradientTape`, whose derivatives are stored beside the fixtures.

use dlbacktrace_core::Tensor as _;
use dlbacktrace_core::explain::{Options, Output};
use dlbacktrace_core::rules::RuleSet;
use dlbacktrace_core::start::{StartOptions, Target};
use dlbacktrace_tensorflow::DataType;
use std::collections::BTreeMap;
use testkit::saved_models::{Fixture, Stored, fixture, index, load, numbers};

/// How far a derivative may be from the stored one, relative to the largest of the input.
const TOLERANCES: [(DataType, f64); 4] = [
    (DataType::DOUBLE, 1e-9),
    (DataType::FLOAT, 1e-4),
    // TensorFlow computes in this type, and we in single precision.
    (DataType::HALF, 1e-2),
    (DataType::BFLOAT16, 1e-1),
];

fn is_floating(data_type: DataType) -> bool {
    TOLERANCES.iter().any(|(floating, _)| *floating == data_type)
}

/// The derivative by each input, as it is explained.
fn derivatives(fixture: &Fixture) -> Result<BTreeMap<String, Vec<f64>>, String> {
    let model = load(&fixture.directory).map_err(|error| error.to_string())?;
    let outputs = model.outputs().iter().enumerate();
    let floating = outputs.filter(|(_, output)| is_floating(output.data_type));
    let (explained, _) =
        floating.min_by_key(|(_, output)| output.name.clone()).ok_or("no floating output")?;
    let options = Options {
        output: Output::Index(explained),
        start: StartOptions { target: Target::All, ..StartOptions::default() },
        numeric_inputs: fixture.entry.numeric_inputs.clone(),
        rules: RuleSet::named("gradient").map_err(|error| error.to_string())?,
        ..Options::default()
    };
    let explanation = model.explain(&fixture.tensors(model.context()), &options);
    let explanation = explanation.map_err(|error| error.to_string())?;
    let inputs = explanation.inputs.into_iter();
    Ok(inputs
        .map(|input| (input.name, input.relevance.first().to_array().unwrap().into_iter().collect()))
        .collect())
}

/// What is wrong with the derivatives of a fixture.
fn problem(fixture: &Fixture) -> Result<(), String> {
    let found = derivatives(fixture)?;
    for (name, stored) in &fixture.gradients {
        let Stored::Plain { data_type, bytes, .. } = stored else {
            return Err(format!("the stored derivative by {name} is text"));
        };
        let expected = numbers(*data_type, bytes);
        let found = found.get(name).ok_or_else(|| format!("no derivative by {name}"))?;
        let (_, tolerance) = TOLERANCES.iter().find(|(floating, _)| floating == data_type).unwrap();
        // The probabilities of a softmax always sum to 1: what is stored as their derivative is rounding, which is another on each
        // processor.
        let least = 100.0 * tolerance.min(1e-4);
        let scale = expected.iter().fold(least, |scale: f64, value| scale.max(value.abs()));
        let gap = found.iter().zip(&expected).fold(0.0, |gap: f64, (a, b)| gap.max((a - b).abs())) / scale;
        // NaN is not near.
        let near = found.len() == expected.len() && gap <= *tolerance;
        if !near {
            return Err(format!("the derivative by {name} differs by {gap:.1e}"));
        }
    }
    Ok(())
}

#[test]
fn a_walk_by_gradients_is_the_derivative() {
    let stored =
        index().into_iter().filter(|entry| entry.expect == "explained").map(|entry| fixture(&entry.name));
    let stored: Vec<Fixture> = stored.filter(|fixture| !fixture.gradients.is_empty()).collect();
    assert!(stored.len() >= 150, "{} fixtures have gradients", stored.len());
    let wrong: Vec<String> = stored
        .iter()
        .filter_map(|fixture| Some(format!("\n{}: {}", fixture.entry.name, problem(fixture).err()?)))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:{}", wrong.len(), stored.len(), wrong.concat());
}
