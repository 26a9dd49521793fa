//! Warnings about where parts of the start went: to operators without a rule, to decisions made from the inputs, or to constants
//! added to the embeddings of tokens (rules, "Decisions that the model takes" and "What is added to an embedding").

use super::{Options, Port};
use crate::analysis::is_batch_norm;
use crate::{Amount, DType, Entry, Family, Ledger, Loss, Role, Step, Tensor, ValueId};
use std::collections::{BTreeMap, HashSet};

/// The smallest part of the start that is worth a warning.
const WORTH: f64 = 1e-3;

/// The part of the start above which what empty units take is worth a warning.
const MUCH: f64 = 0.2;

/// The number of steps to name.
const NAMED: usize = 3;

/// The steps of a tape to warn about, by their number.
pub(super) struct Noted {
    decisions: HashSet<usize>,
    additions: HashSet<usize>,
    quantities: HashSet<usize>,
    /// The batch norms that are not parts of layers.
    batch_norms: usize,
    /// Whether batch norms were to be folded.
    folds: bool,
    /// The inputs that are taken for tokens: integers and texts.
    tokens: String,
}

impl Noted {
    pub(super) fn new<T: Tensor>(steps: &[Step<T>], inputs: &[Port<T>], options: &Options) -> Self {
        let token = |port: &&Port<T>| match port.tensor.dtype() {
            DType::Int => !options.numeric_inputs.contains(&port.name),
            DType::Other => true,
            _ => false,
        };
        let (tokens, names): (Vec<_>, Vec<_>) =
            inputs.iter().filter(token).map(|port| (port.value, port.name.as_str())).unzip();
        let additions = steps.iter().filter(|step| step.adds);
        Self {
            decisions: of_numbers(steps),
            additions: additions.map(|step| step.place.step).collect(),
            quantities: computed_from(steps, &tokens),
            batch_norms: steps.iter().filter(|step| is_batch_norm(step)).count(),
            folds: options.folds_batch_norms(),
            tokens: names.join(", "),
        }
    }

    /// What was assumed of batch norms.
    pub(super) fn assumed(&self) -> Option<String> {
        let alone = self.batch_norms;
        (self.folds && alone > 0).then(|| match alone {
            1 => "a batch norm has no layer beside it that could take it up, so it passes relevance on".to_owned(),
            _ => format!("{alone} batch norms have no layer beside them that could take them up, so they pass relevance on"),
        })
    }

    /// Much of the start met units without contributions, above all layers whose result only a batch norm makes more than 0.
    fn empty_units(&self, ledger: &Ledger, start: f64) -> Option<String> {
        let empty = parts(ledger, start, |entry| {
            gross(entry.lost.get(&Loss::ZeroDenominator).copied().unwrap_or_default())
        });
        let all: f64 = empty.values().sum();
        let fold = if self.batch_norms > 0 && !self.folds {
            "; where a batch norm adds a constant behind them, batch_norm (--batch-norm fold) gives this part to that constant, and divides \
             the rest otherwise"
        } else {
            ""
        };
        (all > MUCH).then(|| {
            format!(
                "{} of the start arrived at units of which all contributions are 0 (zero_denominator), so no input takes it{fold}: {}",
                percent(all),
                named(&empty)
            )
        })
    }

    /// The warnings. They give the parts of the start, whose total is `start`, that ended in decisions, passed decisions, or
    /// stayed with constants that are added to embeddings or computed from tokens.
    pub(super) fn warnings(&self, ledger: &Ledger, start: f64) -> Vec<String> {
        let lost = |entry: &Entry, loss| gross(entry.lost.get(&loss).copied().unwrap_or_default());
        let among = |steps: &HashSet<usize>, entry: &Entry| steps.contains(&entry.place.step);
        let ended = |entry: &Entry| lost(entry, Loss::Decision);
        let passed = |entry: &Entry| if among(&self.decisions, entry) { gross(entry.delivered) } else { 0.0 };
        let added =
            |entry: &Entry| if among(&self.additions, entry) { lost(entry, Loss::Constant) } else { 0.0 };
        let counted = |entry: &Entry| match among(&self.quantities, entry) {
            true => lost(entry, Loss::Constant) + lost(entry, Loss::Unexplained),
            false => 0.0,
        };
        let of_tokens = format!(
            "stayed with values computed from tokens ({}) that are not looked up; if an integer input holds quantities, use \
             numeric_input (--numeric-input NAME)",
            self.tokens
        );
        let unruled = parts(ledger, start, |entry| lost(entry, Loss::Unruled));
        let unruled = (!unruled.is_empty()).then(|| {
            format!(
                "{} of the start was lost at operators without a rule, which allow_unruled (--allow-unruled) lets pass, so the inputs \
                 receive too little: {}",
                percent(unruled.values().sum()),
                named(&unruled)
            )
        });
        [
            unruled,
            self.empty_units(ledger, start),
            told(
                parts(ledger, start, ended),
                "ended in decisions that the model made from several numbers, so no input takes it",
            ),
            told(
                parts(ledger, start, passed),
                "came from decisions about one number each, which takes it, though only \
                 the side of the limit on which it lies counted",
            ),
            told(
                parts(ledger, start, added),
                "stayed with constants that are added to the embeddings of tokens, such as positions; whole_tokens \
                 (--whole-tokens) gives it to the tokens",
            ),
            told(parts(ledger, start, counted), &of_tokens),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The steps that add or concatenate numbers and values computed from tokens without a lookup.
fn computed_from<T: Tensor>(steps: &[Step<T>], tokens: &[ValueId]) -> HashSet<usize> {
    let mut computed: HashSet<ValueId> = tokens.iter().copied().collect();
    let mut sums = HashSet::new();
    for step in steps {
        let (of_these, others): (Vec<_>, Vec<_>) =
            step.inputs.iter().partition(|operand| computed.contains(&operand.value));
        let moves = others.iter().any(|operand| operand.depends);
        let gathers = matches!(step.op.role(&step.inputs), Role::Sum { .. } | Role::Movement);
        if of_these.iter().any(|operand| !operand.depends) && moves && !step.adds && gathers {
            sums.insert(step.place.step);
        }
        let ends = match step.op.family() {
            Family::Embedding => true,
            Family::Constant | Family::Decision => !matches!(step.op.role(&step.inputs), Role::Comparison),
            _ => false,
        };
        if !of_these.is_empty() && !moves && !ends {
            computed.extend(&step.outputs);
        }
    }
    sums
}

/// The decisions made from numbers. One made only from other decisions, such as a conjunction, passes on what it receives, so
/// that is counted there.
fn of_numbers<T: Tensor>(steps: &[Step<T>]) -> HashSet<usize> {
    let (mut decided, mut found) = (HashSet::<ValueId>::new(), HashSet::new());
    for step in steps {
        let decides = step.op.family() == Family::Decision;
        let mut operands = step.inputs.iter().filter(|operand| operand.depends).peekable();
        let further = operands.peek().is_some() && operands.all(|operand| decided.contains(&operand.value));
        if decides && !further {
            found.insert(step.place.step);
        }
        if decides || further {
            decided.extend(&step.outputs);
        }
    }
    found
}

fn told(parts: BTreeMap<String, f64>, what: &str) -> Option<String> {
    let all: f64 = parts.values().sum();
    (all >= WORTH).then(|| format!("{} of the start {what}: {}", percent(all), named(&parts)))
}

fn gross(amount: Amount) -> f64 {
    amount.positive.abs() + amount.negative.abs()
}

/// Parts of the start by the place where they stayed; the iterations of a loop add up.
fn parts(ledger: &Ledger, start: f64, amount: impl Fn(&Entry) -> f64) -> BTreeMap<String, f64> {
    let mut parts = BTreeMap::new();
    for entry in &ledger.entries {
        let part = amount(entry) / start;
        if part > 0.0 {
            *parts.entry(standing(entry)).or_default() += part;
        }
    }
    parts
}

/// An operator and its place in the model.
fn standing(entry: &Entry) -> String {
    let mut text = entry.operator.clone();
    if !entry.place.module.path.is_empty() {
        text += &format!(" in {}", entry.place.module.path);
    }
    if let Some(source) = &entry.place.source {
        text += &format!(" at {source}");
    }
    text
}

fn named(parts: &BTreeMap<String, f64>) -> String {
    let mut largest: Vec<(&String, &f64)> = parts.iter().collect();
    largest.sort_by(|a, b| b.1.total_cmp(a.1));
    let mut texts: Vec<String> =
        largest.iter().take(NAMED).map(|(place, part)| format!("{} {place}", percent(**part))).collect();
    if largest.len() > NAMED {
        texts.push(format!("and {} more", largest.len() - NAMED));
    }
    texts.join("; ")
}

fn percent(part: f64) -> String {
    format!("{:.1} %", 100.0 * part)
}
