//! Operators whose results depend on random numbers or on the batch, so that another run may explain otherwise.

use crate::ModulePath;
use std::collections::BTreeMap;
use std::fmt;

/// Why an operator may give another result for the same sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Chance {
    /// It draws random numbers.
    Drawn,
    /// It takes statistics of the batch, as in training: its result for a sample depends on the other samples.
    Batch,
}

/// An operator whose result is not settled by the sample, and its place.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RandomUse {
    /// Its name in the framework.
    pub operator: String,
    /// Its module.
    #[serde(flatten)]
    pub module: ModulePath,
    /// Why.
    pub chance: Chance,
    /// How often it ran, or stands in the code, there.
    pub count: usize,
}

impl RandomUse {
    /// Lists each operator of each module once, in the order in which they ran.
    pub fn counted(uses: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut counted: Vec<Self> = Vec::new();
        for found in uses {
            let same = |other: &&mut Self| {
                (&other.operator, &other.module, other.chance)
                    == (&found.operator, &found.module, found.chance)
            };
            match counted.iter_mut().find(same) {
                Some(other) => other.count += found.count,
                None => counted.push(found),
            }
        }
        counted
    }

    /// Whether any of them draws random numbers.
    pub fn any_drawn(uses: &[Self]) -> bool {
        uses.iter().any(|found| found.chance == Chance::Drawn)
    }

    /// Warnings about these operators, for random numbers that start from `seed`.
    pub fn warnings(uses: &[Self], seed: Option<u64>) -> Vec<String> {
        let warning = |chance| {
            let listed = listed(uses, chance)?;
            Some(match (chance, seed) {
                (Chance::Drawn, None) => format!(
                    "the model draws random numbers, so each run may give another explanation: {listed}. Save it in inference \
                     mode (PyTorch: after eval(); Keras: without training=True), or fix the numbers with a random seed (--random-seed 0)"
                ),
                (Chance::Drawn, Some(seed)) => format!(
                    "the model draws random numbers: {listed}. They start from the random seed {seed}; another seed gives \
                     another explanation"
                ),
                (Chance::Batch, _) => format!(
                    "the model takes statistics of its batch, as in training, so the samples of a batch change each \
                     other's explanation: {listed}. Save it in inference mode (PyTorch: after eval(); Keras: without training=True)"
                ),
            })
        };
        [Chance::Drawn, Chance::Batch].into_iter().filter_map(warning).collect()
    }
}

impl fmt::Display for RandomUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.operator)?;
        match (self.module.path.as_str(), self.module.class.as_str()) {
            ("", "") => {}
            ("", name) | (name, "") => write!(f, " in {name}")?,
            (path, class) => write!(f, " in {path} ({class})")?,
        }
        if self.count > 1 { write!(f, ", {} times", self.count) } else { Ok(()) }
    }
}

/// The number of modules to name for each operator.
const NAMED: usize = 5;

/// `aten::dropout in drop1, drop2`; `None` if there are none.
fn listed(uses: &[RandomUse], chance: Chance) -> Option<String> {
    let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for found in uses.iter().filter(|found| found.chance == chance) {
        let modules = places.entry(&found.operator).or_default();
        let ModulePath { path, class } = &found.module;
        modules.extend([path.as_str(), class].into_iter().find(|name| !name.is_empty()));
    }
    let operator = |(operator, modules): (&str, Vec<&str>)| {
        let more = modules.len().saturating_sub(NAMED);
        match modules.as_slice() {
            [] => operator.to_owned(),
            modules if more > 0 => format!("{operator} in {} and {more} more", modules[..NAMED].join(", ")),
            modules => format!("{operator} in {}", modules.join(", ")),
        }
    };
    let operators: Vec<String> = places.into_iter().map(operator).collect();
    (!operators.is_empty()).then(|| operators.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(operator: &str, path: &str, chance: Chance) -> RandomUse {
        let module = ModulePath { path: path.into(), class: "Dropout".into() };
        RandomUse { operator: operator.into(), module, chance, count: 1 }
    }

    #[test]
    fn each_place_is_told_once() {
        let drawn = |path| found("aten::dropout", path, Chance::Drawn);
        let uses = RandomUse::counted([drawn("a"), drawn("b"), drawn("a"), found("bn", "c", Chance::Batch)]);
        assert_eq!(uses.iter().map(|found| found.count).collect::<Vec<_>>(), [2, 1, 1]);
        let [drawn, batch] = &RandomUse::warnings(&uses, None)[..] else { panic!("two kinds") };
        assert!(drawn.contains("aten::dropout in a, b.") && drawn.contains("--random-seed"), "{drawn}");
        assert!(batch.contains("bn in c."), "{batch}");
        assert!(RandomUse::warnings(&uses, Some(7))[0].contains("random seed 7"));
        assert!(RandomUse::warnings(&[], None).is_empty());
    }
}
