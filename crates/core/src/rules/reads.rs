//! What the rules of a set read of a run, which its recording must keep.

use super::{Kind, Others, Row, Rule, RuleSet};

/// What the rules of a set read of a run, beyond what those of DLBacktrace read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Reads {
    /// The kinds of step of which some go by derivatives, as bits.
    derivatives: u32,
    /// Whether softmax may be expanded around its argument.
    expands: bool,
    /// Whether norms may go by the sums in them.
    norms: bool,
    /// Whether sums may be divided by their result.
    results: bool,
    /// Whether recurrent layers go by the rules of their parts.
    recurrent_parts: bool,
}

impl Reads {
    /// What the rules of this set read.
    pub(super) fn of(set: &RuleSet) -> Self {
        // A layer is one step if the set may have a rule for that.
        let recurrent = |row: &Row| row.rule.serves(Kind::Recurrent) && row.may_select(Kind::Recurrent);
        let mut reads = Self {
            recurrent_parts: set.others == Others::Refused && !set.rows.iter().any(recurrent),
            ..Self::default()
        };
        for row in &set.rows {
            let selects = |kind: Kind| row.may_select(kind) && row.rule.serves(kind);
            if row.rule.differentiates() {
                let kinds = Kind::ALL.into_iter().filter(|kind| selects(*kind));
                reads.derivatives |= kinds.map(bit).sum::<u32>();
            }
            reads.expands |= row.rule == Rule::Taylor;
            if matches!(row.rule, Rule::Epsilon(_) | Rule::First(_) | Rule::Second(_)) {
                reads.norms |= selects(Kind::Norm);
                reads.results |= Kind::ALL.into_iter().any(|kind| kind != Kind::Norm && selects(kind));
            }
        }
        reads
    }

    /// Whether they read more than the rules of DLBacktrace do.
    pub fn more(self) -> bool {
        // The parts of recurrent layers are known anyway.
        Self { recurrent_parts: false, ..self } != Self::default()
    }

    /// Whether steps of this kind may go by the derivative of their operator.
    pub fn differentiates(self, kind: Kind) -> bool {
        self.derivatives & bit(kind) != 0
    }

    /// Whether softmax may be expanded around its argument.
    pub fn expands(self) -> bool {
        self.expands
    }

    /// Whether norms may go by their operands.
    pub fn norms(self) -> bool {
        self.norms || self.differentiates(Kind::Norm)
    }

    /// Whether recurrent layers go by the rules of their parts.
    pub fn recurrent_parts(self) -> bool {
        self.recurrent_parts
    }

    /// Whether sums may be divided by their result.
    pub fn results(self) -> bool {
        self.results
    }
}

fn bit(kind: Kind) -> u32 {
    1 << kind as u32
}
