//! A finished recording.

use crate::bridge::ffi;
use crate::error::{Error, Result};
use crate::record::{Record, ValueId};
use crate::tensor;
use cxx::UniquePtr;
use std::fmt;
use tch::{Kind, Tensor};

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A record of this recording made it.
    Computed,
    /// It was given as an input of this name, as in [`Recording::inputs`].
    Input(String),
    /// A parameter of the module, by its dotted path.
    Parameter(String),
    /// A buffer or other tensor attribute of the module, by its dotted path.
    Buffer(String),
    /// A tensor that existed before and has no name, such as a constant in the code.
    Constant,
}

/// What is known of a value without its tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// Its shape; empty also for layouts without one.
    pub sizes: Vec<i64>,
    /// Its element type; `None` for a type that tch does not know.
    pub kind: Option<Kind>,
    /// Where it comes from.
    pub origin: Origin,
}

pub use dlbacktrace_core::Replay;

/// A named tensor at the edge of the computation, which is always kept. The name is the argument's for inputs and `"output"` for
/// outputs, followed by the path into lists and tuples (`[0]`), dictionaries and NamedTuples (`.key`): `"batch.ids"`,
/// `"feats[0]"`, `"output.logits"`.
pub type Port = dlbacktrace_core::Port<Tensor>;

/// A recorded computation.
///
/// The fields are plain data. If you take `records` apart one by one, each record's tensors are freed as it is dropped (unless
/// the recording was made with [`Policy::keeping_all`](crate::Policy::keeping_all), which holds them for the replay).
pub struct Recording {
    /// The steps. The step that makes a value comes before those that read it.
    pub records: Vec<Record>,
    /// The values by [`ValueId`].
    pub values: Vec<Value>,
    /// The explained inputs, flattened, in order.
    pub inputs: Vec<Port>,
    /// The outputs, flattened, in order.
    pub outputs: Vec<Port>,
    recording: UniquePtr<ffi::Recording>,
}

impl Recording {
    pub(crate) fn from_ffi(mut recording: UniquePtr<ffi::Recording>) -> Result<Recording> {
        let raw = recording.pin_mut().take_records();
        let records = raw.into_iter().map(|record| Record::from_ffi(&recording, record)).collect();
        let values = recording.values().into_iter().map(Value::from_ffi).collect();
        let inputs = ports(&recording, recording.inputs())?;
        let outputs = ports(&recording, recording.outputs())?;
        recording.pin_mut().release();
        Ok(Recording { records, values, inputs, outputs, recording })
    }

    /// Runs every recorded call again on copies of its recorded arguments, and compares the results bit by bit. This checks that no
    /// later write reached what the recording keeps. It needs [`Policy::keeping_all`](crate::Policy::keeping_all).
    ///
    /// # Errors
    /// [`Error::Record`] if the recording did not keep all tensors.
    pub fn replay(&self) -> Result<Replay> {
        let raw =
            self.recording.replay().map_err(|error| Error::Record { reason: error.what().to_owned() })?;
        Ok(Replay { checked: raw.checked, skipped: raw.skipped, failed: raw.failed })
    }
}

impl fmt::Debug for Recording {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Recording")
            .field("records", &self.records)
            .field("values", &self.values)
            .field("inputs", &self.inputs)
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}

impl Value {
    fn from_ffi(raw: ffi::RawValue) -> Value {
        let origin = match raw.origin {
            ffi::OriginKind::Input => Origin::Input(raw.name),
            ffi::OriginKind::Parameter => Origin::Parameter(raw.name),
            ffi::OriginKind::Buffer => Origin::Buffer(raw.name),
            ffi::OriginKind::Constant => Origin::Constant,
            _ => Origin::Computed,
        };
        Value { sizes: raw.sizes, kind: tensor::kind(raw.dtype), origin }
    }
}

fn ports(recording: &ffi::Recording, raw: Vec<ffi::RawPort>) -> Result<Vec<Port>> {
    raw.into_iter()
        .map(|port| match tensor::adopt(recording.tensor(port.value)) {
            Some(tensor) => Ok(Port { name: port.name, value: ValueId(port.value), tensor }),
            None => Err(Error::Record { reason: format!("the tensor of {} was not kept", port.name) }),
        })
        .collect()
}
