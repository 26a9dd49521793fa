//! Where relevance went (rules §7): every step accounts for what it received.

use std::collections::BTreeMap;
use std::ops::{Add, AddAssign, Sub};

use crate::{DType, Place, Step};

/// An amount of relevance in each channel. The second is 0 in default mode.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Amount {
    /// The relevance of default mode, or the channel for.
    pub positive: f64,
    /// The channel against, of contrastive mode.
    pub negative: f64,
}

impl Amount {
    /// The amounts of both channels.
    pub fn new(positive: f64, negative: f64) -> Self {
        Self { positive, negative }
    }

    /// An amount in default mode.
    pub fn default_mode(amount: f64) -> Self {
        Self::new(amount, 0.0)
    }

    /// For minus against; in default mode, the amount.
    pub fn difference(self) -> f64 {
        self.positive - self.negative
    }

    /// The larger magnitude of the two channels; NaN if one of them is NaN, so that it never balances.
    pub fn magnitude(self) -> f64 {
        let (positive, negative) = (self.positive.abs(), self.negative.abs());
        if positive > negative || positive.is_nan() { positive } else { negative }
    }

    /// Whether neither channel holds anything.
    pub fn is_zero(self) -> bool {
        self.positive == 0.0 && self.negative == 0.0
    }
}

impl Add for Amount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self::new(self.positive + other.positive, self.negative + other.negative)
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Amount {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self::new(self.positive - other.positive, self.negative - other.negative)
    }
}

impl std::iter::Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Add::add)
    }
}

/// Why relevance did not reach the operands of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Loss {
    /// A bias took it.
    Bias,
    /// A constant operand of a sum took it.
    Constant,
    /// The gate of a saturated activation blocked it.
    Gate,
    /// The unit had no contribution to hand on: its denominator was 0.
    ZeroDenominator,
    /// Contrastive mode routed it to contributions of a sign that the unit does not have, or the unit was undecided.
    MissingSign,
    /// It landed on padding.
    Padding,
    /// A movement took it to values that do not depend on an explained input.
    Unexplained,
    /// It ended in a decision made from several numbers: a comparison, a threshold, a bin, a flag.
    Decision,
    /// It reached an operator without a rule that an option let through.
    Unruled,
    /// The ε of a rule took it.
    Stabiliser,
    /// Contributions of the two signs cancelled each other.
    Cancelled,
    /// The constant term of an expansion took it.
    Remainder,
    /// Its rule hands on nothing.
    Closed,
}

/// What one step received, handed on and lost.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Entry {
    /// The framework's name of the operator.
    pub operator: String,
    /// Where the step ran.
    pub place: Place,
    /// The relevance that arrived at the outputs.
    pub received: Amount,
    /// The relevance handed on to the operands.
    pub delivered: Amount,
    /// The relevance lost, by reason.
    pub lost: BTreeMap<Loss, Amount>,
    /// Whether received = delivered + lost within the tolerance of the element type.
    pub closes: bool,
}

impl Entry {
    /// The empty account of a step.
    pub(crate) fn of<T>(step: &Step<T>) -> Self {
        Self {
            operator: step.operator.clone(),
            place: step.place.clone(),
            received: Amount::default(),
            delivered: Amount::default(),
            lost: BTreeMap::new(),
            closes: true,
        }
    }

    /// The relevance that the step does not account for.
    pub fn gap(&self) -> Amount {
        self.received - self.delivered - self.lost.values().copied().sum()
    }
}

/// Adds another block of the same step.
impl AddAssign for Entry {
    fn add_assign(&mut self, block: Self) {
        self.received += block.received;
        self.delivered += block.delivered;
        for (loss, amount) in block.lost {
            *self.lost.entry(loss).or_default() += amount;
        }
        self.closes &= block.closes;
    }
}

/// The account of a whole explanation.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Ledger {
    /// One entry for each step that received relevance, in the order of the walk (last step first).
    pub entries: Vec<Entry>,
}

impl Ledger {
    /// Losses of the whole explanation by reason.
    pub fn losses(&self) -> BTreeMap<Loss, Amount> {
        let mut losses = BTreeMap::new();
        for (loss, amount) in self.entries.iter().flat_map(|entry| &entry.lost) {
            *losses.entry(*loss).or_insert_with(Amount::default) += *amount;
        }
        losses
    }

    /// The steps that do not account for all they received.
    pub fn open_entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| !entry.closes)
    }

    /// Whether every step closes.
    pub fn closes(&self) -> bool {
        self.entries.iter().all(|entry| entry.closes)
    }
}

/// The relative tolerance within which a step must close (rules §7).
pub(crate) fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => 1e-10,
        _ => 1e-4,
    }
}
