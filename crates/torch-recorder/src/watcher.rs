//! Watches a run from the C++ side, operator by operator.

use dlbacktrace_core::explain::{Progress, Watch};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A watch for one run. Clones are the same watcher; forked tasks may ask it from other threads.
#[derive(Clone)]
pub(crate) struct Watcher(Arc<Inner>);

struct Inner {
    watch: Watch,
    operators: AtomicUsize,
    stopped: Mutex<Option<Stopped>>,
}

/// What stopped a run.
enum Stopped {
    Cancelled(dlbacktrace_core::Error),
    /// No panic may cross into C++, so it waits here.
    Panicked(Box<dyn Any + Send>),
}

impl Watcher {
    pub(crate) fn new(watch: Watch) -> Self {
        Self(Arc::new(Inner { watch, operators: AtomicUsize::new(0), stopped: Mutex::new(None) }))
    }

    /// Whether the next operator may run. If not, C++ throws, which ends the run.
    pub(crate) fn goes_on(&self) -> bool {
        let operators = self.0.operators.fetch_add(1, Ordering::Relaxed);
        let told = || self.0.watch.tell(Progress::Running { operators });
        let stopped = match catch_unwind(AssertUnwindSafe(told)) {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => Stopped::Cancelled(error),
            Err(panic) => Stopped::Panicked(panic),
        };
        self.0.stopped.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(stopped);
        false
    }

    /// After a run: the error if the watch stopped it. A panic of the watch goes on here.
    pub(crate) fn stopped(&self) -> Option<dlbacktrace_core::Error> {
        match self.0.stopped.lock().unwrap_or_else(PoisonError::into_inner).take()? {
            Stopped::Cancelled(error) => Some(error),
            Stopped::Panicked(panic) => resume_unwind(panic),
        }
    }
}
