//! One step of a recording.

use crate::bridge::ffi::{self, ArgumentKind};
use crate::tensor;
use tch::Tensor;

pub use ffi::Chance;

pub use dlbacktrace_core::ValueId;

/// A tensor in a call. Two tensors that show the same elements of the same storage, with no write between, are one value. Writing
/// in place gives the tensor a new value.
pub type Slot = dlbacktrace_core::Slot<Tensor>;

/// A tensor that a call gave.
#[derive(Debug)]
pub struct Output {
    /// The value, and the tensor if it is kept.
    pub slot: Slot,
    /// Whether this call made the value. If not, the value existed before (a no-op, or a view back to the elements of an earlier
    /// value) and the call did nothing to it, so a walk back may skip this output.
    pub fresh: bool,
}

/// What an argument holds.
#[derive(Debug)]
pub enum ArgumentValue {
    /// `None`, or an undefined tensor.
    None,
    /// A tensor.
    Tensor(Slot),
    /// A list of tensors; `None` for an undefined one.
    Tensors(Vec<Option<Slot>>),
    /// An integer; also a scalar type, layout or memory format by its c10 code.
    Int(i64),
    /// Integers.
    Ints(Vec<i64>),
    /// A floating-point number.
    Double(f64),
    /// Floating-point numbers.
    Doubles(Vec<f64>),
    /// A truth value.
    Bool(bool),
    /// Truth values.
    Bools(Vec<bool>),
    /// A text; also a device, such as `"cpu"`.
    Text(String),
    /// Anything else, as libtorch prints it.
    Other(String),
}

/// One argument of a call, defaults included.
#[derive(Debug)]
pub struct Argument {
    /// Its name in the operator's schema.
    pub name: String,
    /// What it holds.
    pub value: ArgumentValue,
}

/// One operator that ran.
#[derive(Debug)]
pub struct Call {
    /// The qualified name, such as `"aten::add_"`.
    pub name: String,
    /// The overload, such as `"Tensor"` or `"out"`; may be empty.
    pub overload: String,
    /// The name under which the policy looks it up: in-place twins have their trailing underscore removed, `"aten::add"`.
    pub base: String,
    /// The dotted path of the module that ran it, such as `"layer1.0.conv1"`; empty for the top and outside TorchScript.
    pub path: String,
    /// The class of that module, such as `"Conv2d"`; empty outside TorchScript.
    pub class_name: String,
    /// `"file.py:123"`, if the archive has it.
    pub source: Option<String>,
    /// How its result depends on random numbers or on the batch.
    pub chance: Chance,
    /// The arguments in the order of the schema.
    pub arguments: Vec<Argument>,
    /// The tensors it returned, lists flattened in order, then those it wrote and did not return.
    pub outputs: Vec<Output>,
}

impl Call {
    /// The argument of this name.
    pub fn argument(&self, name: &str) -> Option<&ArgumentValue> {
        self.arguments.iter().find(|argument| argument.name == name).map(|argument| &argument.value)
    }

    /// The same call on other tensors: `slot` gives what replaces each, first for the arguments and then, with `true`, for the
    /// outputs.
    ///
    /// # Errors
    /// What the function returns.
    pub fn on<E>(&self, mut slot: impl FnMut(&Slot, bool) -> Result<Slot, E>) -> Result<Call, E> {
        let argument = |Argument { name, value }: &Argument| {
            Ok(Argument { name: name.clone(), value: value.on(&mut |tensor| slot(tensor, false))? })
        };
        let arguments = self.arguments.iter().map(argument).collect::<Result<_, E>>()?;
        let output = |output: &Output| Ok(Output { slot: slot(&output.slot, true)?, fresh: output.fresh });
        let outputs = self.outputs.iter().map(output).collect::<Result<_, E>>()?;
        Ok(Call {
            name: self.name.clone(),
            overload: self.overload.clone(),
            base: self.base.clone(),
            path: self.path.clone(),
            class_name: self.class_name.clone(),
            source: self.source.clone(),
            chance: self.chance,
            arguments,
            outputs,
        })
    }
}

/// A value as a region of its storage; offset and strides count elements of its own type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// The value.
    pub value: ValueId,
    /// The position of its first element in the storage.
    pub offset: i64,
    /// Its shape.
    pub sizes: Vec<i64>,
    /// The step of each dimension.
    pub strides: Vec<i64>,
}

/// A value that no operator returned: a tensor that is read after a write through another view of its storage.
///
/// Each element of `target` is the one that the *last* source covering its place holds. An element that no source covers comes
/// from nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The values of which it consists, in the order in which they were written.
    pub sources: Vec<Patch>,
    /// The value that is read.
    pub target: Patch,
}

/// One step of a recording.
#[derive(Debug)]
pub enum Record {
    /// An operator ran.
    Call(Call),
    /// A value was read that consists of earlier writes.
    Alias(Alias),
}

fn slot(recording: &ffi::Recording, value: usize, keep: bool) -> Slot {
    let tensor = if keep { tensor::adopt(recording.tensor(value)) } else { None };
    Slot { value: ValueId(value), tensor }
}

impl Record {
    pub(crate) fn from_ffi(recording: &ffi::Recording, raw: ffi::RawRecord) -> Record {
        let mut patches: Vec<Patch> = raw.patches.into_iter().map(Patch::from_ffi).collect();
        if let Some(target) = patches.pop() {
            return Record::Alias(Alias { sources: patches, target });
        }
        let output = |output: ffi::RawOutput| Output {
            slot: slot(recording, output.value, output.keep),
            fresh: output.fresh,
        };
        Record::Call(Call {
            name: raw.name,
            overload: raw.overload,
            base: raw.base,
            path: raw.path,
            class_name: raw.class_name,
            source: (!raw.source.is_empty()).then_some(raw.source),
            chance: raw.chance,
            arguments: raw
                .arguments
                .into_iter()
                .map(|argument| Argument::from_ffi(recording, argument))
                .collect(),
            outputs: raw.outputs.into_iter().map(output).collect(),
        })
    }
}

impl Patch {
    fn from_ffi(raw: ffi::RawPatch) -> Patch {
        Patch { value: ValueId(raw.value), offset: raw.offset, sizes: raw.sizes, strides: raw.strides }
    }
}

impl Argument {
    fn from_ffi(recording: &ffi::Recording, raw: ffi::RawArgument) -> Argument {
        Argument { value: ArgumentValue::from_ffi(recording, &raw), name: raw.name }
    }
}

impl ArgumentValue {
    fn on<E>(&self, slot: &mut impl FnMut(&Slot) -> Result<Slot, E>) -> Result<Self, E> {
        Ok(match self {
            Self::None => Self::None,
            Self::Tensor(tensor) => Self::Tensor(slot(tensor)?),
            Self::Tensors(tensors) => {
                let tensors = tensors.iter().map(|tensor| tensor.as_ref().map(&mut *slot).transpose());
                Self::Tensors(tensors.collect::<Result<_, E>>()?)
            }
            Self::Int(value) => Self::Int(*value),
            Self::Ints(values) => Self::Ints(values.clone()),
            Self::Double(value) => Self::Double(*value),
            Self::Doubles(values) => Self::Doubles(values.clone()),
            Self::Bool(value) => Self::Bool(*value),
            Self::Bools(values) => Self::Bools(values.clone()),
            Self::Text(text) => Self::Text(text.clone()),
            Self::Other(text) => Self::Other(text.clone()),
        })
    }

    fn from_ffi(recording: &ffi::Recording, raw: &ffi::RawArgument) -> ArgumentValue {
        let slot = |raw: &ffi::RawSlot| (!raw.undefined).then(|| slot(recording, raw.value, raw.keep));
        let int = raw.ints.first().copied();
        let value = match raw.kind {
            ArgumentKind::Tensor => raw.slots.first().and_then(slot).map(ArgumentValue::Tensor),
            ArgumentKind::Tensors => Some(ArgumentValue::Tensors(raw.slots.iter().map(slot).collect())),
            ArgumentKind::Int => int.map(ArgumentValue::Int),
            ArgumentKind::Ints => Some(ArgumentValue::Ints(raw.ints.clone())),
            ArgumentKind::Double => raw.doubles.first().copied().map(ArgumentValue::Double),
            ArgumentKind::Doubles => Some(ArgumentValue::Doubles(raw.doubles.clone())),
            ArgumentKind::Bool => int.map(|bit| ArgumentValue::Bool(bit != 0)),
            ArgumentKind::Bools => Some(ArgumentValue::Bools(raw.ints.iter().map(|&bit| bit != 0).collect())),
            ArgumentKind::Text => Some(ArgumentValue::Text(raw.text.clone())),
            ArgumentKind::Other => Some(ArgumentValue::Other(raw.text.clone())),
            _ => None,
        };
        value.unwrap_or(ArgumentValue::None)
    }
}
