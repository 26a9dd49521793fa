//! Ctrl-C: once lets what is begun be finished and kept, twice ends at once.

use crate::failure::{Failure, INTERRUPTED, Result};
use signal_hook::consts::SIGINT;
use signal_hook::flag;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells whether there was an interrupt.
#[derive(Clone)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Watches from now on.
    pub fn watch() -> Result<Self> {
        let seen = Arc::new(AtomicBool::new(false));
        let watch = || -> io::Result<()> {
            // In this order: the first one finds the flag down, which the second raises.
            flag::register_conditional_shutdown(SIGINT, INTERRUPTED, Arc::clone(&seen))?;
            flag::register(SIGINT, Arc::clone(&seen))?;
            Ok(())
        };
        watch().map_err(|e| Failure::Usage(format!("cannot watch for interrupts: {e}")))?;
        Ok(Self(seen))
    }

    /// Whether there was one.
    pub fn seen(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
