//! `relevance.npz`: every array of an explanation in one file, as numpy reads it.

use crate::{Error, Result};
use ndarray::ArrayViewD;
use ndarray_npy::{NpzWriter, WritableElement};
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

/// An npz file that takes arrays one by one, so that only one of them need be in memory.
pub struct ArrayFile {
    path: PathBuf,
    writer: NpzWriter<BufWriter<File>>,
}

impl ArrayFile {
    /// Creates the file.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(Error::io(path))?;
        Ok(Self { path: path.to_owned(), writer: NpzWriter::new_compressed(BufWriter::new(file)) })
    }

    /// Adds an array of any shape under a name of its own.
    ///
    /// # Errors
    /// [`Error::Array`].
    pub fn add<T: WritableElement>(&mut self, key: &str, array: ArrayViewD<'_, T>) -> Result<()> {
        self.writer.add_array(key, &array).map_err(|e| self.failed(key, e))
    }

    /// Completes the file.
    ///
    /// # Errors
    /// [`Error::Array`].
    pub fn finish(self) -> Result<()> {
        let path = self.path;
        match self.writer.finish() {
            Ok(_) => Ok(()),
            Err(e) => Err(Error::Array { path, key: "(directory)".to_owned(), message: e.to_string() }),
        }
    }

    fn failed(&self, key: &str, error: impl ToString) -> Error {
        Error::Array { path: self.path.clone(), key: key.to_owned(), message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, IxDyn, arr2};
    use ndarray_npy::NpzReader;

    #[test]
    fn arrays_come_back_under_their_names() -> Result<(), Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("relevance.npz");
        let mut file = ArrayFile::create(&path)?;
        let scalar = ArrayD::from_elem(IxDyn(&[]), 2.5_f32);
        let table = arr2(&[[1.0_f32, -2.0], [3.0, 4.0]]).into_dyn();
        file.add("input:batch.ids:positive", scalar.view())?;
        file.add("input:feats[0]", table.view())?;
        file.finish()?;

        let mut npz = NpzReader::new(File::open(&path)?)?;
        assert_eq!(npz.names()?, ["input:batch.ids:positive", "input:feats[0]"]);
        assert_eq!(npz.by_name::<ndarray::OwnedRepr<f32>, IxDyn>("input:batch.ids:positive")?, scalar);
        assert_eq!(npz.by_name::<ndarray::OwnedRepr<f32>, IxDyn>("input:feats[0]")?, table);
        Ok(())
    }

    #[test]
    fn the_same_name_twice_is_an_error() -> Result<(), Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        let mut file = ArrayFile::create(&dir.path().join("relevance.npz"))?;
        let array = ArrayD::from_elem(IxDyn(&[1]), 1.0_f32);
        file.add("input:x", array.view())?;
        assert!(file.add("input:x", array.view()).is_err());
        Ok(())
    }
}
