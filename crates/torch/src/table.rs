//! Which rule each ATen operator has. What is not here and is no composite of operators that are has none.

mod arithmetic;
mod attention;
mod bags;
mod complex;
mod convolutions;
mod einsum;
mod fourier;
mod functions;
mod grids;
mod inverses;
mod lookups;
mod losses;
mod matrices;
mod movement;
mod nested;
mod parts;
mod passing;
mod pooling;
mod quantised;
mod recurrent;
mod reductions;
mod sampling;
mod scatters;
mod transformer;
mod triangular;
mod unruled;
mod vision;

use crate::lowering::Lowering;
use dlbacktrace_core::ops::Decision;
use dlbacktrace_core::{Family, Function, OfComplex, Result};
use dlbacktrace_torch_recorder::{Call, Keep, Policy};
use std::collections::HashMap;
use std::sync::OnceLock;

/// One row of the table.
pub(crate) struct Entry {
    /// Qualified names without overload; in-place and `out=` twins are meant too.
    pub(crate) names: &'static [&'static str],
    /// The kind of rule.
    pub(crate) family: Family,
    /// Which tensors the rule reads.
    pub(crate) keep: Keep,
    /// How a call becomes steps of the tape.
    pub(crate) lower: Lower,
    /// What becomes of a call on complex numbers.
    pub(crate) of_complex: OfComplex,
}

/// How a call becomes steps of the tape.
#[derive(Clone, Copy)]
pub(crate) enum Lower {
    /// A function of the first tensor.
    Function(Function),
    /// The first tensor unchanged, or in another type.
    Identity,
    /// A normalisation of the first tensor.
    Norm,
    /// What numbers decide.
    Decision(Decision),
    /// Nothing flows.
    Constant,
    /// Elements move as their numbers do.
    Rearrange,
    /// By a function of its own.
    By(fn(&mut Lowering, &Call) -> Result<()>),
    /// Known and without a rule: not to be followed into its parts, for these would explain something else.
    Unruled,
}

impl Entry {
    const fn new(names: &'static [&'static str], family: Family, keep: Keep, lower: Lower) -> Self {
        Self { names, family, keep, lower, of_complex: OfComplex::Unruled }
    }

    const fn function(names: &'static [&'static str], function: Function) -> Self {
        Self::new(names, Family::Pass, Keep::Indices, Lower::Function(function))
    }

    /// A function that gates the weighted sum before it, which reads what the function was applied to. In place that
    /// would cost a copy, which costs more than it spares.
    const fn gating(names: &'static [&'static str], function: Function) -> Self {
        Self::new(names, Family::Pass, Keep::Unwritten, Lower::Function(function))
    }

    /// What numbers decide.
    const fn decision(names: &'static [&'static str], decision: Decision) -> Self {
        Self::new(names, Family::Decision, Keep::Indices, Lower::Decision(decision))
    }

    /// What carries nothing, real or complex.
    const fn constant(names: &'static [&'static str]) -> Self {
        Self::new(names, Family::Constant, Keep::Indices, Lower::Constant).of_complex()
    }

    /// A rule that reads the shapes of its operands, and integer and boolean tensors.
    const fn by_shape(
        names: &'static [&'static str],
        family: Family,
        lower: fn(&mut Lowering, &Call) -> Result<()>,
    ) -> Self {
        Self::new(names, family, Keep::Indices, Lower::By(lower))
    }

    /// A rule that reads its operands.
    const fn by_data(
        names: &'static [&'static str],
        family: Family,
        lower: fn(&mut Lowering, &Call) -> Result<()>,
    ) -> Self {
        Self::new(names, family, Keep::Read, Lower::By(lower))
    }

    /// A rule that reads its operands and its results.
    const fn by_result(
        names: &'static [&'static str],
        family: Family,
        lower: fn(&mut Lowering, &Call) -> Result<()>,
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
        attention::ENTRIES,
        bags::ENTRIES,
        complex::ENTRIES,
        convolutions::ENTRIES,
        einsum::ENTRIES,
        fourier::ENTRIES,
        functions::ENTRIES,
        grids::ENTRIES,
        inverses::ENTRIES,
        lookups::ENTRIES,
        losses::ENTRIES,
        matrices::ENTRIES,
        movement::ENTRIES,
        nested::ENTRIES,
        passing::ENTRIES,
        pooling::ENTRIES,
        quantised::ENTRIES,
        recurrent::ENTRIES,
        reductions::ENTRIES,
        sampling::ENTRIES,
        scatters::ENTRIES,
        transformer::ENTRIES,
        triangular::ENTRIES,
        unruled::ENTRIES,
        vision::ENTRIES,
    ]
    .into_iter()
    .flatten()
}

/// The table by operator name.
pub(crate) fn table() -> &'static HashMap<&'static str, &'static Entry> {
    static TABLE: OnceLock<HashMap<&str, &Entry>> = OnceLock::new();
    TABLE.get_or_init(|| {
        entries().flat_map(|entry| entry.names.iter().map(move |&name| (name, entry))).collect()
    })
}

/// What the recorder keeps of each operator; with `all`, everything, for a replay.
pub(crate) fn policy(all: bool) -> Policy {
    let leaves = table().iter().map(|(&name, entry)| (name, entry.keep));
    if all { Policy::keeping_all(leaves) } else { Policy::new(leaves) }
}

/// One operator and its rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorRule {
    /// Qualified ATen name.
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
