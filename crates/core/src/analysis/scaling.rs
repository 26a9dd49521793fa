//! Finds out how a model scales an input before anything else. This shows whether it takes pixels of 0 to 255 or of 0 to 1.

use crate::{Family, Operand, Role, Step, Tape, Tensor, ValueId};

/// The first arithmetic on an input, y = factor · x + shift; of several factors or shifts, the largest magnitudes.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Scaling {
    /// The magnitude of the factor.
    pub factor: f64,
    /// The magnitude of the shift.
    pub shift: f64,
}

/// The range of an input's pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PixelRange {
    /// 0 to 1.
    Unit,
    /// 0 to 255.
    Bytes,
}

impl Scaling {
    const NONE: Self = Self { factor: 1.0, shift: 0.0 };

    /// The range of pixels that this scaling is made for, if it shows one. 1/255, 1/127.5 and the like, or a mean of 10 and more,
    /// are for 0 to 255. A mean within 0 … 1 and then a factor above 1 are for 0 to 1.
    pub fn pixels(self) -> Option<PixelRange> {
        let mean = self.shift / self.factor;
        if (self.factor > 0.0 && self.factor <= 0.02) || mean >= 10.0 {
            Some(PixelRange::Bytes)
        } else if self.factor > 1.0 && mean > 0.0 && mean < 1.0 {
            Some(PixelRange::Unit)
        } else {
            None
        }
    }

    fn scaled(self, factor: f64) -> Self {
        Self { factor: self.factor * factor, shift: self.shift * factor }
    }

    fn shifted(self, shift: f64) -> Self {
        Self { shift: self.shift + shift, ..self }
    }
}

/// The scaling of an input, up to the first operator that does something else.
pub(crate) fn of_input<T: Tensor>(tape: &Tape<T>, input: ValueId) -> Scaling {
    let mut known = vec![None; tape.values.len()];
    known[input.0] = Some(Scaling::NONE);
    let mut last = Scaling::NONE;
    for step in &tape.steps {
        let Some((operand, so_far)) = only_known(step, &known) else { continue };
        match through(step, operand, so_far) {
            Some(scaling) => {
                last = scaling;
                step.outputs.iter().for_each(|output| known[output.0] = Some(scaling));
            }
            // Steps that read a shape, and the like, do nothing with the numbers.
            None if step.op.family() == Family::Constant => {}
            None => return so_far,
        }
    }
    last
}

/// The first operand whose scaling is known.
fn only_known<T>(step: &Step<T>, known: &[Option<Scaling>]) -> Option<(usize, Scaling)> {
    step.inputs.iter().enumerate().find_map(|(index, operand)| Some((index, known[operand.value.0]?)))
}

fn through<T: Tensor>(step: &Step<T>, operand: usize, so_far: Scaling) -> Option<Scaling> {
    use crate::Function;
    let mut others = step.inputs.iter().enumerate().filter(|(index, _)| *index != operand);
    let other = others.next().map(|(_, other)| other);
    match (step.op.role(&step.inputs), other) {
        // A choice between the picture and a moved copy of it, as an augmentation makes.
        (Role::Movement | Role::Choice | Role::Reshape | Role::Identity, _) => Some(so_far),
        (Role::Function(Function::Scale(factor)), _) => Some(so_far.scaled(factor.abs())),
        (Role::Product, Some(factor)) => Some(so_far.scaled(largest(factor)?)),
        (Role::Quotient, Some(divisor)) if operand == 0 => Some(so_far.scaled(1.0 / smallest(divisor)?)),
        (Role::Sum { constant, .. }, None) => Some(so_far.shifted(constant.abs())),
        (Role::Sum { .. }, Some(term)) => Some(so_far.shifted(largest(term)?)),
        // Clamps to a range.
        (Role::Function(Function::Bounded), None) => Some(so_far),
        // Interpolates or averages cells.
        (Role::Other | Role::Windows, None) if step.op.family() == Family::WeightedSum => Some(so_far),
        _ => None,
    }
}

fn largest<T: Tensor>(operand: &Operand<T>) -> Option<f64> {
    Some(operand.data.as_ref()?.to_array().ok()?.iter().fold(0.0, |most, value| value.abs().max(most)))
}

fn smallest<T: Tensor>(operand: &Operand<T>) -> Option<f64> {
    let values = operand.data.as_ref()?.to_array().ok()?;
    Some(values.iter().fold(f64::INFINITY, |least, value| value.abs().min(least)))
        .filter(|least| *least > 0.0)
}

#[cfg(test)]
mod tests {
    use super::{PixelRange, Scaling};

    #[test]
    fn ranges_are_told_from_scalings() {
        let of = |factor, shift| Scaling { factor, shift }.pixels();
        assert_eq!(of(1.0 / 255.0, 0.0), Some(PixelRange::Bytes));
        assert_eq!(of(1.0 / 127.5, 1.0), Some(PixelRange::Bytes));
        assert_eq!(of(1.0, 123.68), Some(PixelRange::Bytes));
        assert_eq!(of(1.0 / 58.4, 2.1), Some(PixelRange::Bytes));
        assert_eq!(of(1.0 / 0.225, 0.485 / 0.225), Some(PixelRange::Unit));
        assert_eq!(of(2.0, 1.0), Some(PixelRange::Unit));
        assert_eq!(of(1.0, 0.0), None);
        assert_eq!(of(1.0, 0.5), None);
    }
}
