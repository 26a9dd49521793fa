//! Recognises normalisations that are written out (rules, "Written out and in one operator"): (x − mean)·rsqrt(var + ε)·γ + β,
//! x·rsqrt(mean x² + ε)·γ, x / ‖x‖, x / (k + mean x² over neighbours)ᵝ, exp(x − max) / Σ exp(x − max), x − logsumexp(x), and
//! (x − μ)/σ·γ + β with constant μ and σ.
//!
//! One idea serves all. A *statistic* of x is a value computed from x by element-wise functions and a reduction. To multiply or
//! divide x by a statistic of x is to normalise x, so relevance passes to x unchanged. Subtracting a mean or a maximum on
//! the way is part of it, and so are a scale and a shift by constants with one entry for each feature. In a batch norm the
//! statistics are constants.
//!
//! For each value we keep the value it came from (`base`) and, if it is a statistic, what it is a statistic of. How a step
//! changes this depends on its role and its moving operands:
//!
//! | step | statistic before | after |
//! |---|---|---|
//! | function | none | same base; exp remembers its argument |
//! | root, power, scale, magnitude | level or inverse | the same; a negative power exchanges level and inverse |
//! | log | level | logsumexp |
//! | any other function | any | a new base |
//! | sum, product or quotient with constants | none | same base; by feature: a centring, or the scale and shift of a norm |
//! | reduction, windows, logsumexp | none | a level, a local level or a logsumexp of the base |
//! | x and its own statistic | none and one | quotient by a level, product with an inverse: **normalised** |
//! | two statistics of one value | two | a statistic again, such as mean x² − (mean x)² |

use crate::ops::Pass;
use crate::{Function, Operand, Role, Step, Tape, Tensor, ValueId};
use std::collections::HashSet;

/// What is known of a value.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// The value it came from by element-wise functions, centring and normalising.
    base: ValueId,
    /// The value it came from, also across turned axes and added borders.
    source: ValueId,
    /// The value it is a statistic of, and the kind of statistic.
    statistic: Option<(ValueId, Kind)>,
    /// For a statistic of a statistic, the base of the inner one: the mean over tokens, divided by its own norm, is normalised.
    within: Option<ValueId>,
    /// The step that subtracted a statistic or constants on the way from the base; for the shift −mean·rsqrt(var), the product.
    centring: Option<usize>,
    /// The argument of an exponential, before the maximum was subtracted.
    exponent: Option<ValueId>,
    /// Whether it is normalised, or scaled for each feature: a constant added now is the shift of a norm.
    normalised: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A mean, a norm, a variance …
    Level,
    /// The inverse of a level: a normaliser multiplies by it.
    Inverse,
    /// ln Σ eˣ
    LogSumExp,
    /// A level of each cell's neighbours: one divides by it, but does not subtract it.
    Local,
}

/// What to do with a step.
enum Outcome {
    /// Leave it as it is.
    Keep,
    /// Hand everything to this operand.
    Pass(usize),
    /// Make it the softmax of this value.
    Softmax(ValueId),
}

/// Turns the steps of written-out normalisations into passes.
pub(super) fn recognise<T: Tensor>(tape: &mut Tape<T>) {
    let mut known: Vec<Known> = (0..tape.values.len()).map(|value| plain(ValueId(value))).collect();
    let expands = tape.reads.expands();
    for index in 0..tape.steps.len() {
        let Some((value, outcome)) = of_step(&tape.steps[index], index, &known) else { continue };
        if !matches!(outcome, Outcome::Keep)
            && let Some(centring) = value.centring
        {
            pass_to_base(&mut tape.steps[centring], &known);
        }
        let meta = |value: ValueId| tape.values[value.0].clone();
        match outcome {
            Outcome::Keep => {}
            Outcome::Pass(operand) => {
                tape.steps[index].becomes(Box::new(Pass { operand, role: Role::Other }))
            }
            Outcome::Softmax(of) => {
                // An expansion reads x, if some step does.
                let data = if expands { read_of(&tape.steps[..index], of) } else { None };
                let operand = Operand { depends: true, data, ..Operand::shape_only(of, meta(of)) };
                tape.steps[index].becomes(Box::new(Pass::function(Function::Softmax)));
                tape.steps[index].inputs = vec![operand];
            }
        }
        if let Some(output) = tape.steps[index].outputs.first() {
            known[output.0] = value;
        }
    }
}

/// The data of a value, if one of these steps reads it or a copy of it.
fn read_of<T: Tensor>(steps: &[Step<T>], value: ValueId) -> Option<T> {
    let mut copies = HashSet::from([value]);
    for step in steps {
        let Some(read) = step.inputs.iter().find(|operand| copies.contains(&operand.value)) else { continue };
        if read.data.is_some() {
            return read.data.clone();
        }
        if let Role::Identity = step.op.role(&step.inputs) {
            copies.extend(&step.outputs);
        }
    }
    None
}

/// Turns the step that centred into a pass to the operand that is not the statistic. In a mean that was divided by a level that
/// is the mean.
fn pass_to_base<T: Tensor>(step: &mut Step<T>, known: &[Known]) {
    let kind = |operand: &Operand<T>| known[operand.value.0].statistic.map(|(_, kind)| kind);
    let moving = |fits: fn(Option<Kind>) -> bool| {
        step.inputs.iter().position(|operand| operand.depends && fits(kind(operand)))
    };
    let operand = moving(|kind| kind.is_none()).or_else(|| moving(|kind| kind == Some(Kind::Level)));
    if let Some(operand) = operand {
        step.becomes(Box::new(Pass { operand, role: Role::Other }));
    }
}

fn plain(value: ValueId) -> Known {
    Known {
        base: value,
        source: value,
        statistic: None,
        within: None,
        centring: None,
        exponent: None,
        normalised: false,
    }
}

fn of_step<T: Tensor>(step: &Step<T>, index: usize, known: &[Known]) -> Option<(Known, Outcome)> {
    let role = step.op.role(&step.inputs);
    let own = plain(*step.outputs.first()?);
    let moving: Vec<(usize, Known)> = step
        .inputs
        .iter()
        .enumerate()
        .filter(|(_, operand)| operand.depends)
        .map(|(index, operand)| (index, known[operand.value.0]))
        .collect();
    let unchanged = |value| Some((value, Outcome::Keep));
    let turned = |input: Known| if step.op.turn().is_some() { input.source } else { own.source };
    match (role, moving.as_slice()) {
        (Role::Function(Function::Exp), &[(operand, input)]) if input.statistic.is_none() => {
            let before_centring = input.centring.map(|_| input.base);
            let exponent = Some(before_centring.unwrap_or(step.inputs[operand].value));
            unchanged(Known { exponent, ..input })
        }
        (Role::Function(function), &[(_, input)]) => unchanged(through(function, input, own)),
        (Role::Identity, &[(_, input)]) => unchanged(input),
        (Role::Sum { plain, .. }, &[(operand, input)]) => Some(shifted(step, operand, input, plain, index)),
        (Role::Product, &[(_, input)]) | (Role::Quotient, &[(0, input)]) => Some(scaled(step, input)),
        // A constant is divided by the statistic.
        (Role::Quotient, &[(_, input)]) => unchanged(through(Function::Power(-1.0), input, own)),
        (Role::Norm, &[_]) => unchanged(Known { normalised: true, ..own }),
        (Role::Reshape, &[(_, input)]) => {
            let Known { statistic, within, normalised, .. } = input;
            unchanged(Known { source: turned(input), statistic, within, normalised, ..own })
        }
        (Role::Movement | Role::Choice, &[(_, input)]) => {
            let Known { statistic, within, .. } = input;
            unchanged(Known { source: turned(input), statistic, within, ..own })
        }
        (Role::Windows, &[(_, input)]) if input.statistic.is_none() => {
            unchanged(Known { statistic: Some((input.source, Kind::Local)), ..own })
        }
        (Role::Reduction, &[(_, input)]) => {
            let of = input.statistic.map_or(input.base, |(of, _)| of);
            let within = input.statistic.map(|_| input.base);
            unchanged(Known { statistic: Some((of, Kind::Level)), within, ..own })
        }
        (Role::LogSumExp, &[(_, input)]) => {
            unchanged(Known { statistic: Some((input.base, Kind::LogSumExp)), ..own })
        }
        (Role::Sum { .. } | Role::Product | Role::Quotient, &[a, b]) => of_pair(role, a, b, index, own),
        _ => None,
    }
}

/// A function keeps the base, or turns one statistic into another.
fn through(function: Function, input: Known, own: Known) -> Known {
    let Some((of, kind)) = input.statistic else { return Known { normalised: false, ..input } };
    let kind = match (function, kind) {
        (Function::Power(exponent), Kind::Level | Kind::Local) if exponent < 0.0 => Kind::Inverse,
        (Function::Power(exponent), Kind::Inverse) if exponent < 0.0 => Kind::Level,
        (Function::Log, Kind::Level) => Kind::LogSumExp,
        (Function::Power(_) | Function::Scale(_) | Function::Magnitude, kind) => kind,
        // A sigmoid of a mean is a gate, not a normaliser.
        _ => return own,
    };
    Known { statistic: Some((of, kind)), within: input.within, centring: input.centring, ..own }
}

/// Constants are added or subtracted, one for each feature. After a norm's scale this is its shift; before the scale it
/// subtracts a mean. A plain sum does not: its constant may be the state of a recurrent cell, with one row for each sample,
/// unless it is repeated along an axis of each sample.
/// is repeated along an axis of each.
fn shifted<T: Tensor>(
    step: &Step<T>,
    operand: usize,
    input: Known,
    plain: bool,
    index: usize,
) -> (Known, Outcome) {
    if input.statistic.is_some() || !by_feature(step) {
        return (input, Outcome::Keep);
    }
    if input.normalised {
        return (Known { centring: None, normalised: false, ..input }, Outcome::Pass(operand));
    }
    let centring = if plain && !repeated(step) { input.centring } else { Some(index) };
    (Known { centring, ..input }, Outcome::Keep)
}

/// Whether the constant operand is repeated along an axis after that of the samples.
fn repeated<T: Tensor>(step: &Step<T>) -> bool {
    let shape =
        |depends: bool| step.inputs.iter().find(|operand| operand.depends == depends).map(|x| &x.meta.shape);
    let (Some(x), Some(constant)) = (shape(true), shape(false)) else { return false };
    x.len() == constant.len() && x.iter().zip(constant).skip(1).any(|(x, constant)| *constant == 1 && *x > 1)
}

/// Multiplies or divides by constants, one for each feature: the scale of a norm. A mean subtracted before it then passes too.
fn scaled<T: Tensor>(step: &Step<T>, input: Known) -> (Known, Outcome) {
    let operand = step.inputs.iter().position(|operand| operand.depends).unwrap_or(0);
    if input.statistic.is_some() || !by_feature(step) {
        return (input, Outcome::Keep);
    }
    // A constant factor passes anyway. The outcome says so, so that the step that centred becomes a pass as well.
    (Known { normalised: true, ..input }, Outcome::Pass(operand))
}

/// Whether the constant operand has one entry for each feature: only one of its axes has an extent other than 1.
fn by_feature<T: Tensor>(step: &Step<T>) -> bool {
    let (moving, constants): (Vec<_>, Vec<_>) = step.inputs.iter().partition(|operand| operand.depends);
    let ([x], [constant]) = (moving.as_slice(), constants.as_slice()) else { return false };
    let shape = &constant.meta.shape;
    match shape.iter().filter(|&&extent| extent != 1).count() {
        0 => of_one_feature(&x.meta.shape, shape.len()),
        count => count == 1,
    }
}

/// Whether a single entry with this many axes is one for each feature: there is just one feature, and its axis is the last one
/// or the one after the first, which counts samples.
fn of_one_feature(x: &[usize], rank: usize) -> bool {
    let single = |axis: usize| axis > 0 && axis + rank >= x.len() && x.get(axis) == Some(&1);
    single(x.len().saturating_sub(1)) || single(1)
}

/// Whether a statistic belongs to this value. A statistic of neighbours may belong to the value before its axes turned.
fn is_own(value: Known, of: ValueId, kind: Kind) -> bool {
    of == value.base || (of == value.source && matches!(kind, Kind::Local | Kind::Inverse))
}

fn of_pair(
    role: Role,
    a: (usize, Known),
    b: (usize, Known),
    index: usize,
    own: Known,
) -> Option<(Known, Outcome)> {
    let ((index_a, a), (index_b, b)) = (a, b);
    let (operand, x, kind, shift) = match (a.statistic, b.statistic) {
        (None, Some((of, kind))) if is_own(a, of, kind) => (index_a, a, kind, b.centring),
        (Some((of, kind)), None) if is_own(b, of, kind) && role != Role::Quotient => {
            (index_b, b, kind, a.centring)
        }
        // mean x² − (mean x)², mean · rsqrt(var)
        (Some((of, kind)), Some((other, other_kind))) if of == other => {
            let normalises = match role {
                Role::Quotient => other_kind == Kind::Level,
                Role::Product => other_kind == Kind::Inverse,
                _ => false,
            };
            let outcome = match b.within == Some(a.base) && normalises {
                true => Outcome::Pass(index_a),
                false => Outcome::Keep,
            };
            let levelled = role == Role::Product && other_kind == Kind::Inverse;
            let (kind, centring) = if levelled { (Kind::Inverse, Some(index)) } else { (kind, None) };
            return Some((Known { statistic: Some((of, kind)), centring, ..own }, outcome));
        }
        // y·y
        (None, None) if role == Role::Product && a.base == b.base => {
            return Some((Known { normalised: false, ..a }, Outcome::Keep));
        }
        _ => return None,
    };
    let normalised = Known { normalised: true, ..x };
    match (role, kind, x.exponent) {
        (Role::Quotient, Kind::Level, Some(exponent)) => Some((normalised, Outcome::Softmax(exponent))),
        (Role::Product, Kind::Inverse, _) | (Role::Quotient, Kind::Level | Kind::Local, _) => {
            Some((normalised, Outcome::Pass(operand)))
        }
        (Role::Sum { .. }, Kind::LogSumExp, _) => Some((x, Outcome::Pass(operand))),
        // The shift −mean·rsqrt(var) of a folded norm, after its scale.
        (Role::Sum { .. }, Kind::Inverse, _) if x.normalised => {
            Some((Known { centring: shift, ..x }, Outcome::Pass(operand)))
        }
        (Role::Sum { .. }, Kind::Level, _) => Some((Known { centring: Some(index), ..x }, Outcome::Keep)),
        _ => None,
    }
}
