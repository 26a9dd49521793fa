//! Ctrl-C while results are made: nothing of them is left behind.

use crate::failure::{Failure, Result};
use dlbacktrace_report::Staging;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;
use std::thread;

/// Ends the process at the first signal that asks for it, with the exit code that shells know it by.
pub fn ends_at_once() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])
        .map_err(|e| Failure::Usage(format!("cannot watch for interrupts: {e}")))?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            Staging::abandon();
            // Not by way of the frameworks' destructors, as their threads are at work.
            low_level::exit(128 + signal);
        }
    });
    Ok(())
}
