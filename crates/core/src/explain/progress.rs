//! How far an explanation is, and who may stop it.

use crate::{Error, Result};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

/// How far an explanation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// The model runs. How many operators it will run is not known before.
    Running {
        /// The number of operators that have run, with the parts of composite ones.
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
            Self::Running { operators } => write!(f, "{operators} operators of the model's run"),
            Self::Walking { done, total } => write!(f, "{done} of {total} steps of the walk"),
        }
    }
}

/// Is told how far an explanation is, and says whether it goes on. The default lets everything go on.
#[derive(Clone, Default)]
pub struct Watch(Option<Arc<dyn Fn(Progress) -> ControlFlow<()> + Send + Sync>>);

impl Watch {
    /// Calls `watch` before each operator of the model's run and after each step of the walk.
    pub fn new(watch: impl Fn(Progress) -> ControlFlow<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(watch)))
    }

    /// Tells the progress.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if the explanation is to stop here.
    pub fn tell(&self, progress: Progress) -> Result<()> {
        match &self.0 {
            Some(watch) if watch(progress).is_break() => Err(Error::Cancelled(progress)),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Watch" } else { "Nobody" })
    }
}
