//! From a path to a model in its framework.

use crate::file_kind::{self, Form};
use crate::model::Loaded;
use crate::{Error, Model, Result};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How to load.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Libraries that register extra operators with libtorch, loaded first.
    pub libraries: Vec<PathBuf>,
    /// The signature of a SavedModel; `serving_default` when absent.
    pub signature: Option<String>,
    /// The tags of a SavedModel's graph, all of them; `serve` when empty.
    pub tags: Vec<String>,
    /// The library of TensorFlow, a file or its directory; searched for when absent.
    pub tensorflow: Option<PathBuf>,
    /// The number of threads that a SavedModel's operators run on; that of the processors when absent. For libtorch,
    /// `OMP_NUM_THREADS` decides.
    pub threads: Option<usize>,
}

impl Model {
    /// Loads a model; its kind is detected. Of a directory of numbered versions, as TensorFlow Serving lays them out, the
    /// newest is taken.
    ///
    /// # Errors
    /// [`Error::Kind`] when it is nothing this build reads, with what to do, [`Error::Load`] when it is damaged.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_with(path, &LoadOptions::default())
    }

    /// Loads a model with options.
    ///
    /// # Errors
    /// As [`load`](Self::load), and [`Error::Library`] when an operator library cannot be opened.
    pub fn load_with(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Self> {
        let (path, start) = (path.as_ref(), Instant::now());
        let (inner, path) = load(path, options)?;
        let mut model = Self::of(inner, start)?;
        model.path = Some(path);
        Ok(model)
    }
}

/// Hands a model to its framework; and the path of what was loaded.
fn load(path: &Path, options: &LoadOptions) -> Result<(Box<dyn Loaded>, PathBuf)> {
    let _ = options;
    match file_kind::look(path)? {
        #[cfg(feature = "torch")]
        Form::TorchScript(path) => Ok((crate::torch::load(&path, options)?, path)),
        #[cfg(feature = "tensorflow")]
        Form::SavedModel(path) => Ok((crate::tensorflow::load(&path, options)?, path)),
        #[allow(unreachable_patterns, reason = "of a build with both")]
        _ => Err(Error::Internal(format!("{} is of a framework that was left out", path.display()))),
    }
}
