//! Which rule each of TensorFlow's operators has. What is not here has none.

mod arguments;
mod arithmetic;
mod convolutions;
mod detection;
mod einsum;
mod functions;
mod geometry;
#[cfg(test)]
mod jacobians;
mod lists;
mod lookups;
mod losses;
mod matrices;
mod movement;
mod passing;
mod pooling;
mod reductions;
mod sampling;
mod scatters;
mod sources;
mod sparse;
mod strides;
mod texts;
mod unruled;
mod warps;

use crate::lowering::Lowering;
use crate::{Keep, Record};
use dlbacktrace_core::ops::Decision;
use dlbacktrace_core::{Family, Function, Result};
use std::collections::HashMap;
use std::sync::OnceLock;

/// One row of the table.
pub(crate) struct Entry {
    /// Operator types.
    pub(crate) names: &'static [&'static str],
    /// The kind of rule.
    pub(crate) family: Family,
    /// Which tensors the rule reads.
    pub(crate) keep: Keep,
    /// How a record becomes steps of the tape.
    pub(crate) lower: Lower,
}

/// How a record becomes steps of the tape.
pub(crate) enum Lower {
    /// A function of the first input.
    Function(Function),
    /// The first input unchanged, or in another type.
    Identity,
    /// A normalisation of the first input.
    Norm,
    /// What numbers decide.
    Decision(Decision),
    /// Nothing flows.
    Constant,
    /// By a function of its own.
    By(fn(&mut Lowering, &Record) -> Result<()>),
    /// Known, and without a rule.
    Unruled,
}

impl Entry {
    const fn function(names: &'static [&'static str], function: Function) -> Self {
        Self { names, family: Family::Pass, keep: Keep::Indices, lower: Lower::Function(function) }
    }

    /// A rule that reads the shapes of its inputs, and integers and truth values.
    const fn by_shape(
        names: &'static [&'static str],
        family: Family,
        lower: fn(&mut Lowering, &Record) -> Result<()>,
    ) -> Self {
        Self { names, family, keep: Keep::Indices, lower: Lower::By(lower) }
    }

    /// A rule that reads its inputs.
    const fn by_data(
        names: &'static [&'static str],
        family: Family,
        lower: fn(&mut Lowering, &Record) -> Result<()>,
    ) -> Self {
        Self { names, family, keep: Keep::Inputs, lower: Lower::By(lower) }
    }

    /// A rule that reads its inputs and its result.
    const fn by_result(
        names: &'static [&'static str],
        family: Family,
        lower: fn(&mut Lowering, &Record) -> Result<()>,
    ) -> Self {
        Self { names, family, keep: Keep::All, lower: Lower::By(lower) }
    }
}

/// All rows.
fn entries() -> impl Iterator<Item = &'static Entry> {
    [
        arithmetic::ENTRIES,
        convolutions::ENTRIES,
        detection::ENTRIES,
        einsum::ENTRIES,
        functions::ENTRIES,
        lists::ENTRIES,
        lookups::ENTRIES,
        losses::ENTRIES,
        matrices::ENTRIES,
        movement::ENTRIES,
        passing::ENTRIES,
        pooling::ENTRIES,
        reductions::ENTRIES,
        sampling::ENTRIES,
        scatters::ENTRIES,
        sources::ENTRIES,
        sparse::ENTRIES,
        strides::ENTRIES,
        texts::ENTRIES,
        unruled::ENTRIES,
        warps::ENTRIES,
    ]
    .into_iter()
    .flatten()
}

/// The table by operator type.
pub(crate) fn table() -> &'static HashMap<&'static str, &'static Entry> {
    static TABLE: OnceLock<HashMap<&str, &Entry>> = OnceLock::new();
    TABLE.get_or_init(|| {
        entries().flat_map(|entry| entry.names.iter().map(move |&name| (name, entry))).collect()
    })
}

/// What the interpreter keeps of an operator.
pub(crate) fn keep(operator: &str) -> Keep {
    table().get(operator).map_or(Keep::Indices, |entry| entry.keep)
}

/// One operator and its rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorRule {
    /// The operator's type.
    pub operator: &'static str,
    /// The kind of rule.
    pub family: Family,
}

/// The operator table, sorted by name.
pub fn operators() -> Vec<OperatorRule> {
    let mut rules: Vec<OperatorRule> =
        table().iter().map(|(&operator, entry)| OperatorRule { operator, family: entry.family }).collect();
    rules.sort_by_key(|rule| rule.operator);
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_has_one_row() {
        let named = entries().map(|entry| entry.names.len()).sum::<usize>();
        assert_eq!(named, table().len());
    }
}
