//! The errors of this crate.

use std::path::{Path, PathBuf};

/// An error of loading, running or recording.
///
/// `reason` is always a short text of libtorch or the recorder, without C++ frames.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is not a TorchScript archive that this libtorch reads.
    #[error("cannot load the TorchScript archive {path}: {reason}")]
    Load {
        /// The archive.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The archive calls an operator, or holds an object, that no loaded library has.
    #[error("{path} needs {name}, which libtorch does not have: {from}")]
    Operator {
        /// The archive.
        path: PathBuf,
        /// The operator or the class.
        name: String,
        /// Where it comes from, and what to do.
        from: String,
    },
    /// A live module cannot be explained as it is.
    #[error("cannot take the live module: {reason}")]
    Live {
        /// Why.
        reason: String,
    },
    /// A library of custom operators could not be opened.
    #[error("cannot load the operator library {path}: {reason}")]
    Library {
        /// The shared library.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The inputs do not fit the schema of `forward`; the reason names the argument and the whole schema.
    #[error("the inputs do not fit the module: {reason}")]
    Inputs {
        /// The argument, and what it takes.
        reason: String,
    },
    /// The computation itself failed; the reason names the operator and the module path that were active.
    #[error("the forward pass failed: {reason}")]
    Forward {
        /// The failing operator, its shapes and module path if they are known, and libtorch's text.
        reason: String,
    },
    /// Whoever watched the run stopped it.
    #[error(transparent)]
    Cancelled(dlbacktrace_core::Error),
    /// An operator that was called by name failed.
    #[error("{operator} failed: {reason}")]
    Call {
        /// The operator.
        operator: String,
        /// Why.
        reason: String,
    },
    /// Recording could not start or finish, or the recording could not be read.
    #[error("cannot record: {reason}")]
    Record {
        /// Why.
        reason: String,
    },
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Libtorch's error about an archive. Operators of other libraries are distinguished from damage.
    pub(crate) fn load(path: &Path, error: &cxx::Exception) -> Error {
        let path = path.to_owned();
        match foreign(error.what()) {
            Some(name) => Error::Operator { from: origin(&name), name, path },
            None => Error::Load { path, reason: error.what().to_owned() },
        }
    }
}

/// The operator, `torchvision::nms`, or class, `__torch__.torch.classes.…`, that libtorch does not know.
fn foreign(text: &str) -> Option<String> {
    let name = |mark: &str| {
        let (_, rest) = text.split_once(mark)?;
        let end = |character: char| !(character.is_alphanumeric() || "_:.".contains(character));
        let name = rest.split(end).next()?.trim_end_matches(['.', ':']);
        (!name.is_empty()).then(|| name.to_owned())
    };
    name("Unknown builtin op: ").or_else(|| {
        let class = name("Unknown type name '").or_else(|| name("Class "))?;
        class.strip_prefix("__torch__.torch.classes.").map(|class| class.replace('.', "::"))
    })
}

/// The library that an operator belongs to.
fn origin(name: &str) -> String {
    let library = name.split("::").next().unwrap_or(name);
    match library {
        "aten" | "prim" => {
            "the model was saved by another version of PyTorch; save it again with this one".to_owned()
        }
        _ => {
            let file =
                if library == "torchvision" { " (of torchvision's package: torchvision/_C.so)" } else { "" };
            format!(
                "it is an operator of {library}. With --library, give the shared library that registers it, built for this libtorch{file}"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_of_other_libraries_are_named() {
        let text =
            "Unknown builtin op: torchvision::nms.\nCould not find any similar ops to torchvision::nms.";
        assert_eq!(foreign(text).as_deref(), Some("torchvision::nms"));
        assert!(origin("torchvision::nms").contains("--library"));
        assert!(origin("torch_scatter::segment_sum_coo").contains("torch_scatter"));
        assert_eq!(foreign("PytorchStreamReader failed reading zip archive"), None);
    }
}
