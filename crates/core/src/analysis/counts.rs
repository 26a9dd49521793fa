//! Counts of tokens (rules, "Counts"): sums of ones that tokens placed. As an operand of a sum and as the only factor of a
//! product, a count is a number, as in a bag of words. As a divisor, or as the factor of another number, it is a constant: it
//! says how many tokens there are, not which.

use super::dependence::Dependence;
use crate::{Family, Operand, Role, Step, Tape, Tensor};

/// Makes counts constants where they divide, and where they multiply other numbers.
pub(super) fn settle<T: Tensor>(tape: &mut Tape<T>, of_value: &[Dependence]) {
    let mut counts = vec![false; tape.values.len()];
    for step in &mut tape.steps {
        let counted = counted(step, &counts, of_value);
        for output in step.outputs.iter().filter(|_| counted) {
            counts[output.0] = true;
        }
        let quotient = step.op.role(&step.inputs) == Role::Quotient;
        let is_count = |operand: &Operand<T>| counts[operand.value.0];
        let factors = step.inputs.iter().enumerate();
        let factors = factors.filter(|(input, operand)| operand.depends && step.op.multiplies(*input));
        let numbers = factors.clone().any(|(_, operand)| !is_count(operand));
        let several = factors.count() > 1;
        for (input, operand) in step.inputs.iter_mut().enumerate() {
            let still = step.op.multiplies(input) && (numbers || (quotient && several && input > 0));
            operand.depends &= !(still && counts[operand.value.0]);
        }
    }
}

/// Whether a step gives a count: ones placed by tokens, or a result computed from counts and no other numbers. Constants with
/// different entries may be weights, which would turn the count into a score.
fn counted<T: Tensor>(step: &Step<T>, counts: &[bool], of_value: &[Dependence]) -> bool {
    let role = step.op.role(&step.inputs);
    if role == Role::Ones {
        return true;
    }
    let weighs = |(input, operand): (usize, &Operand<T>)| {
        let weighable = step.op.multiplies(input) || matches!(role, Role::Sum { .. });
        weighable && of_value[operand.value.0] == Dependence::Constant && !uniform(operand)
    };
    let ruled = !matches!(step.op.family(), Family::Unruled | Family::Statistic | Family::Decision);
    let number = |operand: &&Operand<T>| operand.depends && of_value[operand.value.0] == Dependence::Numbers;
    let mut moving = step.inputs.iter().filter(number).peekable();
    ruled
        && moving.peek().is_some()
        && moving.all(|operand| counts[operand.value.0])
        && !step.inputs.iter().enumerate().any(weighs)
}

/// Whether all entries of a constant are equal.
fn uniform<T: Tensor>(constant: &Operand<T>) -> bool {
    let single = constant.meta.shape.iter().all(|&extent| extent == 1);
    let same = |data: &T| Ok::<_, crate::Error>(data.least()? == -data.scale(-1.0)?.least()?);
    single || constant.data.as_ref().is_some_and(|data| same(data).unwrap_or(false))
}
