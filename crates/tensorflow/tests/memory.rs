//! Explanations leave no memory behind.
#![cfg(target_os = "linux")]

use dlbacktrace_core::Mode;
use dlbacktrace_core::explain::Options;
use dlbacktrace_core::start::StartOptions;
use testkit::memory::resident;
use testkit::saved_models::{fixture, load};

#[test]
fn two_hundred_explanations_leave_memory_flat() {
    for name in ["cnn_export", "lstm_export"] {
        let fixture = fixture(name);
        let model = load(&fixture.directory).unwrap();
        let inputs = fixture.tensors(model.context());
        let explain = |round: usize| {
            let mode = if round.is_multiple_of(2) { Mode::Default } else { Mode::Contrastive };
            let start = StartOptions { mode, ..StartOptions::default() };
            let options = Options { start, all_values: round.is_multiple_of(3), ..Options::default() };
            model.explain(&inputs, &options).unwrap()
        };
        (0..40).for_each(|round| drop(explain(round)));
        let before = resident();
        (0..200).for_each(|round| drop(explain(round)));
        let grown = resident().saturating_sub(before);
        assert!(grown < 8 << 20, "{name}: {grown} bytes more after 200 explanations");
    }
}
