//! The derivative of one operator, as `tf.GradientTape` gives it.
//!
//! TensorFlow's library knows derivatives of operators in two ways. The functions that its C interface adds to a graph are few, and some
//! are wrong: that of `LogSoftmax` takes axis 1 for the last, and those of `LRN` and `Conv2D` forget attributes. `GradientTape` has
//! others, which are written in Python. Like those, the formulas here use TensorFlow's operators for derivatives where there are any,
//! and the tensors of the run.

mod call;
mod functions;
mod images;
mod losses;
mod matrices;
mod norms;
mod pairs;
mod passing;
mod pooling;
mod recurrent;
mod reductions;
mod segments;
mod sparse;
#[cfg(test)]
mod tests;
mod value;

use crate::backend::{dtype, parts};
use crate::{DataType, Record, TfTensor};
use call::Call;
use dlbacktrace_core::{DType, Derivative, Error, Range, Result, Tensor, ValueId};
use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;
use value::Value;

/// Operators and their derivative.
pub(crate) struct Row {
    names: &'static [&'static str],
    /// The outputs from which the formula takes what arrives.
    from: &'static [usize],
    by: By,
    complex: bool,
}

/// What arrives at the outputs, taken back to an input: Jᵀ·R.
enum By {
    /// The only input that moves is the first.
    First(fn(&Call<'_>) -> Value),
    /// These inputs move; the formula gets the number of one.
    Each(&'static [usize], fn(&Call<'_>, usize) -> Value),
    /// Small changes of the inputs change nothing, or TensorFlow takes it so.
    Nothing,
}

impl Row {
    const fn new(names: &'static [&'static str], by: By) -> Self {
        Self { names, from: &[0], by, complex: false }
    }

    const fn first(names: &'static [&'static str], formula: fn(&Call<'_>) -> Value) -> Self {
        Self::new(names, By::First(formula))
    }

    const fn each(
        names: &'static [&'static str],
        inputs: &'static [usize],
        formula: fn(&Call<'_>, usize) -> Value,
    ) -> Self {
        Self::new(names, By::Each(inputs, formula))
    }

    const fn nothing(names: &'static [&'static str]) -> Self {
        Self::new(names, By::Nothing)
    }

    const fn from(self, from: &'static [usize]) -> Self {
        Self { from, ..self }
    }

    /// The formula also takes complex numbers.
    const fn of_complex(self) -> Self {
        Self { complex: true, ..self }
    }
}

fn rows() -> impl Iterator<Item = &'static Row> {
    [
        functions::ROWS,
        images::ROWS,
        losses::ROWS,
        matrices::ROWS,
        norms::ROWS,
        pairs::ROWS,
        passing::ROWS,
        pooling::ROWS,
        reductions::ROWS,
        recurrent::ROWS,
        segments::ROWS,
        sparse::ROWS,
    ]
    .into_iter()
    .flatten()
}

/// The derivative of a call whose tensors were kept; `None` if there is no formula for the operator, or none for complex numbers.
pub(crate) fn derivative(record: &Record) -> Option<Box<dyn Derivative<TfTensor>>> {
    static ROWS: OnceLock<HashMap<&'static str, &'static Row>> = OnceLock::new();
    let by_name = || rows().flat_map(|row| row.names.iter().map(move |name| (*name, row))).collect();
    let row = ROWS.get_or_init(by_name).get(record.operation.operator.as_str()).copied()?;
    let slots = record.inputs.iter().chain(&record.outputs).filter_map(|slot| slot.tensor.as_ref());
    if !row.complex && slots.map(|tensor| tensor.data_type()).any(|data_type| data_type.part().is_some()) {
        return None;
    }
    Some(Box::new(Derived { row, record: record.clone() }))
}

/// A call with the formula of its operator.
struct Derived {
    row: &'static Row,
    record: Record,
}

impl Derivative<TfTensor> for Derived {
    fn adjoint(&self, wanted: &[ValueId], arriving: &[Option<TfTensor>]) -> Result<Vec<Option<TfTensor>>> {
        let unused = |(output, arrived): (usize, &Option<TfTensor>)| {
            arrived.is_some() && !self.row.from.contains(&output)
        };
        if let Some(output) = arriving.iter().enumerate().position(unused) {
            return Err(self.lacking(&format!("from its output {output}")));
        }
        if matches!(self.row.by, By::Nothing) || arriving.iter().all(Option::is_none) {
            return Ok(vec![None; wanted.len()]);
        }
        let call = self.call(arriving)?;
        wanted.iter().map(|value| self.by(&call, *value)).collect()
    }
}

impl Derived {
    fn lacking(&self, what: &str) -> Error {
        Error::Uncovered(format!("TensorFlow has no derivative of {} {what}", self.record.operation.operator))
    }

    fn call(&self, arriving: &[Option<TfTensor>]) -> Result<Call<'_>> {
        let arriving = arriving.iter().zip(&self.record.outputs).map(|(arrived, output)| {
            let complex = output.tensor.as_ref().is_some_and(|made| made.data_type().part().is_some());
            let whole = |arrived: &TfTensor| match complex {
                true => joined(arrived),
                false => arrived.to_tensor().map(Value::from),
            };
            arrived.as_ref().map(whole).transpose()
        });
        let arriving = arriving.collect::<Result<Vec<_>>>()?;
        let like = arriving.iter().flatten().next().map_or(Ok(DataType::FLOAT), Value::data_type);
        let like = like.map_err(failed)?;
        // In the type of what arrived; so are whole numbers that move, such as pixels.
        let read = |slots: &[crate::Slot], moves: &dyn Fn(usize) -> bool| {
            let tensor = |(index, slot): (usize, &crate::Slot)| {
                let tensor = slot.tensor.as_ref().ok_or_else(|| crate::lowering::not_kept(slot))?;
                let to = match (tensor.data_type(), dtype(tensor.data_type())) {
                    (_, DType::F16 | DType::BF16) => DataType::FLOAT,
                    (_, DType::Int) if moves(index) => like,
                    (other, _) => other,
                };
                tensor.cast(to).map(Value::from).map_err(failed)
            };
            slots.iter().enumerate().map(tensor).collect::<Result<Vec<_>>>()
        };
        let inputs = read(&self.record.inputs, &|index| self.moves(index))?;
        let outputs = read(&self.record.outputs, &|index| self.row.from.contains(&index))?;
        Ok(Call { operation: &self.record.operation, inputs, outputs, arriving })
    }

    /// Whether the derivative by an input is known.
    fn moves(&self, input: usize) -> bool {
        match self.row.by {
            By::First(_) => input == 0,
            By::Each(inputs, _) => inputs.contains(&input),
            By::Nothing => false,
        }
    }

    /// The sum over all places where the operator reads a value.
    fn by(&self, call: &Call<'_>, value: ValueId) -> Result<Option<TfTensor>> {
        let mut sum: Option<Value> = None;
        let reads = self.record.inputs.iter().enumerate().filter(|(_, slot)| slot.value == value);
        if reads.clone().next().is_none() {
            return Err(self.lacking("by a value that it does not read"));
        }
        for (index, _) in reads {
            let input = call.input(index);
            let data_type = input.data_type().map_err(failed)?;
            if !self.moves(index) {
                // Axes, indices and masks say how.
                if dtype(data_type).is_float() || data_type.part().is_some() {
                    return Err(self.lacking(&format!("by its input {index}")));
                }
                continue;
            }
            let part = match self.row.by {
                By::First(formula) => formula(call),
                By::Each(_, formula) => formula(call, index),
                By::Nothing => continue,
            };
            let part = part.cast(data_type).sum_to(&input.shape().map_err(failed)?);
            sum = Some(match sum {
                Some(sum) => sum + part,
                None => part,
            });
        }
        let Some(sum) = sum else { return Ok(None) };
        let sum = sum.tensor().map_err(failed)?;
        let whole = if sum.data_type().part().is_some() { parts(&sum)? } else { TfTensor::from(sum) };
        Ok(Some(whole))
    }
}

fn failed<E: ToString>(error: E) -> Error {
    Error::tensor("derivative", error)
}

/// Complex numbers from their parts along the last axis.
fn joined(arrived: &TfTensor) -> Result<Value> {
    let shape = arrived.shape();
    let rank = shape.len().saturating_sub(1);
    let part = |index| {
        let mut region: Vec<_> = shape[..rank].iter().map(|&extent| Range::full(extent)).collect();
        region.push(Range::span(index, 1));
        arrived.slice(&region)?.reshape(&shape[..rank])?.to_tensor().map(Value::from)
    };
    let (real, imaginary) = (part(0)?, part(1)?);
    Ok(real.with_imaginary(&imaginary))
}

impl fmt::Debug for Derived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Derived").field("operator", &self.record.operation.operator).finish_non_exhaustive()
    }
}
