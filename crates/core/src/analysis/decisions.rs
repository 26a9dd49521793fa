//! Decisions (rules, "Decisions that the model takes"): what was computed from comparisons of numbers carries relevance back
//! to the comparison. There it goes to the number that was compared, or ends if several numbers were compared.

use super::dependence::{Dependence, computes};
use super::graph::{producers, receivers};
use crate::ops::{Decision, Pass, TokenArithmetic};
use crate::{BacktraceOp, DType, Family, Function, Operand, Role, Step, Tape, Tensor, ValueId};

/// Says of every decision which operand takes the relevance that arrives. Steps without a rule for decided operands, such as a
/// product of two comparisons, become decisions themselves.
pub(super) fn settle<T: Tensor>(tape: &mut Tape<T>, of_value: &[Dependence]) {
    join_limits(tape);
    let names = names(tape, of_value);
    let mut subjects = Subjects::new(tape, of_value);
    for index in 0..tape.steps.len() {
        let step = &tape.steps[index];
        let chosen = is_chosen(step, of_value);
        let deciding = deciding(step);
        let output = step.outputs.first().filter(|output| of_value[output.0] == Dependence::Decided);
        let op = output.and_then(|output| {
            let subject = subjects.shared(tape, index, &deciding);
            let ended = subjects.any_ended(step, &deciding);
            let op = rule(step, &deciding, names[output.0], subject.is_some(), tape.meta(*output));
            let ends = op
                .as_ref()
                .is_some_and(|op| op.family() == Family::Decision && op.role(&step.inputs) == Role::Other);
            subjects.record(step, *output, subject, ended || ends);
            op
        });
        let step = &mut tape.steps[index];
        step.chosen = chosen;
        if output_is_named(step, &names) && step.op.role(&step.inputs) == Role::Reduction {
            count_evenly(step);
        }
        if let Some(op) = op {
            let ends = op.family() == Family::Decision && op.role(&step.inputs) == Role::Other;
            // The leaf of a tree is not named by one number alone: the index that several numbers decided takes it all.
            let of_several = subjects.any_ended(step, &deciding) && output_is_named(step, &names);
            for (input, operand) in step.inputs.iter_mut().enumerate() {
                operand.depends &= !ends && op.carries(input);
                operand.depends &= !of_several || subjects.ended[operand.value.0];
            }
            step.op = op;
        }
    }
}

/// Makes a subtracted limit part of the comparison, as in [x − c > 0]: if only decisions read a sum, its constants take
/// nothing. The bias of a linear map is excepted.
fn join_limits<T: Tensor>(tape: &mut Tape<T>) {
    let (compared, producers) = (compared(tape), producers(tape));
    for index in 0..tape.steps.len() {
        let step = &tape.steps[index];
        let sum = matches!(step.op.role(&step.inputs), Role::Sum { .. });
        let limited = sum && step.outputs.iter().all(|output| compared[output.0]);
        let Some(operand) = alone(step).filter(|_| limited).map(|operand| operand.value) else { continue };
        let maker = producers[operand.0].map(|maker| &tape.steps[maker]);
        if maker.is_some_and(|maker| takes_bias(maker.op.role(&maker.inputs))) {
            continue;
        }
        if let Some(operand) = step.inputs.iter().position(|other| other.value == operand) {
            tape.steps[index].op = Box::new(Pass { operand, role: Role::Identity });
        }
    }
}

fn takes_bias(role: Role) -> bool {
    matches!(role, Role::Linear { .. } | Role::Convolution { .. })
}

/// Which values are read by decisions only.
fn compared<T: Tensor>(tape: &Tape<T>) -> Vec<bool> {
    let mut compared = vec![false; tape.values.len()];
    let (decisions, others): (Vec<_>, Vec<_>) =
        tape.steps.iter().partition(|step| step.op.family() == Family::Decision);
    for (steps, read) in [(decisions, true), (others, false)] {
        steps.iter().flat_map(|step| &step.inputs).for_each(|operand| compared[operand.value.0] = read);
    }
    tape.outputs.iter().for_each(|output| compared[output.0] = false);
    compared
}

/// Whether a decision about numbers chose how, where or whether this step acts. What lands on constants is then lost to that
/// decision.
fn is_chosen<T: Tensor>(step: &Step<T>, of_value: &[Dependence]) -> bool {
    let decides = |value: ValueId| matches!(of_value[value.0], Dependence::Decided | Dependence::Numbers);
    let unread = step.inputs.iter().enumerate().filter(|(input, _)| !step.op.carries(*input));
    step.op.family() != Family::Constant
        && (unread.into_iter().any(|(_, operand)| decides(operand.value))
            || step.chosen_by.iter().any(|&value| decides(value)))
}

/// The operands of a step to which relevance can flow; of a decision, those that decided.
fn deciding<T: Tensor>(step: &Step<T>) -> Vec<usize> {
    let carries = |&input: &usize| step.op.carries(input) && step.inputs[input].depends;
    (0..step.inputs.len()).filter(carries).collect()
}

/// The rule that replaces the step's own, if one must.
fn rule<T: Tensor>(
    step: &Step<T>,
    deciding: &[usize],
    named: bool,
    one_subject: bool,
    output: &crate::Meta,
) -> Option<Box<dyn BacktraceOp<T>>> {
    let role = step.op.role(&step.inputs);
    if named && computes(role) || role == Role::Discrete && output.dtype == DType::Int {
        return Some(Box::new(TokenArithmetic));
    }
    // A choice between decided values is decided by the condition and by them, just as a product is.
    let chooses = role == Role::Choice && deciding.contains(&0);
    let factors = deciding.iter().filter(|&&input| chooses || step.op.multiplies(input)).count();
    let decides = matches!(step.op.family(), Family::Decision | Family::Unruled | Family::Statistic)
        || output.dtype == DType::Bool && step.op.family() != Family::Movement;
    let places = step.op.family() == Family::Winner && output.dtype == DType::Int;
    if !(decides || places || factors > 1) {
        return None;
    }
    let fits = |&input: &usize| broadcasts(&step.inputs[input].meta.shape, &output.shape);
    let by = deciding.first().copied().filter(|input| one_subject && by_element(role) && fits(input));
    Some(Box::new(by.map_or(Decision::Among, Decision::By)))
}

/// Whether each element of the result depends only on the elements at its own place.
fn by_element(role: Role) -> bool {
    match role {
        Role::Function(function) => function != Function::Softmax,
        Role::Comparison | Role::Choice | Role::Identity | Role::Sum { .. } | Role::Quotient => true,
        other => computes(other),
    }
}

/// Whether broadcasting takes one shape to another.
fn broadcasts(shape: &[usize], to: &[usize]) -> bool {
    let fits = |(&own, &other): (&usize, &usize)| own == other || own == 1;
    shape.len() <= to.len() && shape.iter().rev().zip(to.iter().rev()).all(fits)
}

fn output_is_named<T>(step: &Step<T>, names: &[bool]) -> bool {
    step.outputs.first().is_some_and(|output| names[output.0])
}

/// Shares a sum that is a name, such as the number of limits below a number, evenly over all that was counted: also over the
/// conditions that do not hold, so that something remains even if none holds.
fn count_evenly<T: Tensor>(step: &mut Step<T>) {
    for operand in &mut step.inputs {
        let ones = operand.data.as_ref().map(|data| data.full(&operand.meta.shape, 1.0));
        operand.data = ones.transpose().unwrap_or(None).or(operand.data.take());
    }
}

/// The decided integers by which rows are looked up: bins, or names computed from bins. As they are names, an offset takes
/// nothing.
fn names<T: Tensor>(tape: &Tape<T>, of_value: &[Dependence]) -> Vec<bool> {
    let mut names = vec![false; tape.values.len()];
    for step in tape.steps.iter().rev() {
        let named =
            step.op.family() == Family::Embedding || step.outputs.iter().any(|output| names[output.0]);
        for operand in step.inputs.iter().filter(|operand| named && operand.meta.dtype == DType::Int) {
            names[operand.value.0] |= of_value[operand.value.0] == Dependence::Decided;
        }
    }
    names
}

/// The operand of a step to which relevance can flow, if there is just one.
fn alone<T: Tensor>(step: &Step<T>) -> Option<&Operand<T>> {
    let mut receivers = receivers(step);
    receivers.next().filter(|_| receivers.next().is_none())
}

/// A number, and how its elements have moved since.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Subject {
    number: ValueId,
    way: Vec<String>,
}

/// The number that each decision is about, if it is about just one.
struct Subjects<'a> {
    of_value: &'a [Dependence],
    producers: Vec<Option<usize>>,
    found: Vec<Option<Subject>>,
    /// Whether several numbers decided the value together.
    ended: Vec<bool>,
}

impl<'a> Subjects<'a> {
    fn new<T: Tensor>(tape: &Tape<T>, of_value: &'a [Dependence]) -> Self {
        Self {
            of_value,
            producers: producers(tape),
            found: vec![None; tape.values.len()],
            ended: vec![false; tape.values.len()],
        }
    }

    /// The subject that all these operands of a step share.
    fn shared<T: Tensor>(&self, tape: &Tape<T>, step: usize, operands: &[usize]) -> Option<Subject> {
        let inputs = &tape.steps[step].inputs;
        let mut subjects = operands.iter().map(|&input| self.of(tape, inputs[input].value));
        let first = subjects.next()??;
        subjects.all(|other| other.as_ref() == Some(&first)).then_some(first)
    }

    fn of<T: Tensor>(&self, tape: &Tape<T>, value: ValueId) -> Option<Subject> {
        match self.of_value[value.0] {
            Dependence::Decided => self.found[value.0].clone(),
            _ => Some(self.number(tape, value)),
        }
    }

    /// The number whose elements have only moved since, back from a value.
    fn number<T: Tensor>(&self, tape: &Tape<T>, mut number: ValueId) -> Subject {
        let mut way = Vec::new();
        while let Some(step) = self.producers[number.0].map(|step| &tape.steps[step])
            && let Some(operand) = alone(step)
        {
            match step.op.movement() {
                Some(movement) => {
                    let place = step.outputs.iter().position(|&output| output == number);
                    way.push(format!("{movement} {place:?}"));
                }
                None if step.op.role(&step.inputs) == Role::Identity => {}
                None => break,
            }
            number = operand.value;
        }
        way.reverse();
        Subject { number, way }
    }

    fn any_ended<T: Tensor>(&self, step: &Step<T>, operands: &[usize]) -> bool {
        operands.iter().any(|&input| self.ended[step.inputs[input].value.0])
    }

    fn record<T: Tensor>(&mut self, step: &Step<T>, output: ValueId, subject: Option<Subject>, ended: bool) {
        self.ended[output.0] = ended;
        self.found[output.0] = match step.op.movement() {
            Some(movement) => subject.map(|Subject { number, mut way }| {
                way.push(format!("{movement} {:?}", Some(0)));
                Subject { number, way }
            }),
            None => subject.filter(|_| by_element(step.op.role(&step.inputs))),
        };
    }
}
