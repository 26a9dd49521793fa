//! Lowers movement by applying the operator to the elements' numbers (rules §5).
//!
//! An operator that only moves elements moves their numbers in the same way. So we find its map by running it once more with
//! every moving operand replaced by numbers, whatever the operator is.

use crate::TorchTensor;
use crate::lowering::{Lowering, slots};
use dlbacktrace_core::ops::{Decision, Rearrange};
use dlbacktrace_core::{Error, Result, ValueId};
use dlbacktrace_torch_recorder::{ArgumentValue, Call, Input, Slot, call_operator};
use tch::{Device, Kind, Tensor};

/// Lowers a call whose floating-point arguments move; integer and boolean ones say how.
pub(crate) fn lower(lowering: &mut Lowering, call: &Call) -> Result<()> {
    let mut numbering = Numbering::default();
    let moved = again(call, |name, slot| numbering.tensor(lowering, name, slot))?;
    let indices = moved.iter().map(to_index).collect::<Result<Vec<_>>>()?;
    let how = slots(call).filter(|slot| !lowering.meta(slot).dtype.is_float());
    let how = how.map(|slot| slot.value);
    let how: Vec<ValueId> =
        how.filter(|&value| !numbering.operands.iter().any(|operand| operand.value == value)).collect();
    lowering.step(call, Box::new(Rearrange::of(indices)), numbering.operands)?;
    lowering.writer.chosen_by(how);
    Ok(())
}

/// Runs the operator of a call once more with other tensors; values to fill in are 0.
pub(crate) fn again(
    call: &Call,
    mut tensor: impl FnMut(&str, &Slot) -> Result<Input>,
) -> Result<Vec<Tensor>> {
    let arguments = call
        .arguments
        .iter()
        .map(|argument| self::argument(&argument.name, &argument.value, &mut tensor))
        .collect::<Result<Vec<_>>>()?;
    let (name, overload) = functional(call);
    call_operator(name, overload, arguments)
        .map_err(|error| Error::tensor("movement of element numbers", error))
}

fn argument(
    name: &str,
    value: &ArgumentValue,
    tensor: &mut impl FnMut(&str, &Slot) -> Result<Input>,
) -> Result<Input> {
    let all = |inputs: Vec<Input>| Input::List(inputs);
    Ok(match value {
        ArgumentValue::Tensor(slot) => tensor(name, slot)?,
        ArgumentValue::Tensors(slots) => {
            let mut one =
                |slot: &Option<Slot>| slot.as_ref().map_or(Ok(Input::None), |slot| tensor(name, slot));
            all(slots.iter().map(&mut one).collect::<Result<_>>()?)
        }
        // A value to fill in is a constant, not an element.
        ArgumentValue::Int(_) | ArgumentValue::Double(_) | ArgumentValue::Bool(_) if name == "value" => {
            Input::Float(0.0)
        }
        ArgumentValue::Int(value) => Input::Int(*value),
        ArgumentValue::Double(value) => Input::Float(*value),
        ArgumentValue::Bool(value) => Input::Bool(*value),
        ArgumentValue::Text(text) => Input::Text(text.clone()),
        ArgumentValue::Ints(values) => all(values.iter().map(|&value| Input::Int(value)).collect()),
        ArgumentValue::Doubles(values) => all(values.iter().map(|&value| Input::Float(value)).collect()),
        ArgumentValue::Bools(values) => all(values.iter().map(|&value| Input::Bool(value)).collect()),
        ArgumentValue::None => Input::None,
        ArgumentValue::Other(text) => {
            return Err(Error::Uncovered(format!("argument {name} = {text} is not understood")));
        }
    })
}

/// Lowers a call by a map that is written out, applied to one operand's numbers.
pub(crate) fn lower_by(
    lowering: &mut Lowering,
    call: &Call,
    slot: &Slot,
    map: impl FnOnce(&Tensor) -> std::result::Result<Tensor, tch::TchError>,
) -> Result<()> {
    let mut numbering = Numbering::default();
    let numbers = numbering.operand(lowering, slot)?;
    let moved = map(&numbers).map_err(|error| Error::tensor("movement of element numbers", error))?;
    // A sort also returns where each value was, which the numbers decided.
    let mut outputs = lowering.made(call);
    let places = outputs.split_off(outputs.len().min(1));
    let op = Rearrange::new(to_index(&moved)?);
    lowering.writer.step(Box::new(op), numbering.operands.clone(), outputs);
    if !places.is_empty() {
        lowering.writer.step(Box::new(Decision::Among), numbering.operands, places);
    }
    Ok(())
}

/// Operands whose elements are numbered one after the other.
#[derive(Default)]
struct Numbering {
    operands: Vec<dlbacktrace_core::Operand<TorchTensor>>,
    used: i64,
}

impl Numbering {
    fn tensor(&mut self, lowering: &Lowering, name: &str, slot: &Slot) -> Result<Input> {
        let meta = lowering.meta(slot);
        match &slot.tensor {
            // An index or a mask. It is kept unless it is floating-point; a moving integer operand is kept too, and
            // is recognised as the first, or as the one written into the first.
            Some(tensor) if !meta.dtype.is_float() && !self.operands.is_empty() && name != "src" => {
                Ok(Input::Tensor(tensor.shallow_clone()))
            }
            _ => self.operand(lowering, slot).map(Input::Tensor),
        }
    }

    fn operand(&mut self, lowering: &Lowering, slot: &Slot) -> Result<Tensor> {
        let shape = lowering.meta(slot).shape;
        let numbers = numbers(&shape)?
            .f_add_scalar(self.used)
            .map_err(|error| Error::tensor("numbering of elements", error))?;
        self.used += shape.iter().product::<usize>() as i64;
        self.operands.push(lowering.unread(slot));
        Ok(numbers)
    }
}

/// The numbers of a tensor's elements, from 1; 0 is what an operator fills in, and stands for a constant.
pub(crate) fn numbers(shape: &[usize]) -> Result<Tensor> {
    let shape: Vec<i64> = shape.iter().map(|&extent| extent as i64).collect();
    let count: i64 = shape.iter().product();
    // Doubles, because not every kernel moves integers; they count exactly up to 2⁵³.
    Tensor::f_arange_start(1, count + 1, (Kind::Double, Device::Cpu))
        .and_then(|numbers| numbers.f_reshape(&shape))
        .map_err(|error| Error::tensor("numbering of elements", error))
}

/// Takes moved numbers from 1 to one row of indices from 0, with −1 for a filled-in constant.
pub(crate) fn to_index(moved: &Tensor) -> Result<TorchTensor> {
    moved
        .f_reshape([-1])
        .and_then(|numbers| numbers.f_to_kind(Kind::Int64))
        .and_then(|numbers| numbers.f_sub_scalar(1))
        .map(TorchTensor::from)
        .map_err(|error| Error::tensor("numbers of elements", error))
}

/// The twin of an in-place operator that does not change its operand.
fn functional(call: &Call) -> (&str, &str) {
    let overload = match (call.base.as_str(), call.overload.as_str()) {
        (_, "out") => "",
        ("aten::transpose", "") => "int",
        (_, overload) => overload,
    };
    (call.base.as_str(), overload)
}
