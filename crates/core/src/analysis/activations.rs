//! Activations written out as products (rules §9): x·σ(x), x·Φ(x), x·relu6(x+3)/6, x·tanh(softplus x) …

use crate::ops::Pass;
use crate::{Function, Role, Step, Tape, Tensor, ValueId};

/// A value as a function of one other value, element by element.
#[derive(Debug, Clone, Copy)]
struct Univariate {
    /// The value it is a function of.
    root: ValueId,
    /// What is known of the function.
    shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    /// c·x
    Multiple(f64),
    /// σ(βx)
    Sigmoid(f64),
    /// Holds a bounded function somewhere, such as erf or tanh.
    Bounded,
    /// 1 + eˣ and the like: bounded as a divisor.
    Exponential,
    /// Anything else.
    Plain,
}

/// Turns products that are activations into passes to the plain factor.
pub(super) fn recognise<T: Tensor>(tape: &mut Tape<T>) {
    let mut known: Vec<Univariate> = (0..tape.values.len())
        .map(|value| Univariate { root: ValueId(value), shape: Shape::Multiple(1.0) })
        .collect();
    for step in &mut tape.steps {
        let Some(&output) = step.outputs.first() else { continue };
        let Some(found) = of_step(step, &known) else { continue };
        if let Some((operand, function)) = found.activation {
            step.op = Box::new(Pass { operand, role: Role::Function(function) });
        }
        known[output.0] = found.value;
    }
}

struct Found {
    value: Univariate,
    /// The factor that receives, when the step is an activation written out.
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
            plain(Univariate { root: input.root, shape: through(function, input.shape) })
        }
        (Role::Identity, None) => plain(input),
        (Role::Sum { .. } | Role::Product | Role::Quotient, None) => {
            plain(Univariate { root: input.root, shape: widened(input.shape) })
        }
        (Role::Sum { .. } | Role::Product | Role::Quotient, Some((second, other_operand))) => {
            let other = of(other_operand.value);
            if input.root != other.root {
                return None;
            }
            let shape =
                if bounded(input.shape) || bounded(other.shape) { Shape::Bounded } else { Shape::Plain };
            let activation = match role {
                Role::Product => product(input.shape, other.shape)
                    .map(|(left, function)| (if left { first } else { second }, function)),
                Role::Quotient => quotient(input.shape, other.shape).map(|function| (first, function)),
                _ => None,
            };
            Some(Found { value: Univariate { root: input.root, shape }, activation })
        }
        _ => None,
    }
}

fn through(function: Function, input: Shape) -> Shape {
    match (function, input) {
        (Function::Scale(factor), Shape::Multiple(so_far)) => Shape::Multiple(factor * so_far),
        (Function::Scale(_), shape) => widened(shape),
        (Function::Sigmoid, Shape::Multiple(beta)) => Shape::Sigmoid(beta),
        (Function::Sigmoid | Function::Tanh | Function::Bounded, _) => Shape::Bounded,
        (Function::Exp, _) => Shape::Exponential,
        (_, shape) if bounded(shape) => Shape::Bounded,
        _ => Shape::Plain,
    }
}

/// What is left to know after adding or multiplying by constants.
fn widened(shape: Shape) -> Shape {
    match shape {
        Shape::Sigmoid(_) => Shape::Bounded,
        Shape::Multiple(_) => Shape::Plain,
        other => other,
    }
}

fn bounded(shape: Shape) -> bool {
    matches!(shape, Shape::Sigmoid(_) | Shape::Bounded)
}

/// Whether the left factor is the plain one, and the activation, when one factor is bounded and the other
/// is not.
fn product(left: Shape, right: Shape) -> Option<(bool, Function)> {
    match (bounded(left), bounded(right)) {
        (false, true) => Some((true, gating(left, right))),
        (true, false) => Some((false, gating(right, left))),
        _ => None,
    }
}

fn gating(plain: Shape, bounded: Shape) -> Function {
    match (plain, bounded) {
        (Shape::Multiple(1.0), Shape::Sigmoid(beta)) => Function::Swish { beta },
        _ => Function::Other,
    }
}

/// x / (1 + e⁻ˣ) and x / b(x) with a bounded b.
fn quotient(numerator: Shape, divisor: Shape) -> Option<Function> {
    let activates = divisor == Shape::Exponential || bounded(divisor);
    (activates && !bounded(numerator)).then_some(Function::Other)
}
