//! Rule sets under the names that the field uses.

use super::{Kind, Layer, Row, Rule, RuleSet};
use serde::Serialize;

/// A rule set with its name and source.
#[derive(Debug, Serialize)]
pub struct Preset {
    /// Its name.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    #[serde(skip)]
    rows: fn() -> Vec<Row>,
}

/// The layers: weighted sums with constant weights.
const LAYERS: [Kind; 2] = [Kind::Linear, Kind::Convolution];

/// The sets that have names.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "backtrace",
        summary: "DLBacktrace's own rules",
        source: "arXiv 2411.12643",
        rows: Vec::new,
    },
    Preset {
        name: "last-layer-signed",
        summary: "as backtrace, with the last layer by epsilon: signed, and another map for each class where the last layer reads maps",
        source: "this project",
        rows: || vec![Row::of(LAYERS, Rule::Epsilon(1e-6)).at(Layer::Last)],
    },
];

impl Preset {
    /// The set.
    pub fn rules(&self) -> RuleSet {
        RuleSet { name: self.name.into(), rows: (self.rows)() }
    }
}
