//! Ctrl-C: the first stops and keeps the tokens that are done, the second ends the process at once.

use crate::failure::{Failure, INTERRUPTED, Result};
use signal_hook::consts::SIGINT;
use signal_hook::flag;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Says whether Ctrl-C was pressed.
#[derive(Clone)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Starts to watch.
    pub fn watch() -> Result<Self> {
        let seen = Arc::new(AtomicBool::new(false));
        let watch = || -> io::Result<()> {
            // The order matters: the first handler finds the flag down; the second raises it.
            flag::register_conditional_shutdown(SIGINT, INTERRUPTED, Arc::clone(&seen))?;
            flag::register(SIGINT, Arc::clone(&seen))?;
            Ok(())
        };
        watch().map_err(|e| Failure::Usage(format!("cannot watch for interrupts: {e}")))?;
        Ok(Self(seen))
    }

    /// As if Ctrl-C had been pressed, or never.
    #[cfg(test)]
    pub fn faked(pressed: bool) -> Self {
        Self(Arc::new(AtomicBool::new(pressed)))
    }

    /// Whether Ctrl-C was pressed.
    pub fn seen(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
