//! Whether an explanation can be trusted.

use dlbacktrace_core::RandomUse;

/// What the recording's own check found.
#[derive(Debug, Clone, serde::Serialize)]
pub struct ReplayReport {
    /// Operators run again on copies of what was recorded.
    pub checked: usize,
    /// Operators with random or uninitialised results.
    pub skipped: usize,
    /// One line for each that gave something else.
    pub failed: Vec<String>,
}

/// Whether an explanation of a model can be trusted.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Verification {
    /// The recording's own check.
    pub replay: ReplayReport,
    /// Whether every step accounts for what it received.
    pub ledger_closes: bool,
    /// The steps that do not.
    pub open: Vec<String>,
    /// The share of the operators that ran with a rule, 0 to 1.
    pub coverage: f64,
    /// The operators that gave something by chance.
    pub random: Vec<RandomUse>,
    /// Whether a second run gave the same explanation, bit by bit. Random numbers without a seed count as another one, even if
    /// they happen to be the same.
    pub repeats: bool,
}

impl Verification {
    /// Whether all of it held.
    pub fn holds(&self) -> bool {
        self.replay.failed.is_empty() && self.ledger_closes && self.repeats
    }
}
