//! The rules that a step may take.

use super::Kind;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a step shares the relevance R of a unit among its contributions c, the terms of its sum z = Σc + b. A bias and constants
/// are terms like the others; their share is lost.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Rule {
    /// DLBacktrace's own rule, which for a weighted sum is |c| / Σ|c| · R.
    #[default]
    Backtrace,
    /// c / (z + ε·sign z) · R with ε > 0 (Bach et al. 2015). What ε takes is lost. Signed.
    Epsilon(f64),
    /// (c + γ·max(c, 0)) / Σ(c + γ·max(c, 0)) · R where z ≥ 0, and with min in place of max where z < 0; γ ≥ 0 (Montavon et al. 2019,
    /// for both signs Andéol et al. 2021). Signed.
    Gamma(f64),
    /// α·c⁺ / Σc⁺ · R to the positive contributions and −β·c⁻ / Σc⁻ · R to the negative ones, with α − β = 1 (Bach et al. 2015).
    /// Signed.
    AlphaBeta(f64, f64),
    /// c⁺ / Σc⁺ · R (Montavon et al. 2017): α-β with α = 1.
    ZPlus,
    /// c · sign z / Σ|c| · R. It is signed and divides by nothing smaller than Σ|c|; what cancels among the contributions is lost.
    SignedBacktrace,
}

impl Rule {
    /// The rules, with usual parameters.
    pub const ALL: [Self; 6] = [
        Self::Backtrace,
        Self::Epsilon(1e-6),
        Self::Gamma(0.25),
        Self::AlphaBeta(2.0, 1.0),
        Self::ZPlus,
        Self::SignedBacktrace,
    ];

    /// The rules that serve a kind of step.
    pub fn of(kind: Kind) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |rule| rule.serves(kind))
    }

    /// Whether a step of this kind can take it.
    pub fn serves(self, kind: Kind) -> bool {
        self == Self::Backtrace || kind.is_sum()
    }

    /// Checks its parameters.
    pub(super) fn check(self) -> Result<(), String> {
        let wrong = match self {
            Self::Epsilon(epsilon) if !(epsilon > 0.0 && epsilon.is_finite()) => "epsilon must be above 0",
            Self::Gamma(gamma) if !(gamma >= 0.0 && gamma.is_finite()) => "gamma must be 0 or above",
            Self::AlphaBeta(alpha, beta) if !(beta >= 0.0 && (alpha - beta - 1.0).abs() < 1e-9) => {
                "alpha-beta takes alpha and beta with alpha − beta = 1 and beta of 0 or above"
            }
            _ => return Ok(()),
        };
        Err(format!("{wrong}, but the rule is {self}"))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backtrace => f.write_str("backtrace"),
            Self::Epsilon(epsilon) => write!(f, "epsilon {epsilon:?}"),
            Self::Gamma(gamma) => write!(f, "gamma {gamma:?}"),
            Self::AlphaBeta(alpha, beta) => write!(f, "alpha-beta {alpha:?}, {beta:?}"),
            Self::ZPlus => f.write_str("z-plus"),
            Self::SignedBacktrace => f.write_str("signed-backtrace"),
        }
    }
}
