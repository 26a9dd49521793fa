//! Rule sets: which rule each step of a walk takes (rules §10). A set is data: it can be written by hand, read, and
//! kept with an explanation.

mod assign;
mod batch_norm;
mod bounds;
mod finding;
mod kind;
mod possible;
mod presets;
mod reads;
mod row;
mod rule;

pub(crate) use assign::assign;
pub use batch_norm::BatchNorm;
pub use bounds::{Bounded, Bounds, Level};
pub use finding::Finding;
pub use kind::Kind;
pub use possible::Possible;
pub use presets::{PRESETS, Preset};
pub use reads::Reads;
pub use row::{Layer, Row};
pub use rule::Rule;

use crate::names::did_you_mean;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// An ordered table of rules. A step takes the rule of the first row that selects it. Movement has no rule: it goes back by its exact
/// adjoint in every set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RuleSet {
    /// Its name.
    pub name: String,
    /// What becomes of steps that no row selects.
    #[serde(default, skip_serializing_if = "Others::are_backtraced")]
    pub others: Others,
    /// What becomes of batch norms before rules are chosen.
    #[serde(default, skip_serializing_if = "BatchNorm::passes")]
    pub batch_norm: BatchNorm,
    /// The rows.
    #[serde(default, rename = "step", skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<Row>,
}

/// What becomes of steps that no row selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Others {
    /// They take [`Rule::Backtrace`].
    #[default]
    Backtrace,
    /// They are refused, if relevance may reach them and their rule could differ.
    Refused,
}

impl Others {
    fn are_backtraced(&self) -> bool {
        *self == Self::Backtrace
    }
}

/// DLBacktrace's own rules.
impl Default for RuleSet {
    fn default() -> Self {
        Self {
            name: "backtrace".into(),
            others: Others::Backtrace,
            batch_norm: BatchNorm::Pass,
            rows: Vec::new(),
        }
    }
}

/// Reads the name of a set, or a set in TOML.
impl FromStr for RuleSet {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.contains('=') { Self::from_toml(text) } else { Self::named(text) }
    }
}

impl RuleSet {
    /// One of [`PRESETS`], by its name.
    ///
    /// # Errors
    /// [`Error::Rules`] if there is none of this name.
    pub fn named(name: &str) -> Result<Self> {
        let found = PRESETS.iter().find(|preset| preset.name == name);
        found.map(Preset::rules).ok_or_else(|| {
            let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
            let meant = did_you_mean(name, names.iter().copied());
            Error::Rules(format!("there is no rule set {name}; there are {}{meant}", names.join(", ")))
        })
    }

    /// Reads a set that is written in TOML.
    ///
    /// # Errors
    /// [`Error::Rules`] with the line of what is wrong.
    pub fn from_toml(text: &str) -> Result<Self> {
        let set: Self = toml_edit::de::from_str(text).map_err(|error| {
            Error::Rules(format!("{}{}", error.to_string().trim_end(), meant(error.message())))
        })?;
        set.check()?;
        Ok(set)
    }

    /// The set in TOML, as [`from_toml`](Self::from_toml) reads it.
    ///
    /// # Errors
    /// [`Error::Rules`] if a number cannot be written.
    pub fn to_toml(&self) -> Result<String> {
        toml_edit::ser::to_string_pretty(self).map_err(|error| Error::Rules(error.to_string()))
    }

    /// Whether every step takes DLBacktrace's own rule, the only one that has a contrastive mode.
    pub fn is_backtrace(&self) -> bool {
        self.rows.iter().all(|row| row.rule == Rule::Backtrace) && self.others == Others::Backtrace
    }

    /// Whether every rule conserves relevance. If not, there is no ledger, and the walk starts with 1.
    pub fn conserves(&self) -> bool {
        self.rows.iter().all(|row| row.rule.conserves())
    }

    /// What its rules read of a run.
    pub fn reads(&self) -> Reads {
        Reads::of(self)
    }

    /// The set with these bounds for every rule `box` that has none.
    #[must_use]
    pub fn bounded(mut self, bounds: &Bounds) -> Self {
        for row in self.rows.iter_mut().filter(|row| row.rule == Rule::OpenBox) {
            row.rule = Rule::Box(bounds.clone());
        }
        self
    }

    /// Whether a rule `box` has no bounds yet.
    pub fn lacks_bounds(&self) -> bool {
        self.rows.iter().any(|row| row.rule == Rule::OpenBox)
    }

    /// Checks what can be known without a model, and that the set lacks nothing.
    ///
    /// # Errors
    /// [`Error::Rules`] as by [`check`](Self::check), or if a rule `box` has no bounds.
    pub fn check_complete(&self) -> Result<()> {
        self.check()?;
        if !self.lacks_bounds() {
            return Ok(());
        }
        Err(Error::Rules(format!(
            "rule set {}: the rule box needs the least and the largest number that its layer can read. The command knows them if all \
             inputs are pictures. Otherwise give them by --bounds LOW,HIGH, in Rust by RuleSet::bounded, or in the set, as \
             rule = {{ box = {{ low = -2.1, high = [2.2, 2.4, 2.6] }} }} (`dlbacktrace rules NAME` prints a set to edit)",
            self.name
        )))
    }

    /// Checks what can be known without a model.
    ///
    /// # Errors
    /// [`Error::Rules`] if a rule cannot serve a kind of its row, or if a parameter is out of range.
    pub fn check(&self) -> Result<()> {
        for (number, row) in self.rows.iter().enumerate() {
            row.check().map_err(|reason| self.wrong(number, &reason))?;
        }
        Ok(())
    }

    fn wrong(&self, row: usize, reason: &str) -> Error {
        Error::Rules(format!("rule set {}, step {}: {reason}", self.name, row + 1))
    }
}

/// What a word in a file may mean that serde's message quotes before the words it knows.
fn meant(message: &str) -> String {
    let mut words = message.split('`').skip(1).step_by(2);
    match words.next() {
        Some(asked) if message.starts_with("unknown") => did_you_mean(asked, words),
        _ => String::new(),
    }
}
