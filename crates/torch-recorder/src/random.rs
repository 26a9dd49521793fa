//! libtorch's random numbers.

use crate::bridge::ffi;
use crate::error::{Error, Result};
use cxx::UniquePtr;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The process has one generator, so calls that fix it wait for each other.
static GENERATOR: Mutex<()> = Mutex::new(());

/// While this lives, libtorch's random numbers start from a seed; afterwards they continue as if nobody had drawn any. Threads
/// that draw at the same time without a seed disturb the draws.
pub struct FixedRandom {
    // The order of the fields matters: the generator is put back before the lock is released.
    _generator: UniquePtr<ffi::FixedGenerator>,
    _turn: MutexGuard<'static, ()>,
}

impl fmt::Debug for FixedRandom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FixedRandom").finish_non_exhaustive()
    }
}

impl FixedRandom {
    /// Starts the generator from a seed, as soon as nobody else has fixed it.
    ///
    /// # Errors
    /// [`Error::Record`] if libtorch refuses.
    pub fn new(seed: u64) -> Result<Self> {
        let turn = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
        let generator = ffi::fix_generator(seed);
        let generator = generator.map_err(|error| Error::Record { reason: error.what().to_owned() })?;
        Ok(Self { _generator: generator, _turn: turn })
    }
}
