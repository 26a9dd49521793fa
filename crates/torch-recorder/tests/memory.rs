//! Recordings leave no memory behind.

use testkit::memory::resident;
use testkit_torch::recordings::{MODELS, inputs, keeping_all, load, policy};

const RUNS: usize = 200;

/// The first runs fill caches; from then on memory stays as it is.
#[test]
fn recordings_in_a_loop_leave_no_memory_behind() {
    for name in MODELS {
        let module = load(name);
        let run = |runs| {
            for _ in 0..runs {
                module.record(&inputs(name), &policy()).unwrap();
                module.record(&inputs(name), &keeping_all()).unwrap().replay().unwrap();
            }
        };
        run(RUNS / 4);
        let before = resident();
        run(RUNS);
        let grown = resident().saturating_sub(before);
        println!("{name}: {grown} bytes");
        assert!(grown < 1 << 20, "{name}: {RUNS} recordings left {grown} bytes");
    }
}
