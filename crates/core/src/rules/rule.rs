//! The rules that a step may take.

use super::{Bounds, Kind};
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// How a step hands on the relevance R of its result. In a sum z = Σc + b, a bias and constants are terms like the contributions c;
/// their share is lost.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", remote = "Self")]
#[non_exhaustive]
pub enum Rule {
    /// DLBacktrace's own rule, which for a weighted sum is |c| / Σ|c| · R.
    #[default]
    Backtrace,
    /// Jᵀ·R with the derivative J. It conserves nothing.
    Gradient,
    /// Unchanged.
    Pass,
    /// Sums: c / (z + ε·sign z) · R with ε > 0 (Bach et al. 2015). What ε takes is lost. Signed. A product of matrices is such a sum of
    /// products, each half of either factor (Achtibat et al. 2024); a norm is one while its statistics are held fixed.
    Epsilon(f64),
    /// Sums: (c + γ·max(c, 0)) / Σ(c + γ·max(c, 0)) · R where z ≥ 0, and with min in place of max where z < 0; γ ≥ 0 (Montavon et al.
    /// 2019, for both signs Andéol et al. 2021). Signed.
    Gamma(f64),
    /// Sums: α·c⁺ / Σc⁺ · R to the positive contributions and −β·c⁻ / Σc⁻ · R to the negative ones, with α − β = 1 (Bach et al. 2015).
    /// Signed.
    AlphaBeta(f64, f64),
    /// Sums: c⁺ / Σc⁺ · R (Montavon et al. 2017): α-β with α = 1.
    ZPlus,
    /// Sums: c · sign z / Σ|c| · R. It is signed and divides by nothing smaller than Σ|c|; what cancels among the contributions is
    /// lost.
    SignedBacktrace,
    /// Sums: w² / (Σw² + b²) · R, whatever the operand (Montavon et al. 2017).
    WSquare,
    /// Sums: the same part of R for every connection, whatever its weight and the operand (Lapuschkin et al. 2019). A bias takes
    /// nothing.
    Flat,
    /// Layers: c / Σc · R with c = w·x − max(w, 0)·low − min(w, 0)·high, where low ≤ x ≤ high, so that no c is below 0 (Montavon et
    /// al. 2017). The bias cancels.
    Box(Bounds),
    /// The rule box before its bounds are known. A walk needs them: see [`RuleSet::bounded`](super::RuleSet::bounded).
    #[serde(rename = "box", skip_deserializing)]
    OpenBox,
    /// Products and sums: the same part for every factor or term.
    Half,
    /// Products: to each factor in proportion to its magnitude.
    Magnitude,
    /// Products of elements: all to the factor that the other one scales, a gate or the weight of an expert (Arras et al. 2017).
    Signal,
    /// Products: all to the first factor, with the second held fixed; matrices by the rule ε of the sum that the product then is.
    First(f64),
    /// Products: all to the second factor, with the first held fixed; matrices by the rule ε of the sum that the product then is
    /// (Ali et al. 2022). Of attention, the values take all.
    Second(f64),
    /// Softmax s of x: x ⊙ (R − s·ΣR), the first-order term of its expansion (Achtibat et al. 2024). The rest is lost. Signed.
    Taylor,
    /// Softmax: it hands on nothing (Ali et al. 2022).
    Closed,
    /// Activations: the gradient, where R is positive (Springenberg et al. 2015). It conserves nothing.
    Guided,
    /// Activations: R where it is positive, unchanged (Zeiler and Fergus 2014). It conserves nothing.
    Deconvolution,
}

impl Rule {
    /// The rules, with usual parameters.
    pub const ALL: [Self; 20] = [
        Self::Backtrace,
        Self::Gradient,
        Self::Pass,
        Self::Epsilon(1e-6),
        Self::Gamma(0.25),
        Self::AlphaBeta(2.0, 1.0),
        Self::ZPlus,
        Self::SignedBacktrace,
        Self::WSquare,
        Self::Flat,
        Self::OpenBox,
        Self::Half,
        Self::Magnitude,
        Self::Signal,
        Self::First(1e-6),
        Self::Second(1e-6),
        Self::Taylor,
        Self::Closed,
        Self::Guided,
        Self::Deconvolution,
    ];

    /// The rules that serve a kind of step.
    pub fn of(kind: Kind) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |rule| rule.serves(kind))
    }

    /// Whether a step of this kind can take it.
    pub fn serves(&self, kind: Kind) -> bool {
        use Kind::{Activation, Attention, MatrixProduct, Norm, Product, Rectifier, Softmax};
        match self {
            Self::Backtrace | Self::Gradient => true,
            Self::Pass => matches!(kind, Activation | Rectifier | Softmax | Norm | Kind::Movement),
            Self::Epsilon(_) => kind.is_sum() || matches!(kind, MatrixProduct | Attention | Norm),
            Self::Gamma(_) | Self::AlphaBeta(..) | Self::ZPlus | Self::SignedBacktrace => kind.is_sum(),
            Self::WSquare | Self::Flat => kind.is_sum(),
            Self::Box(_) | Self::OpenBox => kind.is_layer(),
            Self::Half => matches!(kind, Product | Kind::Sum),
            Self::Magnitude | Self::Signal => kind == Product,
            Self::First(_) => matches!(kind, Product | MatrixProduct),
            Self::Second(_) => matches!(kind, Product | MatrixProduct | Attention),
            Self::Taylor | Self::Closed => kind == Softmax,
            Self::Guided | Self::Deconvolution => matches!(kind, Activation | Rectifier),
        }
    }

    /// Whether what it hands on and what it loses is what arrived.
    pub fn conserves(&self) -> bool {
        !matches!(self, Self::Gradient | Self::Guided | Self::Deconvolution)
    }

    /// Whether it needs the derivative of an operator.
    pub fn differentiates(&self) -> bool {
        matches!(self, Self::Gradient | Self::Guided | Self::Taylor)
    }

    /// Checks its parameters.
    pub(super) fn check(&self) -> Result<(), String> {
        let wrong = match *self {
            Self::Box(ref bounds) => {
                return bounds.check().map_err(|wrong| format!("{wrong}, but the rule is {self}"));
            }
            Self::Epsilon(epsilon) | Self::First(epsilon) | Self::Second(epsilon)
                if !(epsilon > 0.0 && epsilon.is_finite()) =>
            {
                "epsilon must be above 0"
            }
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
            Self::Gradient => f.write_str("gradient"),
            Self::Pass => f.write_str("pass"),
            Self::Epsilon(epsilon) => write!(f, "epsilon {epsilon:?}"),
            Self::Gamma(gamma) => write!(f, "gamma {gamma:?}"),
            Self::AlphaBeta(alpha, beta) => write!(f, "alpha-beta {alpha:?}, {beta:?}"),
            Self::ZPlus => f.write_str("z-plus"),
            Self::SignedBacktrace => f.write_str("signed-backtrace"),
            Self::WSquare => f.write_str("w-square"),
            Self::Flat => f.write_str("flat"),
            Self::Box(bounds) => write!(f, "box {bounds}"),
            Self::OpenBox => f.write_str("box"),
            Self::Half => f.write_str("half"),
            Self::Magnitude => f.write_str("magnitude"),
            Self::Signal => f.write_str("signal"),
            Self::First(epsilon) => write!(f, "first {epsilon:?}"),
            Self::Second(epsilon) => write!(f, "second {epsilon:?}"),
            Self::Taylor => f.write_str("taylor"),
            Self::Closed => f.write_str("closed"),
            Self::Guided => f.write_str("guided"),
            Self::Deconvolution => f.write_str("deconvolution"),
        }
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// A name alone, or a name with parameters. The box alone is one whose bounds are not yet known.
impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl<'de> Visitor<'de> for Written {
            type Value = Rule;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a rule, by its name or as { name = parameters }")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Rule, E> {
                if name == "box" { Ok(Rule::OpenBox) } else { Rule::deserialize(StrDeserializer::new(name)) }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Rule, A::Error> {
                Rule::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_any(Written)
    }
}
