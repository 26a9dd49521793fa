//! The table of a framework: which rule each of its operators has.

use super::{Framework, Lowering};
use crate::ops::Decision;
use crate::rules::{Kind, Reads};
use crate::{Family, Function, OfComplex, Result};
use std::collections::HashMap;

/// One row of a framework's table.
pub struct Row<F: Framework> {
    /// The operators, by the name of [`Framework::row`].
    pub names: &'static [&'static str],
    /// The kind of rule in lists of operators; it decides nothing.
    pub listed: Family,
    /// Which tensors the rule reads.
    pub keep: F::Keep,
    /// How a call becomes steps.
    pub lower: Lower<F>,
    /// How a call on complex numbers is lowered.
    pub of_complex: OfComplex,
    /// What rules other than those of DLBacktrace read.
    pub besides: Besides,
    /// The kinds that its steps may have, where the function that lowers it leaves that open.
    kinds: Option<&'static [Kind]>,
}

/// What rules other than those of DLBacktrace read of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Besides {
    /// Everything: the derivative is that of the whole call.
    All,
    /// Nothing more: its steps bring their derivatives.
    Nothing,
    /// The result, by which ε-rules divide; its steps bring their derivatives.
    Result,
    /// The operands of a norm.
    Norm,
    /// Everything, for its steps: the framework has no derivative of the whole call.
    Parts,
}

/// How a call becomes steps of the tape.
pub enum Lower<F: Framework> {
    /// A function of each element of the first operand.
    Function(Function),
    /// The first operand unchanged, or in another element type.
    Identity,
    /// The first operand unchanged, but not to derivatives: they end there, or beyond a range.
    Detached,
    /// A normalisation of the first operand.
    Norm,
    /// A decision about numbers.
    Decision(Decision),
    /// No relevance flows.
    Constant,
    /// Lowered by a function of its own.
    By(LowerBy<F>),
    /// Known to have no rule.
    Unruled,
}

/// Writes the steps of a call.
pub type LowerBy<F> = fn(&mut Lowering<F>, &<F as Framework>::Call) -> Result<()>;

impl<F: Framework> Row<F> {
    /// A row for real numbers.
    pub const fn new(names: &'static [&'static str], listed: Family, keep: F::Keep, lower: Lower<F>) -> Self {
        let (of_complex, besides) = (OfComplex::Unruled, Besides::All);
        Self { names, listed, keep, lower, of_complex, besides, kinds: None }
    }

    /// A function of each element of the first operand.
    pub const fn function(names: &'static [&'static str], function: Function) -> Self {
        Self::new(names, Family::Pass, F::INDICES, Lower::Function(function))
    }

    /// A function that gates the weighted sum before it; the gate reads the function's argument.
    pub const fn gating(names: &'static [&'static str], function: Function) -> Self {
        Self::new(names, Family::Pass, F::GATED, Lower::Function(function))
    }

    /// A decision about numbers.
    pub const fn decision(names: &'static [&'static str], decision: Decision) -> Self {
        Self::new(names, Family::Decision, F::INDICES, Lower::Decision(decision))
    }

    /// An operator that carries nothing, on real or complex numbers.
    pub const fn constant(names: &'static [&'static str]) -> Self {
        Self::new(names, Family::Constant, F::INDICES, Lower::Constant).of_complex()
    }

    /// An operator that is known to have no rule.
    pub const fn unruled(names: &'static [&'static str]) -> Self {
        Self::new(names, Family::Unruled, F::INDICES, Lower::Unruled)
    }

    /// A rule that reads the shapes of its operands, and integers and truth values.
    pub const fn by_shape(names: &'static [&'static str], listed: Family, lower: LowerBy<F>) -> Self {
        Self::new(names, listed, F::INDICES, Lower::By(lower))
    }

    /// Movement that reads the shapes of its operands, and integers and truth values.
    pub const fn movement(names: &'static [&'static str], lower: LowerBy<F>) -> Self {
        Self::by_shape(names, Family::Movement, lower).of_kinds(&[Kind::Movement]).adjoins()
    }

    /// A rule that reads its operands.
    pub const fn by_data(names: &'static [&'static str], listed: Family, lower: LowerBy<F>) -> Self {
        Self::new(names, listed, F::OPERANDS, Lower::By(lower))
    }

    /// A rule that reads its operands and its results.
    pub const fn by_result(names: &'static [&'static str], listed: Family, lower: LowerBy<F>) -> Self {
        Self::new(names, listed, F::ALL, Lower::By(lower))
    }

    /// Its steps bring their derivatives.
    pub const fn adjoins(mut self) -> Self {
        self.besides = Besides::Nothing;
        self
    }

    /// Its steps bring their derivatives, and may divide by their result.
    pub const fn sums(mut self) -> Self {
        self.besides = Besides::Result;
        self
    }

    /// It is a norm, whose operands rules other than those of DLBacktrace read.
    pub const fn norms(mut self) -> Self {
        self.besides = Besides::Norm;
        self
    }

    /// Its framework has no derivative of it, but of the operators of which it is composed.
    pub const fn parts(mut self) -> Self {
        self.besides = Besides::Parts;
        self
    }

    /// All its steps are of these kinds, also as parts of a written-out norm or of what is done to tokens.
    pub const fn of_kinds(mut self, kinds: &'static [Kind]) -> Self {
        self.kinds = Some(kinds);
        self
    }

    /// The kinds that its steps may have, as far as that is known without a run; `None` if it is not.
    pub fn kinds(&self) -> Option<Vec<Kind>> {
        match (&self.lower, self.listed) {
            (Lower::Function(function), _) => Some(vec![Kind::of_function(*function)]),
            (Lower::Identity, _) => Some(vec![Kind::Movement]),
            (Lower::Detached, _) => Some(vec![Kind::Activation]),
            (Lower::Norm, _) => Some(vec![Kind::Norm]),
            (Lower::Decision(_) | Lower::Constant, _) => Some(vec![Kind::Other]),
            (Lower::Unruled, _) => None,
            (Lower::By(_), _) if self.kinds.is_some() => self.kinds.map(<[Kind]>::to_vec),
            (Lower::By(_), Family::Winner) => Some(vec![Kind::Winner]),
            (Lower::By(_), _) => None,
        }
    }

    /// Which tensors of a call these rules read.
    pub fn keep(&self, reads: Reads) -> F::Keep {
        match (&self.lower, self.besides) {
            _ if !reads.more() => self.keep,
            (Lower::Function(function), _) => self.keep_of_function(*function, reads),
            (Lower::Identity | Lower::Decision(_) | Lower::Constant, _) | (_, Besides::Nothing) => self.keep,
            (_, Besides::Result) if !reads.results() => self.keep,
            (_, Besides::Norm) if !reads.norms() => self.keep,
            (_, Besides::Norm) if reads.differentiates(Kind::Norm) => F::DERIVATIVE,
            (_, Besides::Norm) => F::OPERANDS,
            _ => F::ALL,
        }
    }

    fn keep_of_function(&self, function: Function, reads: Reads) -> F::Keep {
        let kind = Kind::of_function(function);
        match () {
            () if kind == Kind::Softmax && reads.expands() => F::ALL,
            () if reads.differentiates(kind) && function.slope::<F::Tensor>().is_some() => F::RESULTS,
            () if reads.differentiates(kind) => F::DERIVATIVE,
            // An exponential may be a part of a written-out softmax.
            () if function == Function::Exp && reads.expands() => F::OPERANDS,
            () => self.keep,
        }
    }

    /// The rule also holds for complex numbers.
    pub const fn of_complex(mut self) -> Self {
        self.of_complex = OfComplex::Ruled;
        self
    }

    /// On complex numbers, the operator does to each part what it does to real numbers.
    pub const fn by_parts(mut self) -> Self {
        self.of_complex = OfComplex::Parts;
        self
    }
}

/// The rows of a framework by the names of operators.
pub struct Table<F: Framework> {
    rows: HashMap<&'static str, &'static Row<F>>,
}

impl<F: Framework> Table<F> {
    /// A table of these rows.
    pub fn of(rows: impl IntoIterator<Item = &'static Row<F>>) -> Self {
        let named = rows.into_iter().flat_map(|row| row.names.iter().map(move |&name| (name, row)));
        Self { rows: named.collect() }
    }

    /// The row of an operator.
    pub fn get(&self, operator: &str) -> Option<&'static Row<F>> {
        self.rows.get(operator).copied()
    }

    /// All operators with their rows, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static Row<F>)> {
        self.rows.iter().map(|(&name, &row)| (name, row))
    }

    /// All operators and the kinds of their rules, sorted by name.
    pub fn rules(&self) -> Vec<OperatorRule> {
        let rule = |(operator, row): (_, &Row<F>)| OperatorRule { operator, family: row.listed };
        let mut rules: Vec<OperatorRule> = self.iter().map(rule).collect();
        rules.sort_by_key(|rule| rule.operator);
        rules
    }
}

/// One operator and its rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorRule {
    /// The framework's name of the operator.
    pub operator: &'static str,
    /// The kind of rule.
    pub family: Family,
}
