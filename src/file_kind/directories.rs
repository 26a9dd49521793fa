//! Recognises directories that are given as models.

use super::content::Content;
use super::{Form, files, other};
use crate::Result;
use std::path::Path;

/// The file that makes a directory a SavedModel, and its other forms, for which `crates/tensorflow` says what to do.
const SAVED_MODEL: [&str; 3] = ["saved_model.pb", "saved_model.pbtxt", "saved_model.cpb"];

/// A kind of directory that we do not read.
struct Kind {
    fits: fn(&Listing) -> bool,
    name: &'static str,
    advice: &'static str,
}

const KINDS: &[Kind] = &[
    Kind {
        fits: |listing| listing.names.is_empty(),
        name: "an empty directory",
        advice: "Check whether the model was saved elsewhere, or whether a volume is not mounted.",
    },
    Kind {
        fits: |listing| listing.has("data.pkl") && listing.has("constants.pkl"),
        name: "a TorchScript archive that was unpacked",
        advice: "Pack it again without compression, and give the file:\n    zip -0 -r model.pt {file}",
    },
    Kind {
        fits: |listing| listing.has("config.json") && listing.any(&["safetensors", "bin", "msgpack"]),
        name: "a folder of the transformers library: weights and a configuration without the network's code",
        advice: "Trace it once, and give the file:\n    python python_shims/trace_hf.py {file} out/model",
    },
    Kind {
        fits: |listing| listing.has("MLmodel"),
        name: "a folder of MLflow",
        advice: "Give the model within its folder `data`, if that is a TorchScript archive or a SavedModel.",
    },
    Kind {
        fits: |listing| listing.has("model.json") && listing.any(&["bin"]),
        name: "a model of TensorFlow.js",
        advice: "Give the model it was converted from, saved by `model.export(\"saved_model\")`.",
    },
    Kind {
        fits: |listing| listing.has("Manifest.json"),
        name: "a package of Core ML",
        advice: "Give the model it was converted from, as TorchScript or SavedModel.",
    },
    Kind {
        fits: |listing| listing.any(&["index"]),
        name: "a checkpoint of TensorFlow: values of variables without the network",
        advice: "If it is the `variables` of a SavedModel, give the directory above. Else build the network in Python, then:\n    \
                 tf.train.Checkpoint(model=model).restore(\"{file}/NAME\").expect_partial()\n    \
                 model.export(\"saved_model\")",
    },
];

struct Listing {
    names: Vec<String>,
}

impl Listing {
    fn of(path: &Path) -> Self {
        let entries = path.read_dir().into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        Self { names }
    }

    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|there| there == name)
    }

    /// Whether there is a file with one of these extensions.
    fn any(&self, extensions: &[&str]) -> bool {
        let extension = |name: &String| Path::new(name).extension()?.to_str().map(str::to_owned);
        self.names.iter().filter_map(extension).any(|found| extensions.contains(&found.as_str()))
    }
}

/// The SavedModel in the directory, or the newest of the numbered versions in it, as servers lay them out.
pub(super) fn look(path: &Path) -> Result<Form> {
    if is_saved_model(path) {
        return Ok(Form::SavedModel(path.to_owned()));
    }
    let listing = Listing::of(path);
    if let Some(newest) = newest(path, &listing) {
        return Ok(newest);
    }
    if let Some(kind) = KINDS.iter().find(|kind| (kind.fits)(&listing)) {
        return Err(other(path, kind.name, kind.advice));
    }
    let inside = listing.names.iter().filter(|name| is_saved_model(&path.join(name)) || is_archive(name));
    let inside: Vec<String> = inside.map(|name| path.join(name).display().to_string()).collect();
    Err(match inside.as_slice() {
        [] => other(
            path,
            "a directory without a saved_model.pb",
            "Give the directory that model.export(PATH) wrote, or a file.",
        ),
        some => {
            other(path, "a directory with models in it", &format!("Give one of them: {}", some.join(", ")))
        }
    })
}

fn is_saved_model(path: &Path) -> bool {
    SAVED_MODEL.iter().any(|name| path.join(name).is_file())
}

fn is_archive(name: &str) -> bool {
    [".pt", ".pth", ".ts", ".torchscript"].iter().any(|end| name.ends_with(end))
}

/// The model in the directory of the highest version number that has one.
fn newest(path: &Path, listing: &Listing) -> Option<Form> {
    let version = |name: &String| Some((name.parse::<u64>().ok()?, served(&path.join(name))?));
    listing.names.iter().filter_map(version).max_by_key(|(number, _)| *number).map(|(_, form)| form)
}

/// The model in a version's directory: for TensorFlow Serving the directory itself, for Triton an entry of a fixed name.
fn served(version: &Path) -> Option<Form> {
    let mut directories = [version.to_owned(), version.join("model.savedmodel")].into_iter();
    let archive = version.join("model.pt");
    let read = || files::look(&archive, &Content::read(&archive).ok()?).ok();
    directories.find(|path| is_saved_model(path)).map(Form::SavedModel).or_else(read)
}
