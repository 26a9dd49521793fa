//! The model file.

use crate::args::ModelArgs;
use crate::failure::{Failure, Result};
use dlbacktrace::{LoadOptions, Model};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufRead, BufReader};

/// Loads the model that the command line names.
///
/// # Errors
/// [`Failure::Explanation`].
pub fn load(args: &ModelArgs) -> Result<Model> {
    let options = LoadOptions { libraries: args.libraries.clone() };
    Ok(Model::load_with(&args.model, &options)?)
}

/// The file's SHA-256 in hexadecimal digits.
///
/// # Errors
/// [`Failure::Usage`] if it cannot be read.
pub fn sha256(args: &ModelArgs) -> Result<String> {
    let unreadable = |e: io::Error| Failure::Usage(format!("cannot read {}: {e}", args.model.display()));
    let mut file = BufReader::new(File::open(&args.model).map_err(unreadable)?);
    let mut hasher = Sha256::new();
    loop {
        let chunk = file.fill_buf().map_err(unreadable)?;
        if chunk.is_empty() {
            break;
        }
        hasher.update(chunk);
        let length = chunk.len();
        file.consume(length);
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
