//! The checks of an explanation.

use dlbacktrace_core::RandomUse;

/// The result of replaying the recording.
#[derive(Debug, Clone, serde::Serialize)]
pub struct ReplayReport {
    /// The number of operators that were run again on copies of the recorded tensors.
    pub checked: usize,
    /// The number of operators with random or uninitialised results, which cannot be replayed.
    pub skipped: usize,
    /// One line for each operator that gave something else.
    pub failed: Vec<String>,
}

/// The result of all checks.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Verification {
    /// The result of replaying the recording.
    pub replay: ReplayReport,
    /// Whether every step accounts for what it received.
    pub ledger_closes: bool,
    /// The steps that do not.
    pub open: Vec<String>,
    /// The share of the executed operators that has a rule, 0 to 1.
    pub coverage: f64,
    /// The operators whose results depend on random numbers.
    pub random: Vec<RandomUse>,
    /// Whether a second run gave the same explanation, bit by bit. A run that draws random numbers without a seed counts as
    /// another one, even if they happen to be the same.
    pub repeats: bool,
}

impl Verification {
    /// Whether all checks passed.
    pub fn holds(&self) -> bool {
        self.replay.failed.is_empty() && self.ledger_closes && self.repeats
    }
}
