//! From the command line to the options of an explanation.

use crate::args::{ModeArg, RuleArgs, TargetArg, TaskArg};
use crate::failure::{Failure, Result};
use crate::inputs;
use dlbacktrace::{Classes, Mode, Options, Output, Target, Task, Value};
use dlbacktrace_report::Settings;
use ndarray::ArrayD;
use std::path::Path;

/// The options that the command line asks for.
///
/// # Errors
/// What is wrong with the file of the start.
pub fn of(args: &RuleArgs) -> Result<Options> {
    let mut options = Options::new()
        .mode(mode(args))
        .task(task(args))
        .target(match &args.target {
            TargetArg::Argmax => Target::Argmax,
            TargetArg::Unit(unit) => Target::Class(*unit),
            TargetArg::At(coordinates) => Target::At(coordinates.clone()),
            TargetArg::All => Target::AllOutputs,
        })
        .samples(args.sample_axis.unwrap_or_default())
        .gates(args.gates)
        .multiplier(args.multiplier)
        .from_logits(args.from_logits)
        .allow_unruled(args.allow_unruled);
    if let Some(output) = &args.output {
        options = options.output(output.parse().map_or_else(|_| Output::Name(output.clone()), Output::Index));
    }
    if let Some(axis) = args.class_axis {
        options = options.classes(Classes::Axis(axis));
    }
    if let Some(scaler) = args.scaler {
        options = options.scaler(scaler);
    }
    if let Some(path) = &args.seed {
        let seed = seed(path)?;
        options = match &args.seed_at {
            Some(module) => options.seed_at(module, seed),
            None => options.seed(seed),
        };
    }
    if let Some(path) = &args.negative_seed {
        options = options.negative_seed(seed(path)?);
    }
    let options = args.numeric_input.iter().fold(options, |options, name| options.numeric_input(name));
    Ok(args.constant_input.iter().fold(options, |options, name| options.constant_input(name)))
}

/// The same options as the document states them.
pub fn settings(args: &RuleArgs) -> Settings {
    let given = args.seed.is_none();
    Settings {
        mode: mode(args),
        task: given.then(|| task_name(args.task).to_owned()),
        threshold: (args.task == TaskArg::Segmentation).then_some(args.threshold),
        gates: args.gates,
        scaler: args.scaler,
        multiplier: args.multiplier,
        from_logits: args.from_logits,
        numeric_inputs: args.numeric_input.clone(),
        constant_inputs: args.constant_input.clone(),
        allow_unruled: args.allow_unruled,
    }
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

fn seed(path: &Path) -> Result<ArrayD<f64>> {
    match inputs::array(path)? {
        Value::F64(array) => Ok(array),
        Value::F32(array) => Ok(array.mapv(f64::from)),
        Value::F16(array) => Ok(array.mapv(f64::from)),
        Value::Int(array) => Ok(array.mapv(|v| v as f64)),
        Value::Int32(array) => Ok(array.mapv(f64::from)),
        _ => Err(Failure::Inputs(format!("the start in {} is no array of numbers", path.display()))),
    }
}
