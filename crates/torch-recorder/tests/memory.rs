//! What recordings leave behind: nothing.

mod common;

use common::{MODELS, inputs, keeping_all, load, policy, resident_memory};

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
        let before = resident_memory();
        run(RUNS);
        let grown = resident_memory().saturating_sub(before);
        println!("{name}: {grown} kB");
        assert!(grown < 1 << 10, "{name}: {RUNS} recordings left {grown} kB");
    }
}
