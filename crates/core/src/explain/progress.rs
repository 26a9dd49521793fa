//! How far an explanation is, and who may stop it.

use crate::{Error, Result};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How far an explanation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// The model runs. How many operators it will run is not known before.
    Running {
        /// The number of operators that have run, with the parts of composite ones. Where the model runs a second time, to find
        /// the axis of samples, the count goes on.
        operators: usize,
    },
    /// Relevance is traced back.
    Walking {
        /// The number of steps walked.
        done: usize,
        /// The number of all steps.
        total: usize,
    },
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running { operators: 1 } => write!(f, "1 operator of the model's run"),
            Self::Running { operators } => write!(f, "{operators} operators of the model's run"),
            Self::Walking { done, total } => write!(f, "{done} of {total} steps of the walk"),
        }
    }
}

/// Is told how far an explanation is, and says whether it goes on. The default lets everything go on.
#[derive(Clone, Default)]
pub struct Watch {
    asked: Option<Arc<dyn Fn(Progress) -> ControlFlow<()> + Send + Sync>>,
    /// The operators of all runs so far, if it counts across runs.
    operators: Option<Arc<AtomicUsize>>,
}

impl Watch {
    /// Calls `watch` before each operator of the model's run and after each step of the walk.
    pub fn new(watch: impl Fn(Progress) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        Self { asked: Some(Arc::new(watch)), operators: None }
    }

    /// The same watch for several runs of a model: the count of operators goes on from one to the next.
    pub fn across_runs(&self) -> Self {
        Self { asked: self.asked.clone(), operators: Some(Arc::default()) }
    }

    /// Tells the progress.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if the explanation is to stop here.
    pub fn tell(&self, progress: Progress) -> Result<()> {
        let Some(asked) = &self.asked else { return Ok(()) };
        let progress = match (progress, &self.operators) {
            // Each run tells once before each operator.
            (Progress::Running { .. }, Some(told)) => {
                Progress::Running { operators: told.fetch_add(1, Ordering::Relaxed) }
            }
            _ => progress,
        };
        if asked(progress).is_break() { Err(Error::Cancelled(progress)) } else { Ok(()) }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.asked.is_some() { "Watch" } else { "Nobody" })
    }
}
