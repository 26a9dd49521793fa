//! Records any libtorch computation of the current thread.

use crate::bridge::ffi;
use crate::error::{Error, Result};
use crate::policy::Policy;
use crate::recording::Recording;
use crate::tensor;
use cxx::UniquePtr;
use std::fmt;
use std::marker::PhantomData;
use tch::Tensor;

/// Listens to every libtorch operator that the current thread runs, from [`Recorder::begin`] to [`Recorder::finish`].
///
/// Gradients are off meanwhile. Dropping an unfinished recorder ends the recording and restores the thread. A recorder cannot
/// leave its thread, and a thread has at most one; other threads may record at the same time.
pub struct Recorder {
    session: UniquePtr<ffi::Session>,
    // It changes the state of its thread, so it must be dropped where it was made.
    bound_to_thread: PhantomData<*const ()>,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Recorder").finish_non_exhaustive()
    }
}

impl Recorder {
    /// Starts to record. `inputs` are the tensors to explain, `parameters` the named weights of the computation, such as the
    /// variables of a `tch::nn::VarStore`; both only give names to values.
    ///
    /// # Errors
    /// [`Error::Record`] if this thread is recording already.
    pub fn begin(
        policy: &Policy,
        inputs: &[(&str, &Tensor)],
        parameters: &[(&str, &Tensor)],
    ) -> Result<Recorder> {
        let start = || -> std::result::Result<UniquePtr<ffi::Session>, cxx::Exception> {
            let mut session = ffi::new_session(&policy.inner)?;
            for (name, parameter) in parameters {
                session.pin_mut().name(name, tensor::share(parameter))?;
            }
            for (name, input) in inputs {
                session.pin_mut().input(name, tensor::share(input))?;
            }
            session.pin_mut().start()?;
            Ok(session)
        };
        Ok(Recorder { session: start().map_err(record_error)?, bound_to_thread: PhantomData })
    }

    /// Ends the recording; `outputs` are the results, by name.
    ///
    /// # Errors
    /// [`Error::Record`] if an output is undefined.
    pub fn finish(mut self, outputs: &[(&str, &Tensor)]) -> Result<Recording> {
        for (name, output) in outputs {
            self.session.pin_mut().output(name, tensor::share(output)).map_err(record_error)?;
        }
        self.session.pin_mut().finish().map_err(record_error).and_then(Recording::from_ffi)
    }
}

fn record_error(error: cxx::Exception) -> Error {
    Error::Record { reason: error.what().to_owned() }
}
