//! Lowers movement by applying the operator to the elements' numbers (rules §5).
//!
//! An operator that only moves elements moves their numbers in the same way. So we find its map by running it once more with
//! every moving operand replaced by numbers, whatever the operator is.

use crate::backend::dtype;
use crate::lowering::{Lowering, input, not_kept};
use crate::table::keep;
use crate::{Context, DataType, Keep, Record, Slot, Tensor as Handle, TfTensor};
use dlbacktrace_core::ops::{Constant, Rearrange};
use dlbacktrace_core::rules::Reads;
use dlbacktrace_core::{BacktraceOp, DType, Error, Operand, Result, Tensor, Turn, ValueId};
use std::ffi::CStr;
use std::ops::Range;
use std::sync::Arc;

/// Lowers an operator whose `moving` inputs move. Among the others, integers and truth values say how; numbers are filled in.
pub(crate) fn lower(lowering: &mut Lowering, record: &Record, moving: &[usize]) -> Result<()> {
    lower_filling(lowering, record, moving, None)
}

/// As [`lower`], with an input that is filled in, whatever its type.
pub(crate) fn lower_filling(
    lowering: &mut Lowering,
    record: &Record,
    moving: &[usize],
    filled: Option<usize>,
) -> Result<()> {
    lower_as(lowering, record, moving, filled, None)
}

/// As [`lower`], for one input whose axes turn.
pub(crate) fn lower_turning(lowering: &mut Lowering, record: &Record, turn: Turn) -> Result<()> {
    lower_as(lowering, record, &[0], None, Some(turn))
}

/// As [`lower`], for an operator of which only these outputs hold what moved; the others carry nothing.
pub(crate) fn lower_outputs(
    lowering: &mut Lowering,
    record: &Record,
    moving: &[usize],
    outputs: Range<usize>,
) -> Result<()> {
    let (operands, made) = renumbered(lowering, record, moving, None)?;
    for (place, (slot, made)) in record.outputs.iter().zip(made).enumerate() {
        let (op, operands): (Box<dyn BacktraceOp<TfTensor>>, _) = match outputs.contains(&place) {
            true => (Box::new(Rearrange::new(to_index(made)?)), operands.clone()),
            false => (Box::new(Constant), Vec::new()),
        };
        lowering.writer.step(op, operands, vec![slot.value]);
    }
    Ok(())
}

fn lower_as(
    lowering: &mut Lowering,
    record: &Record,
    moving: &[usize],
    filled: Option<usize>,
    turn: Option<Turn>,
) -> Result<()> {
    let (operands, made) = renumbered(lowering, record, moving, filled)?;
    let indices = made.into_iter().map(to_index).collect::<Result<_>>()?;
    let still = (0..record.inputs.len()).filter(|index| !moving.contains(index));
    let still: Vec<ValueId> = still.map(|index| record.inputs[index].value).collect();
    lowering.step(record, Box::new(Rearrange { indices, turn }), operands)?;
    lowering.writer.chosen_by(still);
    Ok(())
}

/// The operands that move, and the result of the operator for their elements' numbers.
fn renumbered(
    lowering: &Lowering,
    record: &Record,
    moving: &[usize],
    filled: Option<usize>,
) -> Result<(Vec<Operand<TfTensor>>, Vec<Handle>)> {
    let first = input(record, *moving.first().unwrap_or(&0))?;
    let (mut operands, mut used) = (Vec::new(), 0);
    let types = types(lowering, first)?;
    let mut inputs = Vec::with_capacity(record.inputs.len());
    for (index, slot) in record.inputs.iter().enumerate() {
        let shape = lowering.meta(slot).shape;
        inputs.push(if moving.contains(&index) {
            let numbers = numbers(&lowering.framework.context, types.1, &shape, used)?;
            used += shape.iter().product::<usize>();
            operands.push(lowering.unread(slot));
            numbers
        } else if let Some(tensor) =
            slot.tensor.as_ref().filter(|tensor| filled != Some(index) && says_how(record, tensor))
        {
            tensor.clone()
        } else {
            // A filled-in element is a constant.
            let zero = failed(lowering.framework.context.tensor(DataType::DOUBLE, &[], &[0; 8]))?;
            TfTensor::from(failed(zero.cast(types.1))?).full(&shape, 0.0)?.to_tensor()?
        });
    }
    let made = again(lowering, record, types, &inputs)?;
    Ok((operands, made))
}

/// Whether an input that does not move says how the others do. Numbers do so only if the operator's row keeps them.
fn says_how(record: &Record, tensor: &Handle) -> bool {
    !dtype(tensor.data_type()).is_float()
        || keep(&record.operation.operator, Reads::default()) != Keep::Indices
}

/// The type of a value's elements, and the type for their numbers: doubles, which count exactly up to 2⁵³, if the type itself
/// does not count far enough.
pub(crate) fn types(lowering: &Lowering, slot: &Slot) -> Result<(DataType, DataType)> {
    let from = match (&slot.tensor, lowering.meta(slot).dtype) {
        (_, DType::F16) => DataType::HALF,
        (_, DType::BF16) => DataType::BFLOAT16,
        (_, DType::F32) => DataType::FLOAT,
        (_, DType::F64) => DataType::DOUBLE,
        (_, DType::Bool) => DataType::BOOL,
        (Some(tensor), DType::Int) => tensor.data_type(),
        (None, DType::Int) => return Err(not_kept(slot)),
        (_, other) => {
            return Err(Error::Uncovered(format!("movement of elements of type {other:?} has no rule")));
        }
    };
    let counts = [DataType::INT32, DataType::INT64].contains(&from);
    Ok((from, if counts { from } else { DataType::DOUBLE }))
}

/// Runs the operator of a record once more, on other inputs.
pub(crate) fn again(
    lowering: &Lowering,
    record: &Record,
    types: (DataType, DataType),
    inputs: &[Handle],
) -> Result<Vec<Handle>> {
    failed(record.operation.run_as(&lowering.framework.context, types, inputs, record.outputs.len()))
}

/// The numbers of a tensor's elements, from 1 after the `used` ones; 0 is what an operator fills in, and stands for a constant.
pub(crate) fn numbers(
    context: &Arc<Context>,
    data_type: DataType,
    shape: &[usize],
    used: usize,
) -> Result<Handle> {
    let count: usize = shape.iter().product();
    let bytes: Vec<u8> = (used + 1..=used + count).flat_map(|number| (number as f64).to_ne_bytes()).collect();
    failed(context.tensor(DataType::DOUBLE, shape, &bytes).and_then(|numbers| numbers.cast(data_type)))
}

/// Takes moved numbers from 1 to one row of indices from 0, with −1 for a filled-in constant.
pub(crate) fn to_index(moved: Handle) -> Result<TfTensor> {
    let numbers = TfTensor::from(failed(moved.cast(DataType::INT64))?).affine(1.0, -1.0)?;
    let count = numbers.shape().iter().product();
    numbers.reshape(&[count])
}

/// Where an operator that moves its first input takes the elements of a tensor of this shape: [`to_index`] of its result for
/// their numbers.
pub(crate) fn places(
    context: &Arc<Context>,
    operator: &CStr,
    shape: &[usize],
    how: &Handle,
) -> Result<TfTensor> {
    let numbers = numbers(context, DataType::INT64, shape, 0)?;
    let made = failed(context.execute(operator, &Default::default(), [&numbers, how], 1))?;
    to_index(made.into_iter().next().ok_or_else(|| Error::tensor(MOVEMENT, "the operator moved nothing"))?)
}

const MOVEMENT: &str = "movement of element numbers";

fn failed<T, E: ToString>(made: std::result::Result<T, E>) -> Result<T> {
    made.map_err(|error| Error::tensor(MOVEMENT, error))
}
