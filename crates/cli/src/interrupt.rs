//! Ctrl-C at work: leaves no results behind.

use crate::failure::{Failure, Result};
use dlbacktrace_report::Staging;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;
use std::thread;

/// Ends the process at the first such signal, with the exit code that shells expect.
pub fn ends_at_once() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])
        .map_err(|e| Failure::Usage(format!("cannot watch for interrupts: {e}")))?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            Staging::abandon();
            eprintln!("error: interrupted");
            // This skips the frameworks' destructors, because their threads are still at work.
            low_level::exit(128 + signal);
        }
    });
    Ok(())
}
