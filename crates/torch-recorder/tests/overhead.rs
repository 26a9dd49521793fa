//! What recording costs. Run with `cargo test --release -p dlbacktrace-torch-recorder --test overhead -- --ignored --nocapture`.

use std::time::{Duration, Instant};
use testkit_torch::recordings::{MODELS, inputs, load, policy};

/// The tenth percentile of a hundred runs.
fn time(mut run: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..100)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[10]
}

#[test]
#[ignore = "a measurement"]
fn recording_overhead() {
    dlbacktrace_torch_recorder::tune_allocator();
    for name in MODELS {
        let module = load(name);
        let plain = time(|| drop(module.forward(&inputs(name)).unwrap()));
        let recorded = time(|| drop(module.record(&inputs(name), &policy()).unwrap()));
        let calls = module.record(&inputs(name), &policy()).unwrap().records.len();
        let ratio = recorded.as_secs_f64() / plain.as_secs_f64();
        println!(
            "{name:<16} forward {plain:>10.1?} recorded {recorded:>10.1?} ratio {ratio:.2} records {calls}"
        );
    }
}
