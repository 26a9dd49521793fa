//! libtorch's random numbers.

use crate::bridge::ffi;
use crate::error::{Error, Result};
use cxx::UniquePtr;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The generator is one for the whole process, so that those who fix it wait for each other.
static GENERATOR: Mutex<()> = Mutex::new(());

/// libtorch's random numbers start from a seed while this lives, and then go on as if nobody had drawn any. Threads that draw
/// at the same time without one disturb them.
pub struct FixedRandom {
    // In this order: the generator is put back before the next one takes it.
    _generator: UniquePtr<ffi::FixedGenerator>,
    _turn: MutexGuard<'static, ()>,
}

impl fmt::Debug for FixedRandom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FixedRandom").finish_non_exhaustive()
    }
}

impl FixedRandom {
    /// Starts the generator from a seed, when no other has it.
    ///
    /// # Errors
    /// [`Error::Record`] when libtorch refuses.
    pub fn new(seed: u64) -> Result<Self> {
        let turn = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
        let generator = ffi::fix_generator(seed);
        let generator = generator.map_err(|error| Error::Record { reason: error.what().to_owned() })?;
        Ok(Self { _generator: generator, _turn: turn })
    }
}
