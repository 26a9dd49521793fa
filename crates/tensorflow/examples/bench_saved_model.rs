//! What an explanation of a SavedModel costs, as ratios to the plain interpreted forward run in the same process:
//! `cargo run --release -p dlbacktrace-tensorflow --example bench_saved_model -- DIRECTORY…`.
//!
//! Inputs are made up to fit the signature: open axes have one cell, numbers lie between 0 and 1. One thread; each
//! figure is the median of several runs.

use dlbacktrace_core::Mode;
use dlbacktrace_core::explain::Options;
use dlbacktrace_core::start::StartOptions;
use dlbacktrace_tensorflow::{DataType, Library, Model, ModelOptions, Tensor, TensorSpec};
use std::env;
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

const RUNS: usize = 9;

fn main() -> Result<(), Box<dyn Error>> {
    let directories: Vec<String> = env::args().skip(1).collect();
    if directories.is_empty() {
        return Err("give the directories of SavedModels".into());
    }
    println!(
        "{:<16} {:>12} {:>10} {:>10} {:>12} {:>12} {:>9}",
        "model", "forward", "recording", "relevance", "explanation", "contrastive", "memory"
    );
    for directory in directories {
        measure(Path::new(&directory))?;
    }
    Ok(())
}

fn measure(directory: &Path) -> Result<(), Box<dyn Error>> {
    let options = ModelOptions { threads: Some(1), ..ModelOptions::default() };
    let model = Model::load(Library::load(None)?, directory, &options)?;
    let inputs: Vec<(String, Tensor)> = model
        .inputs()
        .iter()
        .map(|spec| Ok((spec.name.clone(), made_up(&model, spec)?)))
        .collect::<Result<_, Box<dyn Error>>>()?;
    let explain = |mode| {
        let start = StartOptions { mode, ..StartOptions::default() };
        model.explain(&inputs, &Options { start, ..Options::default() })
    };
    for _ in 0..3 {
        model.forward(&inputs)?;
    }
    let plain = peak_memory();
    for _ in 0..2 {
        explain(Mode::Default)?;
    }
    let explained = peak_memory();
    let (mut forward, mut recording, mut relevance, mut whole, mut contrastive) =
        (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..RUNS {
        let start = Instant::now();
        model.forward(&inputs)?;
        forward.push(start.elapsed());
        let start = Instant::now();
        let timings = explain(Mode::Default)?.timings;
        whole.push(start.elapsed());
        recording.push(timings.forward);
        relevance.push(timings.relevance);
        let start = Instant::now();
        explain(Mode::Contrastive)?;
        contrastive.push(start.elapsed());
    }
    let forward = median(forward);
    println!(
        "{:<16} {:>9.1} ms {:>9.2}× {:>9.2}× {:>11.2}× {:>11.2}× {:>8.2}×",
        directory.file_name().unwrap_or_default().to_string_lossy(),
        forward * 1e3,
        median(recording) / forward,
        median(relevance) / forward,
        median(whole) / forward,
        median(contrastive) / forward,
        explained / plain,
    );
    Ok(())
}

fn made_up(model: &Model, spec: &TensorSpec) -> Result<Tensor, Box<dyn Error>> {
    let open = spec.shape.as_deref().ok_or("an input without a shape")?;
    let shape: Vec<usize> = open.iter().map(|extent| extent.unwrap_or(1)).collect();
    let count = shape.iter().product::<usize>();
    // Numbers in 0…1 without a pattern.
    let numbers = (0..count).map(|at| ((at as f32 + 1.0) * 12.9898).sin().abs());
    let bytes: Vec<u8> = numbers.flat_map(f32::to_ne_bytes).collect();
    let numbers = model.context().tensor(DataType::FLOAT, &shape, &bytes)?;
    Ok(numbers.cast(spec.data_type)?)
}

fn median(mut durations: Vec<Duration>) -> f64 {
    durations.sort();
    durations[durations.len() / 2].as_secs_f64()
}

/// The most memory this process held at any time, in kilobytes.
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(f64::NAN)
}
