//! Which rule each of TensorFlow's operators has. What is not here has none.

mod arguments;
mod arithmetic;
mod complex;
mod convolutions;
mod detection;
mod einsum;
mod fourier;
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
use dlbacktrace_core::{Family, Function, OfComplex, Result};
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
    /// What becomes of a record of complex numbers.
    pub(crate) of_complex: OfComplex,
}

/// How a record becomes steps of the tape.
#[derive(Clone, Copy)]
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
    const fn new(names: &'static [&'static str], family: Family, keep: Keep, lower: Lower) -> Self {
        Self { names, family, keep, lower, of_complex: OfComplex::Unruled }
    }

    const fn function(names: &'static [&'static str], function: Function) -> Self {
        Self::new(names, Family::Pass, Keep::Indices, Lower::Function(function))
    }

    /// What numbers decide.
    const fn decision(names: &'static [&'static str], decision: Decision) -> Self {
        Self::new(names, Family::Decision, Keep::Indices, Lower::Decision(decision))
    }

    /// What carries nothing, real or complex.
    const fn constant(names: &'static [&'static str]) -> Self {
        Self::new(names, Family::Constant, Keep::Indices, Lower::Constant).of_complex()
    }

    /// A rule that reads the shapes of its inputs, and integers and truth values.
    const fn by_shape(
        names: &'static [&'static str],
        family: Family,
        lower: fn(&mut Lowering, &Record) -> Result<()>,
    ) -> Self {
        Self::new(names, family, Keep::Indices, Lower::By(lower))
    }

    /// A rule that reads its inputs.
    const fn by_data(
        names: &'static [&'static str],
        family: Family,
        lower: fn(&mut Lowering, &Record) -> Result<()>,
    ) -> Self {
        Self::new(names, family, Keep::Inputs, Lower::By(lower))
    }

    /// A rule that reads its inputs and its result.
    const fn by_result(
        names: &'static [&'static str],
        family: Family,
        lower: fn(&mut Lowering, &Record) -> Result<()>,
    ) -> Self {
        Self::new(names, family, Keep::All, Lower::By(lower))
    }

    /// Its rule is one of complex numbers, too.
    const fn of_complex(self) -> Self {
        Self { of_complex: OfComplex::Ruled, ..self }
    }

    /// Of complex numbers it does to each part what it does to real numbers.
    const fn by_parts(self) -> Self {
        Self { of_complex: OfComplex::Parts, ..self }
    }
}

/// All rows.
fn entries() -> impl Iterator<Item = &'static Entry> {
    [
        arithmetic::ENTRIES,
        complex::ENTRIES,
        convolutions::ENTRIES,
        detection::ENTRIES,
        einsum::ENTRIES,
        fourier::ENTRIES,
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
