//! Folds biases (rules, "What is a bias"): x·W followed by + b, with one constant for each output feature, becomes one weighted
//! sum with a bias. In x·W + h·U followed by + b, the bias goes to x·W.

use super::graph::{Consumers, producers};
use super::turns::{axis_after, between};
use crate::ops::{Pass, WithinLayer, viewed};
use crate::{Operand, Role, Step, Tape, Tensor, Turn, ValueId};

/// Moves such constants into the weighted sum before them; the step that added them becomes a pass.
pub(super) fn fold<T: Tensor>(tape: &mut Tape<T>) {
    let producers = producers(tape);
    let consumers = Consumers::new(tape);
    for index in 0..tape.steps.len() {
        let Some((product, bias)) = bias_of(&tape.steps[index]) else { continue };
        let value = tape.steps[index].inputs[product].value;
        let Some(maker) = maker(tape, &producers, &consumers, value, index) else { continue };
        let mut bias = tape.steps[index].inputs[bias].clone();
        let sum = if maker.movements.is_empty() {
            if takes(&tape.steps[maker.step], &tape.values[value.0].shape, &bias) {
                maker.step
            } else if let Some(found) = of_two(tape, &producers, &consumers, maker.step, &bias) {
                tape.steps[maker.step].inputs[found.term].data = Some(found.data);
                found.step
            } else {
                continue;
            }
        } else {
            let own = of_view(tape, &maker, value, &bias).or_else(|| of_turned(tape, &maker, value, &bias));
            let Some(own) = own else { continue };
            bias = own;
            maker.step
        };
        for movement in maker.movements {
            WithinLayer::take(&mut tape.steps[movement].op);
        }
        tape.steps[sum].inputs.push(bias);
        tape.steps[sum].result = None;
        tape.steps[index].op = Box::new(Pass { operand: product, role: Role::Identity });
        // The value now has the bias in it, which the data of the sum, and of what reads it, lacks.
        tape.steps[index].inputs[product].data = None;
    }
}

/// The step that made a value, before the value was moved.
struct Maker {
    step: usize,
    /// The value that the step made.
    value: ValueId,
    /// The movements since, the last one first.
    movements: Vec<usize>,
}

/// The maker of a value, if only the step `consumer` reads the value and nothing else reads what lies between.
fn maker<T: Tensor>(
    tape: &Tape<T>,
    producers: &[Option<usize>],
    consumers: &Consumers,
    mut value: ValueId,
    mut consumer: usize,
) -> Option<Maker> {
    let mut movements = Vec::new();
    loop {
        let step = producers[value.0].filter(|_| consumers.only(value) == Some(consumer))?;
        let made = &tape.steps[step];
        if made.op.turn().is_none_or(|turn| turn == Turn::Border) {
            return Some(Maker { step, value, movements });
        }
        movements.push(step);
        (value, consumer) = (made.inputs.first()?.value, step);
    }
}

/// A bias that is added to a weighted sum under another shape, brought to the shape of the sum: the last axes of both shapes
/// count features, but may be divided differently.
fn of_view<T: Tensor>(
    tape: &Tape<T>,
    maker: &Maker,
    value: ValueId,
    bias: &Operand<T>,
) -> Option<Operand<T>> {
    let reshaped = |&step: &usize| tape.steps[step].op.turn() == Some(Turn::Reshape);
    if !maker.movements.iter().all(reshaped) {
        return None;
    }
    let (output, view) = (&tape.meta(maker.value).shape, &tape.meta(value).shape);
    let step = &tape.steps[maker.step];
    let features = match step.op.role(&step.inputs) {
        Role::Linear { features } => features,
        Role::Convolution { channels_last: true, .. } => 1,
        _ => return None,
    };
    let own = output.get(output.len().checked_sub(features)?..)?;
    let shape = &bias.meta.shape;
    let counts = !own.is_empty() && own.iter().product::<usize>() == shape.iter().product::<usize>();
    // A leading 1 may stand for one row for each sample.
    let fits =
        step.inputs.len() == 2 && counts && view.ends_with(shape) && (shape.len() == 1 || shape[0] != 1);
    fits.then(|| viewed(bias, own).ok()).flatten()
}

/// A bias that is added after the elements of a weighted sum were moved with their channels kept whole. It has one entry for
/// each index of the axis that then counts channels; the result has the shape of the sum's own bias.
fn of_turned<T: Tensor>(
    tape: &Tape<T>,
    maker: &Maker,
    value: ValueId,
    bias: &Operand<T>,
) -> Option<Operand<T>> {
    let (step, output) = (&tape.steps[maker.step], &tape.meta(maker.value).shape);
    let (axis, whole) = match step.op.role(&step.inputs) {
        Role::Linear { features: 1 } => (output.len().checked_sub(1)?, false),
        Role::Convolution { channels_last: true, .. } => (output.len().checked_sub(1)?, true),
        Role::Convolution { channels_last: false, spatial } => (output.len().checked_sub(spatial + 1)?, true),
        _ => return None,
    };
    let axis = maker.movements.iter().rev().try_fold(axis, |axis, &step| {
        let (turn, from, to) = between(tape, step)?;
        axis_after(&turn, from, to, axis)
    })?;
    let (view, shape) = (&tape.meta(value).shape, &bias.meta.shape);
    // A single row for all samples is a bias if no convolution could have another kind of row.
    let leading = view.len() - axis;
    let rank = shape.len() == leading || (whole && shape.len() == view.len());
    let place = shape.len().checked_sub(leading)?;
    let single = shape.iter().enumerate().all(|(index, &extent)| index == place || extent == 1);
    let fits = step.inputs.len() == 2 && rank && single && shape[place] == view[axis];
    fits.then(|| viewed(bias, &[view[axis]]).ok()).flatten()
}

/// A linear map that is a term of a sum.
struct Addend<T> {
    step: usize,
    /// Its number among the terms.
    term: usize,
    /// Its result with the bias added.
    data: T,
}

/// The term that takes a bias added to the sum of two linear maps of one shape, as recurrent cells have it: the first
/// (rules §6). The other term may be a constant, as the state of the first step is.
fn of_two<T: Tensor>(
    tape: &Tape<T>,
    producers: &[Option<usize>],
    consumers: &Consumers,
    sum: usize,
    bias: &Operand<T>,
) -> Option<Addend<T>> {
    let terms = tape.steps[sum].inputs.as_slice();
    let [a, b] = terms else { return None };
    let linear = |operand: &Operand<T>| {
        let step = producers[operand.value.0]?;
        let role = tape.steps[step].op.role(&tape.steps[step].inputs);
        matches!(role, Role::Linear { .. }).then_some(step)
    };
    let plain = matches!(tape.steps[sum].op.role(terms), Role::Sum { plain: true, .. });
    let all = terms.iter().all(|operand| !operand.depends || linear(operand).is_some());
    if !plain || !all || a.meta.shape != b.meta.shape {
        return None;
    }
    terms.iter().enumerate().find_map(|(term, operand)| {
        let step = linear(operand).filter(|_| consumers.only(operand.value) == Some(sum))?;
        if !takes(&tape.steps[step], &operand.meta.shape, bias) {
            return None;
        }
        let data = operand.data.as_ref()?.add(bias.data.as_ref()?).ok()?;
        Some(Addend { step, term, data })
    })
}

/// The moving and the constant operand of a plain sum of two.
fn bias_of<T: Tensor>(step: &Step<T>) -> Option<(usize, usize)> {
    let [a, b] = step.inputs.as_slice() else { return None };
    if !matches!(step.op.role(&step.inputs), Role::Sum { plain: true, .. }) {
        return None;
    }
    match (a.depends, b.depends) {
        (true, false) => Some((0, 1)),
        (false, true) => Some((1, 0)),
        _ => None,
    }
}

/// Whether a constant has one entry for each output feature of a weighted sum without bias: `[N]`, or `[C, 1, …]` before
/// spatial axes, or `[C]` or `[1, …, C]` if channels come last. A `[1, N]` row does not count: it may be one row for each
/// sample.
fn takes<T: Tensor>(step: &Step<T>, output: &[usize], bias: &Operand<T>) -> bool {
    if step.inputs.len() != 2 {
        return false;
    }
    let shape = &bias.meta.shape;
    match step.op.role(&step.inputs) {
        Role::Linear { features } if features > 0 => output.ends_with(shape) && shape.len() == features,
        Role::Convolution { channels_last: true, spatial } => {
            let single = shape.iter().rev().skip(1).all(|&extent| extent == 1);
            shape.last() == output.last() && single && [1, spatial + 2].contains(&shape.len())
        }
        Role::Convolution { channels_last: false, spatial } => {
            let channels = output.len().checked_sub(spatial + 1).map(|axis| output[axis]);
            shape.len() == spatial + 1
                && shape.first().copied() == channels
                && shape[1..].iter().all(|&extent| extent == 1)
        }
        _ => false,
    }
}
