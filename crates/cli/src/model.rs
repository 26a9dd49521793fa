//! The model, a file or a directory.

use crate::args::ModelArgs;
use crate::failure::{Failure, Result};
use dlbacktrace::{LoadOptions, Model};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Loads the model that the command line names.
///
/// # Errors
/// [`Failure::Explanation`].
pub fn load(args: &ModelArgs) -> Result<Model> {
    #[cfg(feature = "tensorflow")]
    load_tensorflow(args)?;
    let options = LoadOptions {
        libraries: args.libraries.clone(),
        signature: args.signature.clone(),
        tags: args.tags.clone(),
        tensorflow: args.tensorflow.clone(),
        threads: args.threads,
    };
    Ok(Model::load_with(&args.model, &options)?)
}

/// Loads TensorFlow by itself. TensorFlow writes notes to standard error while it loads, whatever its log level; nothing else
/// of this program runs meanwhile, so nothing else is silenced with them.
#[cfg(feature = "tensorflow")]
fn load_tensorflow(args: &ModelArgs) -> Result<()> {
    let saved_model = args.model.is_dir() || args.model.ends_with("saved_model.pb");
    if saved_model && std::env::var_os("TF_CPP_MIN_LOG_LEVEL").is_none() {
        // If this fails, the notes are shown.
        let _silence = gag::Gag::stderr().ok();
        dlbacktrace::tensorflow::Library::load(args.tensorflow.as_deref())
            .map_err(dlbacktrace::Error::from)?;
    }
    Ok(())
}

/// The archive or directory that was loaded.
pub fn path(model: &Model) -> &Path {
    model.path().unwrap_or(Path::new(""))
}

/// The model's path, and the SHA-256 of the file in hexadecimal digits; for a directory, that of the names and contents of
/// its files.
///
/// # Errors
/// [`Failure::Usage`] if it cannot be read.
pub fn identity(model: &Model) -> Result<dlbacktrace_report::Model> {
    let path = path(model);
    let unreadable = |e: io::Error| Failure::Usage(format!("cannot read {}: {e}", path.display()));
    let mut hasher = Sha256::new();
    if path.is_dir() {
        for file in files(path).map_err(unreadable)? {
            let name = file.strip_prefix(path).unwrap_or(&file);
            hasher.update(name.as_os_str().as_encoded_bytes());
            hash(&file, &mut hasher).map_err(unreadable)?;
        }
    } else {
        hash(path, &mut hasher).map_err(unreadable)?;
    }
    let sha256 = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(dlbacktrace_report::Model { path: path.display().to_string(), sha256 })
}

fn hash(file: &Path, hasher: &mut Sha256) -> io::Result<()> {
    let mut file = BufReader::new(File::open(file)?);
    loop {
        let chunk = file.fill_buf()?;
        if chunk.is_empty() {
            return Ok(());
        }
        hasher.update(chunk);
        let length = chunk.len();
        file.consume(length);
    }
}

/// The files of a directory and those within it, in the order of their paths.
fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files(&path)?) } else { found.push(path) }
    }
    found.sort();
    Ok(found)
}
