//! A network that lives in the program: no file, no trace. Whatever the closure computes with tch is explained.
//!
//!     cargo run --example live_network

use dlbacktrace::Options;
use dlbacktrace::torch::{self, Computation};
use std::error::Error;
use tch::nn::{self, Module, OptimizerConfig};
use tch::{Device, Kind, Tensor};

const FEATURES: [&str; 4] = ["a", "b", "noise", "more noise"];

/// A layer, a loop that refines it as often as the caller likes, and a score: ordinary code.
#[derive(Debug)]
struct Network {
    first: nn::Linear,
    refine: nn::Linear,
    score: nn::Linear,
    rounds: usize,
}

impl Network {
    fn new(path: &nn::Path, rounds: usize) -> Self {
        let linear = |name, from, to| nn::linear(path / name, from, to, Default::default());
        Self {
            first: linear("first", 4, 16),
            refine: linear("refine", 16, 16),
            score: linear("score", 16, 1),
            rounds,
        }
    }
}

impl Module for Network {
    fn forward(&self, x: &Tensor) -> Tensor {
        let mut state = self.first.forward(x).relu();
        for _ in 0..self.rounds {
            state = &state + self.refine.forward(&state).relu();
        }
        self.score.forward(&state)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    tch::manual_seed(0);
    let store = nn::VarStore::new(Device::Cpu);
    let network = Network::new(&store.root(), 2);

    // It learns 3|a| + |b|; the other two features do not matter.
    let x = Tensor::randn([512, 4], (Kind::Float, Device::Cpu));
    let y = (x.select(1, 0).abs() * 3.0 + x.select(1, 1).abs()).unsqueeze(1);
    let mut optimiser = nn::Adam { wd: 5e-2, ..Default::default() }.build(&store, 1e-2)?;
    for _ in 0..2000 {
        optimiser.backward_step(&network.forward(&x).mse_loss(&y, tch::Reduction::Mean));
    }

    // Naming the weights is optional; it lets the recording tell a weight from other constants.
    let variables = store.variables();
    let weights: Vec<(&str, &Tensor)> =
        variables.iter().map(|(name, weight)| (name.as_str(), weight)).collect();
    let sample = Tensor::from_slice(&[1.0_f32, -1.0, 1.0, -1.0]).unsqueeze(0);
    let computation = Computation { inputs: &[("x", &sample)], parameters: &weights };
    let explanation = torch::explain(computation, &Options::new(), || network.forward(&sample))?;

    println!("3·|1| + |−1| = 4, the network says {:.2}", explanation.output().sum());
    // The relevance is a libtorch tensor; nothing is copied until it is asked for.
    let relevance = explanation.inputs()[0].tensor().ok_or("the network ran in libtorch")?;
    let relevance: Vec<f32> = relevance.flatten(0, -1).try_into()?;
    for (name, relevance) in FEATURES.iter().zip(relevance) {
        println!("{name:>10}  {relevance:>7.3}");
    }
    println!(
        "every one of {} steps accounts for what it received: {}",
        explanation.ledger().entries.len(),
        explanation.ledger().closes()
    );
    Ok(())
}
