//! From the command line to the options of an explanation.

use crate::args::{ModeArg, RuleArgs, TargetArg, TaskArg, VersusArg};
use crate::failure::{Failure, Result};
use crate::inputs::{self, Bound};
use crate::text::Labels;
use dlbacktrace::rules::RuleSet;
use dlbacktrace::{Classes, Explanation, Mode, Options, Output, Target, Task, Value, Versus};
use dlbacktrace_report::Settings;
use ndarray::ArrayD;
use std::path::Path;

/// The options that the command line asks for, completed by what is known of the inputs.
///
/// # Errors
/// What is wrong with the file of the start.
pub fn of(args: &RuleArgs, bound: &Bound, labels: Option<&Labels>) -> Result<Options> {
    let mut options = Options::new()
        .mode(mode(args))
        .task(task(args))
        .target(target(args, labels)?)
        .samples(args.sample_axis.unwrap_or_default())
        .rules(rules(args, bound))
        .gates(args.gates)
        .multiplier(args.multiplier)
        .from_logits(args.from_logits)
        .whole_tokens(args.whole_tokens)
        .allow_unruled(args.allow_unruled);
    if let Some(output) = &args.output {
        options = options.output(output.parse().map_or_else(|_| Output::Name(output.clone()), Output::Index));
    }
    if let Some(axis) = args.class_axis {
        options = options.classes(Classes::Axis(axis));
    }
    if let Some(versus) = versus(args, labels)? {
        options = options.versus(versus);
    }
    if let Some(scaler) = args.scaler {
        options = options.scaler(scaler);
    }
    if let Some(seed) = args.random_seed {
        options = options.random_seed(seed);
    }
    if let Some(path) = &args.start {
        let start = start(path)?;
        options = match &args.start_at {
            Some(module) => options.start_at(module, start),
            None => options.start(start),
        };
    }
    if let Some(path) = &args.negative_start {
        options = options.negative_start(start(path)?);
    }
    let numeric = bound.quantities.iter().chain(&args.numeric_input);
    let options = numeric.fold(options, |options, name| options.numeric_input(name));
    Ok(constants(args, bound).iter().fold(options, |options, name| options.constant_input(name)))
}

/// The rules, with the range of the pictures as the bounds that they may lack.
fn rules(args: &RuleArgs, bound: &Bound) -> RuleSet {
    bound.bounds.iter().fold(args.rules(), RuleSet::bounded)
}

/// The note that the range of the pictures bounds the first layer, if the rules do not say the bounds.
pub fn assumed_bounds(args: &RuleArgs, bound: &Bound) -> Option<String> {
    let bounds = bound.bounds.as_ref().filter(|_| args.rules().lacks_bounds())?;
    Some(format!("the rule box takes the range of the pictures, {bounds} (--bounds LOW,HIGH for others)"))
}

fn target(args: &RuleArgs, labels: Option<&Labels>) -> Result<Target> {
    Ok(match (&args.target, args.one_box, args.box_class) {
        (_, Some(number), _) => Target::Box(number),
        (_, _, Some(class)) => Target::BoxOf(class),
        (TargetArg::Argmax, ..) => Target::Argmax,
        (TargetArg::Unit(unit), ..) => Target::Class(*unit),
        (TargetArg::At(coordinates), ..) => Target::At(coordinates.clone()),
        (TargetArg::Name(name), ..) => Target::Class(unit(
            "--target",
            name,
            labels,
            "argmax, all, a unit's number from 0, or coordinates such as :,17,4",
        )?),
        (TargetArg::All, ..) => Target::AllOutputs,
    })
}

fn versus(args: &RuleArgs, labels: Option<&Labels>) -> Result<Option<Versus>> {
    Ok(match &args.versus {
        None => None,
        Some(VersusArg::Others) => Some(Versus::Others),
        Some(VersusArg::Unit(unit)) => Some(Versus::Unit(*unit)),
        Some(VersusArg::Name(name)) => {
            Some(Versus::Unit(unit("--versus", name, labels, "others, or a unit's number from 0")?))
        }
    })
}

/// The unit of the name that an option gave, which also takes what is said in `forms`.
fn unit(option: &str, name: &str, labels: Option<&Labels>, forms: &str) -> Result<usize> {
    let Some(labels) = labels else {
        return Err(Failure::Usage(format!(
            "{option} {name}: give {forms}; to use units' names, give them with --labels"
        )));
    };
    labels.unit(option, name)
}

/// The inputs that are not evidence: those that the command line names, and those that only say where tokens stand.
fn constants(args: &RuleArgs, bound: &Bound) -> Vec<String> {
    let named = |name: &&String| args.token_input.contains(name) || args.constant_input.contains(name);
    bound.bookkeeping.iter().filter(|name| !named(name)).chain(&args.constant_input).cloned().collect()
}

/// Inputs that are constants though the command line does not say so.
pub fn assumed_constants(args: &RuleArgs, bound: &Bound) -> Vec<String> {
    let assumed = |name: &&String| !args.constant_input.contains(name);
    let say = |name: &String| {
        format!(
            "{name} is constant, because it says where tokens stand, not what they are (--token-input {name} explains it)"
        )
    };
    constants(args, bound).iter().filter(assumed).map(say).collect()
}

/// The same options in the form of the document.
pub fn settings(args: &RuleArgs, bound: &Bound) -> Settings {
    let given = args.start.is_none();
    Settings {
        mode: mode(args),
        task: given.then(|| task_name(args.task).to_owned()),
        threshold: (args.task == TaskArg::Segmentation).then_some(args.threshold),
        rules: rules(args, bound),
        gates: args.gates,
        scaler: args.scaler,
        multiplier: args.multiplier,
        from_logits: args.from_logits,
        numeric_inputs: bound.quantities.iter().chain(&args.numeric_input).cloned().collect(),
        constant_inputs: constants(args, bound),
        whole_tokens: args.whole_tokens,
        allow_unruled: args.allow_unruled,
    }
}

/// The note that the largest unit is explained, if the command line asks for no other.
pub fn assumed_unit(args: &RuleArgs, explanation: &Explanation) -> Vec<String> {
    let units = explanation.output().len() / explanation.sample_count().max(1);
    let argmax = args.target == TargetArg::Argmax && args.one_box.is_none() && args.box_class.is_none();
    let largest = argmax && !explanation.target_cells().is_empty() && units > 1;
    let whose = if explanation.sample_count() > 1 { "of each sample " } else { "" };
    largest
        .then(|| format!("the largest unit {whose}is explained (--target for another)"))
        .into_iter()
        .collect()
}

fn mode(args: &RuleArgs) -> Mode {
    match args.mode {
        ModeArg::Default => Mode::Default,
        ModeArg::Contrastive => Mode::Contrastive,
    }
}

fn task(args: &RuleArgs) -> Task {
    match args.task {
        TaskArg::Classification => Task::Classification,
        TaskArg::Bbox => Task::BoundingBox,
        TaskArg::Segmentation => Task::Segmentation { threshold: args.threshold },
        TaskArg::NextToken => Task::NextToken,
    }
}

fn task_name(task: TaskArg) -> &'static str {
    match task {
        TaskArg::Classification => "classification",
        TaskArg::Bbox => "bbox",
        TaskArg::Segmentation => "segmentation",
        TaskArg::NextToken => "next-token",
    }
}

fn start(path: &Path) -> Result<ArrayD<f64>> {
    match inputs::array(path)? {
        Value::F64(array) => Ok(array),
        Value::F32(array) => Ok(array.mapv(f64::from)),
        Value::F16(array) => Ok(array.mapv(f64::from)),
        Value::Int(array) => Ok(array.mapv(|v| v as f64)),
        Value::Int32(array) => Ok(array.mapv(f64::from)),
        _ => Err(Failure::Inputs(format!("the start in {} is not an array of numbers", path.display()))),
    }
}
