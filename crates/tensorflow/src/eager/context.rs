//! A context of eager execution. It owns the variables and tables of one model, and runs operators.

use super::attributes::Attributes;
use super::status::Status;
use super::tensor::Tensor;
use crate::library::{Library, types::*};
use crate::{Error, Result};
use prost::Message;
use std::borrow::Borrow;
use std::ffi::CStr;
use std::fmt;
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

/// A context of eager execution. Within a context, all variables of one name are the same variable, so each model has a context
/// of its own.
pub struct Context {
    pub(super) library: &'static Library,
    pointer: *mut TFE_Context,
    /// Operators that are not in use. Reusing one is a fifth faster than making one.
    idle: Mutex<Vec<Operator>>,
}

// SAFETY: a context locks its own state; TensorFlow's Python calls it from any thread.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

/// A `TFE_Op`, to be used by one thread at a time.
struct Operator {
    library: &'static Library,
    pointer: *mut TFE_Op,
}

// SAFETY: an operator holds no state of the thread that made it, and only its owner uses it.
unsafe impl Send for Operator {}

impl Drop for Operator {
    fn drop(&mut self) {
        // SAFETY: made by `TFE_NewOp`, deleted once.
        unsafe { (self.library.api.TFE_DeleteOp)(self.pointer) }
    }
}

/// The fields of `ConfigProto` that are set.
#[derive(Clone, PartialEq, Message)]
struct Config {
    #[prost(int32, tag = "2")]
    intra_op_parallelism_threads: i32,
    #[prost(int32, tag = "5")]
    inter_op_parallelism_threads: i32,
}

impl Context {
    /// A context whose operators run on this many threads; by default on one for each processor.
    ///
    /// # Errors
    /// [`Error::Tensor`] with TensorFlow's reason.
    pub fn new(library: &'static Library, threads: Option<usize>) -> Result<Arc<Self>> {
        let api = &library.api;
        let status = Status::new(library);
        // SAFETY: the options live until deleted below, the bytes through the call that reads them.
        let pointer = unsafe {
            let options = (api.TFE_NewContextOptions)();
            if let Some(threads) = threads {
                let threads = i32::try_from(threads).unwrap_or(i32::MAX);
                let config =
                    Config { intra_op_parallelism_threads: threads, inter_op_parallelism_threads: threads };
                let bytes = config.encode_to_vec();
                (api.TFE_ContextOptionsSetConfig)(
                    options,
                    bytes.as_ptr().cast(),
                    bytes.len(),
                    status.pointer(),
                );
            }
            let pointer = (api.TFE_NewContext)(options, status.pointer());
            (api.TFE_DeleteContextOptions)(options);
            pointer
        };
        status.check().map_err(|reason| Error::Tensor { action: "make a context for", reason })?;
        Ok(Arc::new(Self { library, pointer, idle: Mutex::default() }))
    }

    /// The library it runs in.
    pub fn library(&self) -> &'static Library {
        self.library
    }

    /// Runs one operator, which returns at most `outputs` tensors; the error is TensorFlow's message.
    pub(crate) fn execute<'a>(
        self: &Arc<Self>,
        operator: &CStr,
        attributes: &Attributes,
        inputs: impl IntoIterator<Item = &'a Tensor>,
        outputs: usize,
    ) -> Result<Vec<Tensor>, String> {
        self.call(operator, attributes, inputs.into_iter(), outputs)
    }

    /// As [`execute`](Self::execute), but gives the inputs away: an output may reuse the memory of an input that nobody else holds.
    pub(crate) fn consume(
        self: &Arc<Self>,
        operator: &CStr,
        attributes: &Attributes,
        inputs: impl IntoIterator<Item = Tensor>,
        outputs: usize,
    ) -> Result<Vec<Tensor>, String> {
        self.call(operator, attributes, inputs.into_iter(), outputs)
    }

    /// Drops each input as soon as the operator holds it.
    fn call(
        self: &Arc<Self>,
        operator: &CStr,
        attributes: &Attributes,
        inputs: impl Iterator<Item: Borrow<Tensor>>,
        outputs: usize,
    ) -> Result<Vec<Tensor>, String> {
        let api = &self.library.api;
        let status = Status::new(self.library);
        let op = self.operator(operator, &status)?;
        for (name, value) in attributes.iter() {
            // SAFETY: name and value live through the call, which copies them.
            unsafe {
                let value: &[u8] = value;
                (api.TFE_OpSetAttrValueProto)(
                    op.pointer,
                    name.as_ptr(),
                    value.as_ptr().cast(),
                    value.len(),
                    status.pointer(),
                );
            }
            status.check()?;
        }
        for input in inputs {
            // SAFETY: the handle lives; the operator counts itself among its holders.
            unsafe { (api.TFE_OpAddInput)(op.pointer, input.borrow().pointer(), status.pointer()) };
            status.check()?;
        }
        let mut handles = vec![ptr::null_mut(); outputs];
        let mut count = i32::try_from(outputs).map_err(|_| "too many outputs".to_owned())?;
        // SAFETY: there is room for `count` handles; TensorFlow writes no more, and fails if the operator has more.
        unsafe { (api.TFE_Execute)(op.pointer, handles.as_mut_ptr(), &mut count, status.pointer()) };
        status.check()?;
        handles.truncate(usize::try_from(count).unwrap_or_default());
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(op);
        // SAFETY: each is a new handle of this context, which we own.
        Ok(handles.into_iter().map(|handle| unsafe { Tensor::adopt(handle, self) }).collect())
    }

    /// An operator of this type without attributes and inputs.
    fn operator(&self, name: &CStr, status: &Status) -> Result<Operator, String> {
        let api = &self.library.api;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let operator = match idle {
            Some(operator) => {
                // SAFETY: only we use the operator; a null device leaves the choice to TensorFlow.
                unsafe { (api.TFE_OpReset)(operator.pointer, name.as_ptr(), ptr::null(), status.pointer()) };
                status.check()?;
                operator
            }
            None => {
                // SAFETY: the context lives; the name is copied.
                let pointer = unsafe { (api.TFE_NewOp)(self.pointer, name.as_ptr(), status.pointer()) };
                status.check()?;
                Operator { library: self.library, pointer }
            }
        };
        Ok(operator)
    }

    /// Registers a function (a serialised `FunctionDef`) for operators that call functions themselves.
    pub(crate) fn add_function(&self, definition: &[u8]) -> Result<(), String> {
        let status = Status::new(self.library);
        // SAFETY: the bytes live through the call, which parses them.
        unsafe {
            (self.library.api.TFE_ContextAddFunctionDef)(
                self.pointer,
                definition.as_ptr().cast(),
                definition.len(),
                status.pointer(),
            );
        }
        status.check()
    }

    /// Begins a run: the content of tensor arrays and stacks lives until the guard is dropped.
    pub(crate) fn step(self: &Arc<Self>) -> StepGuard {
        // SAFETY: the context lives; steps are counted.
        unsafe { (self.library.api.TFE_ContextStartStep)(self.pointer) };
        StepGuard(Arc::clone(self))
    }

    /// Drops the kernels, and with them the states of their random number generators.
    pub(crate) fn forget_kernels(&self) {
        // SAFETY: the context lives; kernels in use are counted.
        unsafe { (self.library.api.TFE_ContextClearCaches)(self.pointer) }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.idle.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
        // SAFETY: made by `new`, deleted once; every tensor and step holds the context, so none is left.
        unsafe { (self.library.api.TFE_DeleteContext)(self.pointer) }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("library", &self.library).finish_non_exhaustive()
    }
}

/// Ends the run when dropped.
pub(crate) struct StepGuard(Arc<Context>);

impl Drop for StepGuard {
    fn drop(&mut self) {
        // SAFETY: the context lives, and `step` began a step.
        unsafe { (self.0.library.api.TFE_ContextEndStep)(self.0.pointer) }
    }
}
