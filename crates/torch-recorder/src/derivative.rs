//! The derivative of a recorded call, by libtorch's own autograd.

use crate::bridge::ffi;
use crate::error::{Error, Result};
use crate::input::{Input, Inputs};
use crate::record::{ArgumentValue, Call, Slot, ValueId};
use crate::tensor;
use tch::Tensor;

impl Call {
    /// Runs the call once more on the tensors that the recording kept, and returns Jᵀ·R for each of the `wanted` values; `None` for
    /// one on which the operator does not depend smoothly. `arriving` holds R at each output, `None` where nothing arrived.
    ///
    /// # Errors
    /// [`Error::Call`] if a tensor was not kept, or if libtorch has no derivative of the operator.
    pub fn derivative(&self, wanted: &[ValueId], arriving: &[Option<Tensor>]) -> Result<Vec<Option<Tensor>>> {
        let failed = |reason: String| Error::Call { operator: self.name.clone(), reason };
        let mut values = Vec::new();
        let arguments = self.arguments.iter().map(|argument| {
            let read = argument.value.read(&mut values);
            read.map_err(|what| failed(format!("{what} of its argument {} was not kept", argument.name)))
        });
        let arguments = Inputs::new(arguments.collect::<Result<Vec<_>>>()?).to_ffi()?;
        let wanted: Vec<usize> = wanted.iter().map(|value| value.0).collect();
        let mut relevance = ffi::new_tensors();
        for slot in arriving {
            match slot {
                Some(arrived) => relevance.pin_mut().push(tensor::share(arrived)),
                None => relevance.pin_mut().push_undefined(),
            }
        }
        let found = ffi::differentiate(&self.name, &self.overload, &arguments, &values, &wanted, &relevance)
            .map_err(|exception| failed(exception.what().to_owned()))?;
        (0..found.size())
            .map(|index| {
                let found = found.at(index).map_err(|exception| failed(exception.what().to_owned()))?;
                Ok(tensor::adopt(found).filter(Tensor::defined))
            })
            .collect()
    }
}

impl ArgumentValue {
    /// The argument, to be given again; adds the values of its tensors. The error says what was not kept.
    fn read(&self, values: &mut Vec<usize>) -> std::result::Result<Input, &'static str> {
        let mut tensor = |slot: &Slot| {
            values.push(slot.value.0);
            slot.tensor.as_ref().map(|kept| Input::Tensor(kept.shallow_clone())).ok_or("a tensor")
        };
        let list = |items: Vec<Input>| Input::List(items);
        Ok(match self {
            Self::None => Input::None,
            Self::Tensor(slot) => tensor(slot)?,
            Self::Tensors(slots) => {
                let items = slots.iter().map(|slot| slot.as_ref().map_or(Ok(Input::None), &mut tensor));
                list(items.collect::<std::result::Result<_, _>>()?)
            }
            Self::Int(value) => Input::Int(*value),
            Self::Ints(values) => list(values.iter().map(|value| Input::Int(*value)).collect()),
            Self::Double(value) => Input::Float(*value),
            Self::Doubles(values) => list(values.iter().map(|value| Input::Float(*value)).collect()),
            Self::Bool(value) => Input::Bool(*value),
            Self::Bools(values) => list(values.iter().map(|value| Input::Bool(*value)).collect()),
            Self::Text(text) => Input::Text(text.clone()),
            Self::Other(_) => return Err("the content"),
        })
    }
}
