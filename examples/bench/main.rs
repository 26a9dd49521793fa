//! What an explanation costs, as ratios to the plain forward pass in the same process:
//! `cargo xtask bench [NAME…] [NAME@LENGTH…]`.
//!
//! The networks are built and traced here, with random weights, so that neither Python nor a download is
//! needed. One thread; each figure is the median of several runs.

mod pictures;
mod sequences;

use dlbacktrace::{Inputs, Mode, Model, Options, Task, torch};
use serde::Serialize;
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs};
use tch::nn::{self, ModuleT, SequentialT};
use tch::{CModule, Device, Kind, Tensor};

const RUNS: usize = 9;

/// What a network reads.
#[derive(Clone, Copy)]
enum Reads {
    Picture,
    Features,
    Tokens,
}

struct Network {
    name: &'static str,
    build: fn(&nn::Path) -> SequentialT,
    reads: Reads,
    /// Steps or tokens, unless other lengths are asked for.
    length: i64,
    task: Task,
}

const NETWORKS: [Network; 7] = [
    Network::of_pictures("resnet18", pictures::resnet18),
    Network::of_pictures("vgg16", pictures::vgg16),
    Network::of_features("lstm", sequences::lstm),
    Network::of_features("gru", sequences::gru),
    Network::of_tokens("bert", sequences::bert, Task::Classification),
    Network::of_tokens("llama", sequences::llama, Task::NextToken),
    Network::of_tokens("llama-sdpa", sequences::llama_sdpa, Task::NextToken),
];

impl Network {
    const fn of_pictures(name: &'static str, build: fn(&nn::Path) -> SequentialT) -> Self {
        Self { name, build, reads: Reads::Picture, length: 224, task: Task::Classification }
    }

    const fn of_features(name: &'static str, build: fn(&nn::Path) -> SequentialT) -> Self {
        Self { name, build, reads: Reads::Features, length: 100, task: Task::Classification }
    }

    const fn of_tokens(name: &'static str, build: fn(&nn::Path) -> SequentialT, task: Task) -> Self {
        Self { name, build, reads: Reads::Tokens, length: 128, task }
    }

    /// The network that `NAME` or `NAME@LENGTH` names.
    fn named(name: &str) -> Result<Self, Box<dyn Error>> {
        let (name, length) = match name.split_once('@') {
            Some((name, length)) => (name, Some(length.parse()?)),
            None => (name, None),
        };
        let network = NETWORKS.into_iter().find(|network| network.name == name);
        let mut network = network.ok_or_else(|| format!("no network is called {name}"))?;
        network.length = length.unwrap_or(network.length);
        Ok(network)
    }

    fn label(&self) -> String {
        format!("{}@{}", self.name, self.length)
    }

    fn input(&self) -> Tensor {
        tch::manual_seed(0);
        let length = self.length;
        match self.reads {
            Reads::Picture => Tensor::rand([1, 3, length, length], (Kind::Float, Device::Cpu)),
            Reads::Features => Tensor::rand([1, length, 256], (Kind::Float, Device::Cpu)),
            Reads::Tokens => Tensor::randint(sequences::TOKENS, [1, length], (Kind::Int64, Device::Cpu)),
        }
    }

    fn options(&self, mode: Mode) -> Options {
        Options::new().task(self.task).mode(mode)
    }
}

#[derive(Serialize)]
struct Figures {
    model: String,
    forward_ms: f64,
    recording: f64,
    relevance: f64,
    explanation: f64,
    contrastive: Option<f64>,
    peak_memory: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    tch::set_num_threads(1);
    torch::tune_allocator();
    let mut wanted: Vec<String> = env::args().skip(1).collect();
    if let Some(job) = env::var_os("DLBACKTRACE_BENCH_MEMORY") {
        return memory(&job.to_string_lossy(), &Network::named(&wanted[0])?, Path::new(&wanted[1]));
    }
    if wanted.is_empty() {
        wanted = NETWORKS.iter().map(Network::label).collect();
    }
    let networks = wanted.iter().map(|name| Network::named(name)).collect::<Result<Vec<_>, _>>()?;
    let folder = tempfile::tempdir()?;
    let mut all = Vec::new();
    println!(
        "{:<16} {:>12} {:>10} {:>10} {:>12} {:>12} {:>8}",
        "model", "forward", "recording", "relevance", "explanation", "contrastive", "memory"
    );
    for network in networks {
        let file = folder.path().join("network.pt");
        trace(&network, &file)?;
        let figures = measure(&network, &file)?;
        println!(
            "{:<16} {:>9.1} ms {:>9.2}× {:>9.2}× {:>11.2}× {:>12} {:>7.2}×",
            figures.model,
            figures.forward_ms,
            figures.recording,
            figures.relevance,
            figures.explanation,
            figures.contrastive.map_or("none".to_owned(), |ratio| format!("{ratio:.2}×")),
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

fn trace(network: &Network, file: &Path) -> Result<(), Box<dyn Error>> {
    tch::manual_seed(1);
    let mut store = nn::VarStore::new(Device::Cpu);
    let built = (network.build)(&store.root());
    // The trace holds the weights as constants, which must not want gradients.
    store.freeze();
    let _no_gradients = tch::no_grad_guard();
    let mut forward = |inputs: &[Tensor]| vec![built.forward_t(&inputs[0], false)];
    CModule::create_by_tracing("Network", "forward", &[network.input()], &mut forward)?.save(file)?;
    Ok(())
}

fn measure(network: &Network, file: &Path) -> Result<Figures, Box<dyn Error>> {
    let plain = CModule::load(file)?;
    let model = Model::load(file)?;
    let input = network.input();
    let explain = |mode| model.explain(&Inputs::new().push(input.shallow_clone()), &network.options(mode));
    let forward = || -> Result<(), Box<dyn Error>> {
        let _no_gradients = tch::no_grad_guard();
        drop(plain.forward_ts(&[&input])?);
        Ok(())
    };
    for _ in 0..3 {
        forward()?;
        explain(Mode::Default)?;
    }
    // The next token has no contrastive start.
    let has_contrastive = !matches!(network.task, Task::NextToken);
    // Interleaved, so that a busy machine slows all of them alike.
    let (mut forwards, mut recordings, mut relevances, mut wholes, mut contrastives) =
        (vec![], vec![], vec![], vec![], vec![]);
    for run in 0..RUNS {
        forwards.push(timed(forward)?);
        let start = Instant::now();
        let timings = explain(Mode::Default)?.timings();
        wholes.push(start.elapsed());
        recordings.push(timings.forward);
        relevances.push(timings.relevance);
        // It takes the longest.
        if has_contrastive && run % 3 == 0 {
            contrastives.push(timed(|| {
                explain(Mode::Contrastive)?;
                Ok(())
            })?);
        }
    }
    let forward = median(forwards);
    let peak = |job: &str| peak_memory(job, network, file);
    Ok(Figures {
        model: network.label(),
        forward_ms: forward * 1e3,
        recording: median(recordings) / forward,
        relevance: median(relevances) / forward,
        explanation: median(wholes) / forward,
        contrastive: has_contrastive.then(|| median(contrastives) / forward),
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
fn peak_memory(job: &str, network: &Network, file: &Path) -> Result<f64, Box<dyn Error>> {
    let output = std::process::Command::new(env::current_exe()?)
        .arg(network.label())
        .arg(file)
        .env("DLBACKTRACE_BENCH_MEMORY", job)
        .output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// Does one job twice and prints the peak of resident memory in kilobytes.
fn memory(job: &str, network: &Network, file: &Path) -> Result<(), Box<dyn Error>> {
    let input = network.input();
    if job == "forward" {
        let _no_gradients = tch::no_grad_guard();
        let plain = CModule::load(file)?;
        for _ in 0..2 {
            drop(plain.forward_ts(&[&input])?);
        }
    } else {
        let model = Model::load(file)?;
        for _ in 0..2 {
            model.explain(&Inputs::new().push(input.shallow_clone()), &network.options(Mode::Default))?;
        }
    }
    let status = fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("the system tells no peak")?;
    println!("{}", line.trim().trim_end_matches(" kB"));
    Ok(())
}
