//! All or nothing: results become visible when all of them are complete.

use crate::{Error, Result};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;

/// The name of the document. It is moved last: whoever finds it finds every file that it names.
pub(crate) const DOCUMENT: &str = "explanation.json";

/// A directory beside the one for the results. Files are written here and [moved](Self::commit) when all are complete.
/// Dropped without that, it vanishes, and the other directory stays as it was.
#[derive(Debug)]
pub struct Staging {
    dir: TempDir,
    out: PathBuf,
}

/// The staging directories in use. An interrupted process removes them before it ends.
static LIVE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn live() -> MutexGuard<'static, Vec<PathBuf>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn create(dir: &Path) -> std::io::Result<TempDir> {
    tempfile::Builder::new().prefix(".dlbacktrace-").tempdir_in(dir).map_err(|error| {
        let told = match error.kind() {
            ErrorKind::PermissionDenied => "it does not allow writing",
            ErrorKind::ReadOnlyFilesystem => "it is read-only",
            ErrorKind::StorageFull => "the disk is full",
            _ => "it does not accept files",
        };
        std::io::Error::new(error.kind(), told)
    })
}

impl Drop for Staging {
    fn drop(&mut self) {
        live().retain(|dir| dir != self.dir.path());
    }
}

impl Staging {
    /// Checks before long work whether results can go to `out`: neither it nor a directory above it is a file, and the nearest
    /// one that exists can be written to.
    ///
    /// # Errors
    /// [`Error::NotADirectory`] or [`Error::Io`].
    pub fn check(out: &Path) -> Result<()> {
        let out = std::path::absolute(out).map_err(Error::io(out))?;
        match out.ancestors().find(|path| path.exists()) {
            Some(path) if !path.is_dir() => Err(Error::NotADirectory { path: path.to_owned() }),
            Some(path) => create(path).map(drop).map_err(Error::io(path)),
            None => Ok(()),
        }
    }

    /// Removes the directories in use because the process is about to end. Unfinished results leave no trace; a move that has
    /// begun is completed.
    pub fn abandon() {
        live().drain(..).for_each(|dir| drop(fs::remove_dir_all(dir)));
    }

    /// Prepares for results that will go to `out`.
    ///
    /// # Errors
    /// [`Error::NotADirectory`], or [`Error::Io`] if no place can be written to.
    pub fn beside(out: &Path) -> Result<Self> {
        Self::check(out)?;
        let out = std::path::absolute(out).map_err(Error::io(out))?;
        let parent = out.parent().unwrap_or(&out);
        fs::create_dir_all(parent).map_err(Error::io(parent))?;
        // A mounted directory, or one whose parent cannot be written to, has no neighbour: then a hidden one inside.
        let dir = match create(parent) {
            Ok(dir) if same_file_system(dir.path(), &out) => dir,
            Err(error) if !out.exists() => return Err(Error::io(parent)(error)),
            _ => create(&out).map_err(Error::io(&out))?,
        };
        live().push(dir.path().to_owned());
        Ok(Self { dir, out })
    }

    /// The path at which to write the file of this name.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a whole file.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.path(name);
        fs::write(&path, content).map_err(Error::io(path))
    }

    /// Writes a picture as PNG.
    ///
    /// # Errors
    /// [`Error::Picture`].
    pub fn write_picture(&self, name: &str, picture: &image::RgbImage) -> Result<()> {
        picture
            .save_with_format(self.path(name), image::ImageFormat::Png)
            .map_err(|e| Error::Picture(format!("{name}: {e}")))
    }

    /// Moves everything into place. Files of the same name are replaced. Pictures of an earlier explanation that this one does
    /// not have are removed. Everything else in the directory stays.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn commit(self) -> Result<()> {
        let _uninterrupted = live();
        if !self.out.exists() {
            // A temporary directory is closed to other users, a created one is not.
            fs::create_dir(&self.out).map_err(Error::io(&self.out))?;
        }
        let names = self.names()?;
        if let Some(name) = names.iter().find(|name| self.out.join(name).is_dir()) {
            let source = std::io::ErrorKind::IsADirectory.into();
            return Err(Error::Io { path: self.out.join(name), source });
        }
        let stale: Vec<String> = pictures_of(&self.out.join(DOCUMENT))
            .into_iter()
            .filter(|old| !names.contains(old.as_str().as_ref() as &std::ffi::OsStr))
            .collect();
        let (last, first): (Vec<_>, Vec<_>) = names.iter().partition(|name| *name == DOCUMENT);
        for name in first.into_iter().chain(last) {
            let target = self.out.join(name);
            fs::rename(self.dir.path().join(name), &target).map_err(Error::io(target))?;
        }
        for name in stale {
            let _ = fs::remove_file(self.out.join(name));
        }
        Ok(())
    }

    fn names(&self) -> Result<BTreeSet<OsString>> {
        let dir = self.dir.path();
        let entries = fs::read_dir(dir).map_err(Error::io(dir))?;
        entries.map(|entry| Ok(entry.map_err(Error::io(dir))?.file_name())).collect()
    }
}

/// The pictures and pages that a document lists beside it; none if the document does not exist.
fn pictures_of(document: &Path) -> Vec<String> {
    #[derive(serde::Deserialize)]
    struct Written {
        files: Vec<String>,
    }
    let is_picture = |name: &String| {
        let plain = Path::new(name).file_name().is_some_and(|plain| plain == name.as_str());
        plain && [".png", ".svg", ".html"].iter().any(|end| name.ends_with(end))
    };
    fs::read(document)
        .ok()
        .and_then(|text| serde_json::from_slice::<Written>(&text).ok())
        .map_or_else(Vec::new, |written| written.files.into_iter().filter(is_picture).collect())
}

/// Whether files can be renamed from one directory into the other, which need not exist yet.
#[cfg(unix)]
fn same_file_system(dir: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (fs::metadata(dir), fs::metadata(other)) {
        (Ok(dir), Ok(other)) => dir.dev() == other.dev(),
        _ => true,
    }
}

#[cfg(not(unix))]
fn same_file_system(_: &Path, _: &Path) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn listing(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn nothing_is_seen_before_commit_and_everything_after() -> Outcome {
        let room = tempfile::tempdir()?;
        let out = room.path().join("deep/out");
        let staging = Staging::beside(&out)?;
        staging.write("relevance.npz", b"arrays")?;
        staging.write(DOCUMENT, b"{}")?;
        assert!(!out.exists());
        staging.commit()?;
        assert_eq!(listing(&out), [DOCUMENT, "relevance.npz"]);
        assert_eq!(listing(&room.path().join("deep")), ["out"], "the staging directory is gone");
        Ok(())
    }

    #[test]
    fn a_dropped_staging_leaves_the_target_alone() -> Outcome {
        let room = tempfile::tempdir()?;
        let out = room.path().join("out");
        fs::create_dir(&out)?;
        fs::write(out.join(DOCUMENT), "old")?;
        let staging = Staging::beside(&out)?;
        staging.write(DOCUMENT, b"new")?;
        drop(staging);
        assert_eq!(fs::read_to_string(out.join(DOCUMENT))?, "old");
        assert_eq!(listing(room.path()), ["out"]);
        Ok(())
    }

    #[test]
    fn stale_pictures_go_and_what_is_not_ours_stays() -> Outcome {
        let room = tempfile::tempdir()?;
        let out = room.path().join("out");
        fs::create_dir(&out)?;
        fs::write(
            out.join(DOCUMENT),
            r#"{"files": ["old.png", "kept.svg", "../secret.png", "thesis.txt"]}"#,
        )?;
        for (path, text) in [("old.png", "x"), ("kept.svg", "x"), ("thesis.txt", "x"), ("own.png", "x")] {
            fs::write(out.join(path), text)?;
        }
        fs::write(room.path().join("secret.png"), "x")?;
        let staging = Staging::beside(&out)?;
        staging.write("kept.svg", b"new")?;
        staging.write(DOCUMENT, b"{}")?;
        staging.commit()?;
        assert_eq!(listing(&out), [DOCUMENT, "kept.svg", "own.png", "thesis.txt"]);
        assert_eq!(fs::read_to_string(out.join("kept.svg"))?, "new");
        assert!(room.path().join("secret.png").exists());
        Ok(())
    }

    #[test]
    fn a_directory_in_the_way_stops_before_anything_moves() -> Outcome {
        let room = tempfile::tempdir()?;
        let out = room.path().join("out");
        fs::create_dir_all(out.join("relevance.npz"))?;
        fs::write(out.join("a.png"), "old")?;
        let staging = Staging::beside(&out)?;
        staging.write("a.png", b"new")?;
        staging.write("relevance.npz", b"arrays")?;
        assert!(matches!(staging.commit(), Err(Error::Io { .. })));
        assert_eq!(fs::read_to_string(out.join("a.png"))?, "old");
        Ok(())
    }

    #[test]
    fn a_place_that_cannot_be_written_to_is_named() -> Outcome {
        // Nobody, not even root, makes files there.
        for out in ["/proc/out", "/proc/deep/out", "/proc"] {
            let told =
                Staging::beside(Path::new(out)).map(drop).map_or_else(|e| e.to_string(), |()| String::new());
            assert!(told.starts_with("cannot write /proc: "), "{told}");
        }
        Ok(())
    }

    #[test]
    fn a_file_is_no_place_for_results() -> Outcome {
        let file = tempfile::NamedTempFile::new()?;
        for out in [file.path().to_owned(), file.path().join("below")] {
            assert!(matches!(Staging::beside(&out), Err(Error::NotADirectory { .. })));
        }
        Ok(())
    }
}
