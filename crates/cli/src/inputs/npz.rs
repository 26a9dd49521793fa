//! `.npz`: named arrays of numpy.

use super::npy;
use dlbacktrace::Value;
use std::io::{Cursor, Read};
use zip::ZipArchive;

/// Reads the content of an `.npz` file: names and arrays in the order of the file.
///
/// # Errors
/// What is wrong with it.
pub fn parse(bytes: &[u8]) -> Result<Vec<(String, Value)>, String> {
    let broken = |e: &dyn std::fmt::Display| format!("it is not a complete npz file ({e})");
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| broken(&e))?;
    let mut arrays = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|e| broken(&e))?;
        let name = entry.name().trim_end_matches(".npy").to_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(|e| broken(&e))?;
        arrays.push((name.clone(), npy::parse(&content).map_err(|e| format!("its array `{name}`: {e}"))?));
    }
    Ok(arrays)
}
