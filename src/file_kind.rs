//! Recognises by its content what a file or directory given as a model is, and says what to do with one that we do not
//! read.
//!
//! Models come in dozens of forms, and names say little (`model.pt` may be any of six), so each form is recognised by its
//! content. A new form is one more entry in a table.

mod content;
mod directories;
mod files;
mod pickle;

use crate::{Error, Result};
use content::Content;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A model that can be handed to its framework.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Form {
    /// The file of an archive.
    TorchScript(PathBuf),
    /// The directory.
    SavedModel(PathBuf),
}

/// The formats that this build reads, or with `in-parts` this and the other part of the program together.
const READABLE: &str = match (cfg!(feature = "torch"), cfg!(feature = "tensorflow")) {
    _ if cfg!(feature = "in-parts") => "TorchScript archives (torch.jit.save) and TensorFlow SavedModels",
    (true, true) => "TorchScript archives (torch.jit.save) and TensorFlow SavedModels",
    (true, false) => "TorchScript archives (torch.jit.save)",
    (false, true) => "TensorFlow SavedModels",
    (false, false) => "nothing",
};

/// Finds out what is at the path.
///
/// # Errors
/// [`Error::Load`] if it does not exist or is damaged; [`Error::Kind`], with what to do, if this build does not read it.
pub(crate) fn look(path: &Path) -> Result<Form> {
    match recognise(path)? {
        Form::TorchScript(_) if !cfg!(feature = "torch") => {
            Err(other(path, "a TorchScript archive", "Use a build with the feature `torch`."))
        }
        Form::SavedModel(_) if !cfg!(feature = "tensorflow") => {
            Err(other(path, "a SavedModel", "Use a build with the feature `tensorflow`."))
        }
        form => Ok(form),
    }
}

/// Whether the path leads to a TorchScript archive, not to a SavedModel; for programs that have a part for each.
///
/// # Errors
/// [`Error::Load`] if it does not exist or is damaged; [`Error::Kind`], with what to do, if it is something else.
#[doc(hidden)]
pub fn is_torchscript(path: &Path) -> Result<bool> {
    Ok(matches!(recognise(path)?, Form::TorchScript(_)))
}

fn recognise(path: &Path) -> Result<Form> {
    let cannot = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => {
            Error::Load(format!("there is no model {}; check the path", path.display()))
        }
        _ => Error::Load(format!("cannot load {}: {error}", path.display())),
    };
    if fs::metadata(path).map_err(cannot)?.is_dir() {
        directories::look(path)
    } else {
        files::look(path, &Content::read(path).map_err(cannot)?)
    }
}

/// The error for a form that is not read; `{file}` in the advice stands for the path.
fn other(path: &Path, found: impl Into<String>, advice: &str) -> Error {
    let advice = advice.replace("{file}", &path.display().to_string());
    Error::Kind { path: path.to_owned(), found: found.into(), readable: READABLE, advice }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use zip::write::{SimpleFileOptions, ZipWriter};

    type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

    fn zip(entries: &[(&str, &[u8])]) -> Outcome<Vec<u8>> {
        let mut archive = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        for (name, content) in entries {
            archive.start_file(*name, stored)?;
            archive.write_all(content)?;
        }
        Ok(archive.finish()?.into_inner())
    }

    /// A pickle of protocol 2: `T` before a text, `c` before a class, `}` alone, all else as it is.
    fn pickle(parts: &[&str]) -> Vec<u8> {
        let mut bytes = b"\x80\x02".to_vec();
        for part in parts {
            match part.split_at_checked(1) {
                Some(("T", text)) => {
                    bytes.push(b'X');
                    bytes.extend((text.len() as u32).to_le_bytes());
                    bytes.extend(text.as_bytes());
                }
                Some(("c", class)) => bytes.extend(format!("c{}\n", class.replacen(' ', "\n", 1)).as_bytes()),
                _ => bytes.extend(part.as_bytes()),
            }
        }
        bytes.push(b'.');
        bytes
    }

    /// A field of a message that holds bytes.
    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, content.len() as u8], content].concat()
    }

    fn told(name: &str, content: &[u8]) -> Outcome<String> {
        let room = tempfile::tempdir()?;
        let path = room.path().join(name);
        fs::write(&path, content)?;
        match look(&path) {
            Ok(form) => Ok(format!("{form:?}")),
            Err(error) => {
                assert_eq!(error.exit_code(), 3);
                Ok(error.to_string())
            }
        }
    }

    const TENSOR: &str = "ctorch._utils _rebuild_tensor_v2";
    const ORDERED: &str = "ccollections OrderedDict";

    #[test]
    fn what_torch_writes_is_told_apart() -> Outcome {
        let state =
            pickle(&[ORDERED, ")", "R", "Tw", TENSOR, "Tbias", TENSOR, "}", "T_metadata", ORDERED, "T", "}"]);
        let checkpoint =
            pickle(&["}", "Toptimizer", "}", "Tstate", "}", TENSOR, "Tnet", ORDERED, "Tw", TENSOR]);
        let module =
            pickle(&["c__main__ Net", "T_modules", ORDERED, "ctorch.nn.modules.linear Linear", "Tw", TENSOR]);
        let tensors = pickle(&["(", TENSOR]);
        let trees = pickle(&["csklearn.ensemble._forest RandomForestClassifier"]);
        let old = |object: &[u8]| [&pickle(&["}", "Ttype_sizes", "}"]), object].concat();
        for (content, words) in [
            (zip(&[("m/data.pkl", &state), ("m/version", b"3")])?, "is a state_dict"),
            (old(&state), "is a state_dict"),
            (zip(&[("m/data.pkl", &checkpoint)])?, "weights_only=False)[\"net\"]"),
            (old(&checkpoint), "weights under `net`"),
            (zip(&[("m/data.pkl", &module)])?, "torch.save of a whole module"),
            (old(&module), "torch.save of a whole module"),
            (zip(&[("m/data.pkl", &tensors)])?, "tensors or other values"),
            (trees, "scikit-learn"),
            (pickle(&["}", "Ta"]), "a pickle of Python objects"),
            (
                zip(&[("m/code/a.py", b""), ("m/constants.pkl", b""), ("m/data.pkl", &module)])?,
                "TorchScript(",
            ),
            (zip(&[("m/archive_format", b"pt2"), ("m/models/model.json", b"{}")])?, "torch.export.load("),
            (zip(&[("MAR-INF/MANIFEST.json", b"{}"), ("model.pt", b"")])?, "TorchServe"),
            (zip(&[("p/.data/extern_modules", b""), ("p/a.py", b"")])?, "torch.package"),
            ([&[0; 4][..], b"PTMF", &[0; 9]].concat(), "flatbuffer"),
        ] {
            let told = told("model.pt", &content)?;
            assert!(told.contains(words), "`{words}` is missing from {told}");
            assert!(told.lines().count() < 6, "{told}");
        }
        Ok(())
    }

    #[test]
    fn other_forms_are_named_with_what_to_do() -> Outcome {
        let node = field(1, &[field(1, b"x"), field(2, b"Placeholder")].concat());
        let onnx = [&[8, 8][..], &field(2, b"pytorch"), &field(7, b"graph"), &field(8, b"\x10\x11")].concat();
        let header = br#"{"w":{"dtype":"F32"}}"#;
        let safetensors = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 4]].concat();
        let padded = [&640_u64.to_le_bytes()[..], header, &[b' '; 640], &[0; 4]].concat();
        let tar = [&b"model.pt"[..], &[0; 249], b"ustar\x0000", &[0; 247]].concat();
        for (content, words) in [
            (Vec::new(), "0 bytes"),
            (zip(&[("config.json", b"{}"), ("model.weights.h5", b"")])?, ".export(\"saved_model\")"),
            (zip(&[("x.npy", b"")])?, "numpy arrays (.npz)"),
            (zip(&[("readme.txt", b"")])?, "zip archive without a TorchScript module"),
            (b"\x89HDF\r\n\x1a\n....".to_vec(), "keras.models.load_model("),
            (b"\x1c\0\0\0TFL3".to_vec(), "TensorFlow Lite"),
            (onnx, "ONNX"),
            ([&[8, 5][..], &field(2, b""), b"\xa2\x25\0"].concat(), "Core ML"),
            ([&node[..], &node].concat(), "import_graph_def"),
            ([&[8, 1][..], &field(2, b"graph")].concat(), "SavedModel under another name"),
            (safetensors, "safetensors.torch.load_file("),
            (padded, "safetensors.torch.load_file("),
            (b"GGUF\x03\0\0\0".to_vec(), "GGUF"),
            (tar, "tar xf"),
            (b"\x1f\x8b\x08".to_vec(), "tar xf"),
            (b"\x93NUMPY\x01".to_vec(), "--input"),
            (b"\x7fELF".to_vec(), "--library"),
            (b"version https://git-lfs.github.com/spec/v1".to_vec(), "git lfs pull"),
            (b"<!doctype html>".to_vec(), "HTML"),
            (b"{\"class_name\": \"Functional\"}".to_vec(), "JSON"),
            ("h\u{e9}llo".as_bytes().to_vec(), "a text file"),
            (vec![0; 100], "an unknown form"),
        ] {
            let told = told("model", &content)?;
            assert!(told.contains(words), "`{words}` is missing from {told}");
            assert!(told.contains("TorchScript archives") && told.lines().count() < 6, "{told}");
        }
        Ok(())
    }

    #[test]
    fn only_what_is_cut_is_called_damaged() -> Outcome {
        let whole = zip(&[("m/data.pkl", b"\x80\x02}.")])?;
        assert!(told("m.pt", &whole[..whole.len() / 2])?.contains("damaged"));
        assert!(!told("m.pt", &whole)?.contains("damaged"));
        Ok(())
    }

    #[test]
    fn a_savedmodel_is_found_by_its_file_and_below_its_versions() -> Outcome {
        let room = tempfile::tempdir()?;
        let at = |path: &str| room.path().join(path);
        let graph = [&[8, 1][..], &field(2, b"graph")].concat();
        for version in ["2", "10", "9/model.savedmodel", "other"] {
            fs::create_dir_all(at(version))?;
            fs::write(at(version).join("saved_model.pb"), &graph)?;
        }
        fs::create_dir_all(at("11"))?;
        for (given, found) in
            [("", "10"), ("2", "2"), ("2/saved_model.pb", "2"), ("9/model.savedmodel", "9/model.savedmodel")]
        {
            assert_eq!(look(&at(given))?, Form::SavedModel(at(found)));
        }
        fs::remove_dir_all(at("10"))?;
        assert_eq!(look(room.path())?, Form::SavedModel(at("9/model.savedmodel")));
        Ok(())
    }

    #[test]
    fn directories_are_named() -> Outcome {
        for (files, words) in [
            (&[][..], "an empty directory"),
            (&["config.json", "model.safetensors"], "trace_hf.py"),
            (&["data.pkl", "constants.pkl"], "zip -0 -r"),
            (&["c-1.index", "c-1.data-00000-of-00001"], "tf.train.Checkpoint"),
            (&["MLmodel"], "MLflow"),
            (&["a.pt", "b.pt"], "b.pt"),
            (&["notes.txt"], "without a saved_model.pb"),
        ] {
            let room = tempfile::tempdir()?;
            for file in files {
                fs::write(room.path().join(file), "")?;
            }
            let told = look(room.path()).map_or_else(|error| error.to_string(), |form| format!("{form:?}"));
            assert!(told.contains(words), "`{words}` is missing from {told}");
        }
        Ok(())
    }
}
