//! Recognises activations that are written out (rules, "Written out and in one operator"): as products, such as x·σ(x), x·Φ(x),
//! x·relu6(x+3)/6 and x·tanh(softplus x), and as quotients, such as x / (1 + e⁻ˣ), x / (1 + |x|) and x / √(1 + x²).

use crate::ops::Pass;
use crate::{Function, Role, Step, Tape, Tensor, ValueId};

/// A value as a function of one other value, element by element.
#[derive(Debug, Clone, Copy)]
struct Univariate {
    /// The value it is a function of.
    root: ValueId,
    /// What is known of the function.
    curve: Curve,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Curve {
    /// c·x
    Multiple(f64),
    /// x times or divided by constants that are not one single number.
    Scaled,
    /// σ(βx)
    Sigmoid(f64),
    /// A function that contains a bounded one, such as erf or tanh.
    Bounded,
    /// 1 + eˣ and the like: dividing by it bounds.
    Exponential,
    /// c + |x|ᵖ and the like, which grows as a power of |x|; with c it stays away from 0.
    Growing {
        /// The power p.
        power: f64,
        /// Whether a constant was added.
        shifted: bool,
    },
    /// Anything else.
    Plain,
}

/// Turns products and quotients that are activations into passes to the plain factor.
pub(super) fn recognise<T: Tensor>(tape: &mut Tape<T>) {
    let mut known: Vec<Univariate> = (0..tape.values.len())
        .map(|value| Univariate { root: ValueId(value), curve: Curve::Multiple(1.0) })
        .collect();
    for step in &mut tape.steps {
        let Some(&output) = step.outputs.first() else { continue };
        let Some(found) = of_step(step, &known) else { continue };
        if let Some((operand, function)) = found.activation {
            step.becomes(Box::new(Pass { operand, role: Role::Function(function) }));
        }
        known[output.0] = found.value;
    }
}

struct Found {
    value: Univariate,
    /// The factor that receives and the activation, if the step is a written-out activation.
    activation: Option<(usize, Function)>,
}

fn of_step<T: Tensor>(step: &Step<T>, known: &[Univariate]) -> Option<Found> {
    let plain = |value: Univariate| Some(Found { value, activation: None });
    let role = step.op.role(&step.inputs);
    let mut moving = step.inputs.iter().enumerate().filter(|(_, operand)| operand.depends);
    let (first, operand) = moving.next()?;
    let of = |value: ValueId| known[value.0];
    let input = of(operand.value);
    match (role, moving.next()) {
        (Role::Function(function), None) => {
            plain(Univariate { root: input.root, curve: through(function, input.curve) })
        }
        (Role::Identity, None) => plain(input),
        (Role::Sum { .. } | Role::Product | Role::Quotient, None) => {
            let curve = match role {
                Role::Sum { .. } => shifted(input.curve),
                // A constant is divided by it.
                Role::Quotient if first > 0 || step.inputs.len() == 1 => {
                    through(Function::Power(-1.0), input.curve)
                }
                _ => multiplied(input.curve),
            };
            plain(Univariate { root: input.root, curve })
        }
        (Role::Sum { .. } | Role::Product | Role::Quotient, Some((second, other_operand))) => {
            let other = of(other_operand.value);
            if input.root != other.root {
                return None;
            }
            let activation = match role {
                Role::Product => product(input.curve, other.curve)
                    .map(|(left, function)| (if left { first } else { second }, function)),
                Role::Quotient => quotient(input.curve, other.curve).map(|function| (first, function)),
                _ => None,
            };
            let curve = joined(role, input.curve, other.curve);
            Some(Found { value: Univariate { root: input.root, curve }, activation })
        }
        _ => None,
    }
}

/// The curve of the sum, product or quotient of two functions of one value.
fn joined(role: Role, a: Curve, b: Curve) -> Curve {
    match (role, a, b) {
        (Role::Product, Curve::Multiple(_) | Curve::Scaled, Curve::Multiple(_) | Curve::Scaled) => {
            Curve::Growing { power: 2.0, shifted: false }
        }
        (Role::Quotient, ..) if saturates(a, b, -1.0) => Curve::Bounded,
        (Role::Product, ..) if saturates(a, b, 1.0) || saturates(b, a, 1.0) => Curve::Bounded,
        _ if bounded(a) || bounded(b) => Curve::Bounded,
        _ => Curve::Plain,
    }
}

/// The curve after multiplying by constants.
fn multiplied(curve: Curve) -> Curve {
    match curve {
        Curve::Multiple(_) | Curve::Scaled => Curve::Scaled,
        other => widened(other),
    }
}

/// The power of |x| with which a function grows.
fn growth(curve: Curve) -> Option<f64> {
    match curve {
        Curve::Multiple(_) | Curve::Scaled => Some(1.0),
        Curve::Growing { power, .. } => Some(power),
        _ => None,
    }
}

/// Whether x · otherᵉ with e = ±1 stays bounded: the other grows just as x does, and stays away from 0.
fn saturates(x: Curve, other: Curve, exponent: f64) -> bool {
    let (Some(own), Curve::Growing { power, shifted: true }) = (growth(x), other) else { return false };
    own > 0.0 && (own + exponent * power).abs() < 1e-9
}

/// The curve after adding constants.
fn shifted(curve: Curve) -> Curve {
    match curve {
        Curve::Growing { power, .. } if power > 0.0 => Curve::Growing { power, shifted: true },
        Curve::Growing { .. } => Curve::Plain,
        other => widened(other),
    }
}

fn through(function: Function, input: Curve) -> Curve {
    match (function, input) {
        (Function::Scale(factor), Curve::Multiple(so_far)) => Curve::Multiple(factor * so_far),
        (Function::Scale(_), curve) => multiplied(curve),
        (Function::Sigmoid, Curve::Multiple(beta)) => Curve::Sigmoid(beta),
        (Function::Sigmoid | Function::Tanh | Function::Bounded, _) => Curve::Bounded,
        (Function::Exp, _) => Curve::Exponential,
        (Function::Magnitude, Curve::Multiple(_) | Curve::Scaled) => {
            Curve::Growing { power: 1.0, shifted: false }
        }
        (Function::Magnitude, growing @ Curve::Growing { .. }) => growing,
        (Function::Power(2.0), Curve::Multiple(_) | Curve::Scaled) => {
            Curve::Growing { power: 2.0, shifted: false }
        }
        (Function::Power(exponent), Curve::Growing { power, shifted }) => {
            Curve::Growing { power: power * exponent, shifted }
        }
        (_, curve) if bounded(curve) => Curve::Bounded,
        _ => Curve::Plain,
    }
}

/// The curve after adding constants, or multiplying by them, for a function that is not a power.
fn widened(curve: Curve) -> Curve {
    match curve {
        Curve::Sigmoid(_) => Curve::Bounded,
        Curve::Multiple(_) | Curve::Scaled => Curve::Plain,
        // 1 + eˣ, c + |x|ᵖ
        other => other,
    }
}

fn bounded(curve: Curve) -> bool {
    matches!(curve, Curve::Sigmoid(_) | Curve::Bounded)
}

/// Whether the left factor is the plain one, and the activation, if one factor is bounded and the other is not.
fn product(left: Curve, right: Curve) -> Option<(bool, Function)> {
    match (bounded(left), bounded(right)) {
        (false, true) => Some((true, gating(left, right))),
        (true, false) => Some((false, gating(right, left))),
        _ if saturates(left, right, 1.0) => Some((true, Function::Bounded)),
        _ if saturates(right, left, 1.0) => Some((false, Function::Bounded)),
        _ => None,
    }
}

fn gating(plain: Curve, bounded: Curve) -> Function {
    match (plain, bounded) {
        (Curve::Multiple(1.0), Curve::Sigmoid(beta)) => Function::Swish { beta },
        _ => Function::Other,
    }
}

/// x / (1 + e⁻ˣ), x / b(x) with a bounded b, and x / (1 + |x|).
fn quotient(numerator: Curve, divisor: Curve) -> Option<Function> {
    if saturates(numerator, divisor, -1.0) {
        return Some(Function::Bounded);
    }
    let activates = divisor == Curve::Exponential || bounded(divisor);
    (activates && !bounded(numerator)).then_some(Function::Other)
}
