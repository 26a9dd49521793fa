//! What an explanation costs, as ratios to the plain forward pass in the same process:
//! `cargo xtask bench [NAME…] [NAME@LENGTH…] [SAVEDMODEL…]`.
//!
//! The networks are built and traced here, with random weights, so that neither Python nor a download is needed. The
//! SavedModels are the bundled ones. A SavedModel of your own gets made-up inputs of the shapes in its signature. All
//! run on one thread; each figure is the median of several runs.

mod pictures;
mod sequences;
mod subject;

use dlbacktrace::rules::RuleSet;
use dlbacktrace::{Mode, torch};
use serde::Serialize;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs};
use subject::Subject;

const RUNS: usize = 9;

/// What is measured by default.
const USUAL: [&str; 9] = [
    "resnet18",
    "vgg16",
    "lstm",
    "gru",
    "bert",
    "llama",
    "llama-sdpa",
    "examples/models/digits_keras",
    "examples/models/breast_cancer_keras",
];

#[derive(Serialize)]
struct Figures {
    model: String,
    forward_ms: f64,
    recording: f64,
    relevance: f64,
    explanation: f64,
    contrastive: Option<f64>,
    /// By other rule sets; `None` if a set refuses the model.
    sets: BTreeMap<&'static str, Option<f64>>,
    /// The derivative by libtorch's autograd, forward pass included; `None` if there is none by the input.
    autograd: Option<f64>,
    peak_memory: f64,
    /// By other rule sets, and by autograd.
    peak_memory_of: BTreeMap<&'static str, Option<f64>>,
}

/// libtorch's own derivative, beside the sets.
const AUTOGRAD: &str = "autograd";

/// The rule sets that are measured beside the default.
const SETS: [&str; 3] = ["gradient", "epsilon", "attn-lrp"];

fn main() -> Result<(), Box<dyn Error>> {
    tch::set_num_threads(1);
    torch::tune_allocator();
    let mut wanted: Vec<String> = env::args().skip(1).collect();
    if let Some(job) = env::var_os("DLBACKTRACE_BENCH_MEMORY") {
        return memory(&job.to_string_lossy(), &Subject::named(&wanted[0])?, Path::new(&wanted[1]));
    }
    if wanted.is_empty() {
        wanted = USUAL.map(str::to_owned).to_vec();
    }
    let subjects = wanted.iter().map(|name| Subject::named(name)).collect::<Result<Vec<_>, _>>()?;
    let folder = tempfile::tempdir()?;
    let mut all = Vec::new();
    println!(
        "{:<20} {:>12} {:>10} {:>10} {:>12} {:>12} {:>8} {:>9} {:>9} {:>9} {:>9}",
        "model",
        "forward",
        "recording",
        "relevance",
        "explanation",
        "contrastive",
        "memory",
        SETS[0],
        SETS[1],
        SETS[2],
        "autograd"
    );
    for subject in subjects {
        let file = subject.file(folder.path())?;
        let figures = measure(&subject, &file)?;
        println!(
            "{:<20} {:>9.1} ms {:>9.2}× {:>9.2}× {:>11.2}× {:>12} {:>7.2}× {} {:>9}",
            figures.model,
            figures.forward_ms,
            figures.recording,
            figures.relevance,
            figures.explanation,
            ratio(figures.contrastive),
            figures.peak_memory,
            SETS.map(|set| format!("{:>9}", ratio(figures.sets[set]))).join(" "),
            ratio(figures.autograd)
        );
        all.push(figures);
    }
    let out = "target/bench.json";
    fs::create_dir_all("target")?;
    fs::write(out, serde_json::to_vec_pretty(&all)?)?;
    println!("wrote {out}");
    Ok(())
}

fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or("none".to_owned(), |ratio| format!("{ratio:.2}×"))
}

fn measure(subject: &Subject, file: &Path) -> Result<Figures, Box<dyn Error>> {
    let model = subject.load(file)?;
    let (inputs, forward) = (subject.inputs(&model)?, subject.plain(file)?);
    let explain = |mode| model.explain(&inputs, &subject.options(mode));
    for _ in 0..3 {
        forward()?;
        explain(Mode::Default)?;
    }
    let has_contrastive = subject.has_contrastive();
    let by_set = |name: &str| {
        let rules = RuleSet::named(name)?;
        model.explain(&inputs, &subject.options(Mode::Default).rules(rules))
    };
    let served: Vec<&str> = SETS.into_iter().filter(|set| by_set(set).is_ok()).collect();
    let mut by_sets: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    let autograd = subject.autograd(file)?;
    let mut autograds = Vec::new();
    if let Some(autograd) = &autograd {
        // libtorch's executor compiles at the first runs.
        for _ in 0..3 {
            autograd()?;
        }
    }
    // The runs alternate, so that a busy machine slows all kinds alike.
    let (mut forwards, mut recordings, mut relevances, mut wholes, mut contrastives) =
        (vec![], vec![], vec![], vec![], vec![]);
    for run in 0..RUNS {
        forwards.push(timed(&forward)?);
        let start = Instant::now();
        let timings = explain(Mode::Default)?.timings();
        wholes.push(start.elapsed());
        recordings.push(timings.forward);
        relevances.push(timings.relevance);
        for &set in &served {
            let time = timed(|| {
                by_set(set)?;
                Ok(())
            })?;
            by_sets.entry(set).or_default().push(time);
        }
        if let Some(autograd) = &autograd {
            autograds.push(timed(autograd)?);
        }
        // Fewer contrastive runs, because they take the longest.
        if has_contrastive && run % 3 == 0 {
            contrastives.push(timed(|| {
                explain(Mode::Contrastive)?;
                Ok(())
            })?);
        }
    }
    let forward = median(forwards);
    let peak = |job: &str| peak_memory(job, subject, file);
    let of_forward = peak("forward")?;
    let mut peak_memory_of = BTreeMap::new();
    for set in SETS {
        let of_set = if served.contains(&set) { Some(peak(set)? / of_forward) } else { None };
        peak_memory_of.insert(set, of_set);
    }
    let of_autograd = if autograd.is_some() { Some(peak(AUTOGRAD)? / of_forward) } else { None };
    peak_memory_of.insert(AUTOGRAD, of_autograd);
    Ok(Figures {
        model: subject.label(),
        forward_ms: forward * 1e3,
        recording: median(recordings) / forward,
        relevance: median(relevances) / forward,
        explanation: median(wholes) / forward,
        contrastive: has_contrastive.then(|| median(contrastives) / forward),
        sets: SETS.map(|set| (set, by_sets.remove(set).map(|times| median(times) / forward))).into(),
        autograd: (!autograds.is_empty()).then(|| median(autograds) / forward),
        peak_memory: peak("backtrace")? / of_forward,
        peak_memory_of,
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

/// The peak memory of a process that does nothing else.
fn peak_memory(job: &str, subject: &Subject, file: &Path) -> Result<f64, Box<dyn Error>> {
    let output = std::process::Command::new(env::current_exe()?)
        .arg(subject.name())
        .arg(file)
        .env("DLBACKTRACE_BENCH_MEMORY", job)
        .output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// Does one job twice and prints the peak of resident memory in kilobytes.
fn memory(job: &str, subject: &Subject, file: &Path) -> Result<(), Box<dyn Error>> {
    let plain = match job {
        "forward" => Some(subject.plain(file)?),
        AUTOGRAD => subject.autograd(file)?,
        _ => None,
    };
    if let Some(plain) = plain {
        plain()?;
        plain()?;
    } else {
        let model = subject.load(file)?;
        let options = subject.options(Mode::Default).rules(RuleSet::named(job)?);
        let inputs = subject.inputs(&model)?;
        for _ in 0..2 {
            model.explain(&inputs, &options)?;
        }
    }
    let status = fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("the system tells no peak")?;
    println!("{}", line.trim().trim_end_matches(" kB"));
    Ok(())
}
