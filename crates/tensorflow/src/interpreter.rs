//! The interpreter: executes the function bodies of a graph operator by operator, on TensorFlow's own kernels.

mod action;
mod body;
mod chance;
mod compiler;
mod frames;
mod operation;
mod order;
mod parsed;
mod recorder;
mod recording;
mod references;
mod run;
mod state;
mod write;

pub(crate) use compiler::{Compiler, Entry, Program};
pub use operation::Operation;
pub(crate) use parsed::Parsed;
pub(crate) use recorder::{Recorder, Value};
pub use recording::{Keep, Origin, Port, Record, Recording, Scope, Slot, ValueId, ValueInfo};
pub(crate) use run::Run;
pub(crate) use state::State;
