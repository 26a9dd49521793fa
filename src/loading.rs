//! From a path to a model in its framework.

use crate::file_kind::{self, Form};
use crate::model::Loaded;
use crate::{Error, Model, Result};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Options for loading.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Libraries that register extra operators with libtorch, loaded first.
    pub libraries: Vec<PathBuf>,
    /// The signature of a SavedModel; `serving_default` if absent.
    pub signature: Option<String>,
    /// All tags of a SavedModel's graph; `serve` if empty.
    pub tags: Vec<String>,
    /// The library of TensorFlow, a file or its directory; searched for if absent.
    pub tensorflow: Option<PathBuf>,
    /// The number of threads for a SavedModel's operators; one for each processor if absent. For libtorch, `OMP_NUM_THREADS`
    /// decides.
    pub threads: Option<usize>,
}

impl LoadOptions {
    /// Refuses what belongs to the other format and would change nothing here.
    fn fit(&self, form: &Form) -> Result<()> {
        let (path, is, others) = match form {
            Form::TorchScript(path) => (
                path,
                "a TorchScript archive",
                [("signature", self.signature.is_some()), ("tags", !self.tags.is_empty())],
            ),
            Form::SavedModel(path) => {
                (path, "a SavedModel", [("libraries of operators", !self.libraries.is_empty()), ("", false)])
            }
        };
        match others.iter().find(|(_, given)| *given) {
            Some((what, _)) => {
                Err(Error::Usage(format!("{} is {is}, which has no {what}; leave that out", path.display())))
            }
            None => Ok(()),
        }
    }
}

impl Model {
    /// Loads a model after recognising its kind. From a directory of numbered versions, as TensorFlow Serving lays them out,
    /// it takes the newest.
    ///
    /// # Errors
    /// [`Error::Kind`], with what to do, if this build does not read such a file; [`Error::Load`] if it is damaged.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_with(path, &LoadOptions::default())
    }

    /// Loads a model with options.
    ///
    /// # Errors
    /// As [`load`](Self::load), and [`Error::Library`] if an operator library cannot be opened.
    pub fn load_with(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Self> {
        let (path, start) = (path.as_ref(), Instant::now());
        let (inner, path) = load(path, options)?;
        let mut model = Self::of(inner, start)?;
        model.path = Some(path);
        Ok(model)
    }
}

/// Hands a model to its framework; also returns the path of what was loaded.
fn load(path: &Path, options: &LoadOptions) -> Result<(Box<dyn Loaded>, PathBuf)> {
    let form = file_kind::look(path)?;
    options.fit(&form)?;
    match form {
        #[cfg(feature = "torch")]
        Form::TorchScript(path) => Ok((crate::torch::load(&path, options)?, path)),
        #[cfg(feature = "tensorflow")]
        Form::SavedModel(path) => Ok((crate::tensorflow::load(&path, options)?, path)),
        #[allow(unreachable_patterns, reason = "in a build with both frameworks")]
        _ => Err(Error::Internal(format!("{} needs a framework that this build leaves out", path.display()))),
    }
}
