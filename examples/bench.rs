//! What an explanation costs, as ratios to the plain forward pass in the same process: `cargo xtask bench [NAME…]`.
//!
//! The networks are built and traced here, with random weights, so that neither Python nor a download is
//! needed. One thread; each figure is the median of several runs.

use dlbacktrace::{Inputs, Mode, Model, Options, torch};
use serde::Serialize;
use std::error::Error;
use std::time::{Duration, Instant};
use std::{env, fs};
use tch::nn::{self, ConvConfig, ModuleT, Path, RNN, SequentialT};
use tch::{CModule, Device, Kind, Tensor};

const RUNS: usize = 9;

#[derive(Serialize)]
struct Figures {
    model: String,
    forward_ms: f64,
    recording: f64,
    relevance: f64,
    explanation: f64,
    contrastive: f64,
    peak_memory: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(job) = env::var_os("DLBACKTRACE_BENCH_MEMORY") {
        return memory(&job.to_string_lossy());
    }
    tch::set_num_threads(1);
    torch::tune_allocator();
    let folder = tempfile::tempdir()?;
    let wanted: Vec<String> = env::args().skip(1).collect();
    let mut all = Vec::new();
    println!(
        "{:<10} {:>12} {:>10} {:>10} {:>12} {:>12} {:>8}",
        "model", "forward", "recording", "relevance", "explanation", "contrastive", "memory"
    );
    for (name, network) in
        [("resnet18", resnet18 as fn(&Path) -> SequentialT), ("vgg16", vgg16), ("lstm", lstm)]
    {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| wanted == name) {
            continue;
        }
        let file = folder.path().join(format!("{name}.pt"));
        trace(network, &file)?;
        let figures = measure(name, &file)?;
        println!(
            "{:<10} {:>9.1} ms {:>9.2}× {:>9.2}× {:>11.2}× {:>11.2}× {:>7.2}×",
            figures.model,
            figures.forward_ms,
            figures.recording,
            figures.relevance,
            figures.explanation,
            figures.contrastive,
            figures.peak_memory
        );
        all.push(figures);
    }
    let out = "target/bench.json";
    fs::create_dir_all("target")?;
    fs::write(out, serde_json::to_vec_pretty(&all)?)?;
    println!("wrote {out}");
    Ok(())
}

/// A picture, or a sequence for the network that reads those.
fn input(file: &std::path::Path) -> Tensor {
    tch::manual_seed(0);
    let shape: &[i64] = if file.ends_with("lstm.pt") { &[1, 100, 256] } else { &[1, 3, 224, 224] };
    Tensor::rand(shape, (Kind::Float, Device::Cpu))
}

fn trace(network: fn(&Path) -> SequentialT, file: &std::path::Path) -> Result<(), Box<dyn Error>> {
    tch::manual_seed(1);
    let mut store = nn::VarStore::new(Device::Cpu);
    let network = network(&store.root());
    // The trace holds the weights as constants, which must not want gradients.
    store.freeze();
    let _no_gradients = tch::no_grad_guard();
    let mut forward = |inputs: &[Tensor]| vec![network.forward_t(&inputs[0], false)];
    CModule::create_by_tracing("Network", "forward", &[input(file)], &mut forward)?.save(file)?;
    Ok(())
}

fn measure(name: &str, file: &std::path::Path) -> Result<Figures, Box<dyn Error>> {
    let plain = CModule::load(file)?;
    let model = Model::load(file)?;
    let input = input(file);
    let explain =
        |mode| model.explain(&Inputs::new().push(input.shallow_clone()), &Options::new().mode(mode));
    let forward = || -> Result<(), Box<dyn Error>> {
        let _no_gradients = tch::no_grad_guard();
        drop(plain.forward_ts(&[&input])?);
        Ok(())
    };
    for _ in 0..3 {
        forward()?;
        explain(Mode::Default)?;
    }
    // Interleaved, so that a busy machine slows all of them alike.
    let (mut forwards, mut recordings, mut relevances, mut wholes, mut contrastives) =
        (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..RUNS {
        forwards.push(timed(forward)?);
        let start = Instant::now();
        let timings = explain(Mode::Default)?.timings();
        wholes.push(start.elapsed());
        recordings.push(timings.forward);
        relevances.push(timings.relevance);
        contrastives.push(timed(|| {
            explain(Mode::Contrastive)?;
            Ok(())
        })?);
    }
    let forward = median(forwards);
    let peak = |job: &str| peak_memory(job, file);
    Ok(Figures {
        model: name.to_owned(),
        forward_ms: forward * 1e3,
        recording: median(recordings) / forward,
        relevance: median(relevances) / forward,
        explanation: median(wholes) / forward,
        contrastive: median(contrastives) / forward,
        peak_memory: peak("explain")? / peak("forward")?,
    })
}

fn timed(work: impl FnOnce() -> Result<(), Box<dyn Error>>) -> Result<Duration, Box<dyn Error>> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn median(mut durations: Vec<Duration>) -> f64 {
    durations.sort();
    durations[durations.len() / 2].as_secs_f64()
}

/// The peak of a process of its own that does nothing else.
fn peak_memory(job: &str, file: &std::path::Path) -> Result<f64, Box<dyn Error>> {
    let output = std::process::Command::new(env::current_exe()?)
        .arg(file)
        .env("DLBACKTRACE_BENCH_MEMORY", job)
        .output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// Does one job twice and prints the peak of resident memory in kilobytes.
fn memory(job: &str) -> Result<(), Box<dyn Error>> {
    tch::set_num_threads(1);
    torch::tune_allocator();
    let file = env::args().nth(1).ok_or("which model?")?;
    let input = input(file.as_ref());
    if job == "forward" {
        let _no_gradients = tch::no_grad_guard();
        let plain = CModule::load(&file)?;
        for _ in 0..2 {
            drop(plain.forward_ts(&[&input])?);
        }
    } else {
        let model = Model::load(&file)?;
        for _ in 0..2 {
            model.explain(&Inputs::new().push(input.shallow_clone()), &Options::new())?;
        }
    }
    let status = fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("the system tells no peak")?;
    println!("{}", line.trim().trim_end_matches(" kB"));
    Ok(())
}

fn convolution(path: Path, from: i64, to: i64, kernel: i64, stride: i64, bias: bool) -> nn::Conv2D {
    nn::conv2d(path, from, to, kernel, ConvConfig { stride, padding: kernel / 2, bias, ..Default::default() })
}

/// Two convolutions with batch norms, and the way around them.
fn block(path: Path, from: i64, to: i64, stride: i64) -> nn::FuncT<'static> {
    let first = convolution(&path / "conv1", from, to, 3, stride, false);
    let norm_first = nn::batch_norm2d(&path / "bn1", to, Default::default());
    let second = convolution(&path / "conv2", to, to, 3, 1, false);
    let norm_second = nn::batch_norm2d(&path / "bn2", to, Default::default());
    let around = (stride != 1 || from != to).then(|| {
        let convolution = convolution(&path / "downsample" / "0", from, to, 1, stride, false);
        (convolution, nn::batch_norm2d(&path / "downsample" / "1", to, Default::default()))
    });
    nn::func_t(move |x, train| {
        let inner =
            x.apply(&first).apply_t(&norm_first, train).relu_().apply(&second).apply_t(&norm_second, train);
        let around = match &around {
            Some((convolution, norm)) => x.apply(convolution).apply_t(norm, train),
            None => x.shallow_clone(),
        };
        (inner + around).relu_()
    })
}

fn resnet18(path: &Path) -> SequentialT {
    let mut network = nn::seq_t()
        .add(convolution(path / "conv1", 3, 64, 7, 2, false))
        .add(nn::batch_norm2d(path / "bn1", 64, Default::default()))
        .add_fn(|x| x.shallow_clone().relu_())
        .add_fn(|x| x.max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false));
    for (layer, (from, to, stride)) in
        [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)].into_iter().enumerate()
    {
        let path = path / format!("layer{}", layer + 1);
        network = network.add(block(&path / "0", from, to, stride)).add(block(&path / "1", to, to, 1));
    }
    network.add_fn(|x| x.adaptive_avg_pool2d([1, 1]).flatten(1, -1)).add(nn::linear(
        path / "fc",
        512,
        1000,
        Default::default(),
    ))
}

fn vgg16(path: &Path) -> SequentialT {
    let mut network = nn::seq_t();
    let mut from = 3;
    for (stage, (width, depth)) in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)].into_iter().enumerate() {
        for index in 0..depth {
            network = network
                .add(convolution(path / format!("conv{stage}_{index}"), from, width, 3, 1, true))
                .add_fn(|x| x.shallow_clone().relu_());
            from = width;
        }
        network = network.add_fn(|x| x.max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false));
    }
    network = network.add_fn(|x| x.adaptive_avg_pool2d([7, 7]).flatten(1, -1));
    for (index, (from, to)) in [(512 * 7 * 7, 4096), (4096, 4096)].into_iter().enumerate() {
        network = network
            .add(nn::linear(path / format!("fc{index}"), from, to, Default::default()))
            .add_fn(|x| x.relu());
    }
    network.add(nn::linear(path / "fc2", 4096, 1000, Default::default()))
}

/// Two layers over 100 steps.
fn lstm(path: &Path) -> SequentialT {
    let config = nn::RNNConfig { num_layers: 2, train: false, ..Default::default() };
    let layers = nn::lstm(path / "lstm", 256, 256, config);
    let head = nn::linear(path / "fc", 256, 1000, Default::default());
    nn::seq_t().add_fn(move |x| layers.seq(x).0.select(1, -1)).add(head)
}
