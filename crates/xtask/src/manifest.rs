//! The manifest of a directory in the cache: the size, age and hash of each file when it was made.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Its name in the directory.
pub const NAME: &str = "manifest";

/// One line of the manifest; `path` is relative to the directory, in `/`.
#[derive(Debug, PartialEq)]
struct Entry {
    sha256: String,
    size: u64,
    /// Nanoseconds since 1970.
    modified: u128,
    path: String,
}

/// Writes the manifest of everything in `directory`.
pub fn write(directory: &Path) -> Result<()> {
    let mut text = String::new();
    for path in files(directory)? {
        let (size, modified) = size_and_time(&directory.join(&path))?;
        let sha256 = sha256(&directory.join(&path)).with_context(|| format!("cannot read {path}"))?;
        writeln!(text, "{sha256} {size} {modified} {path}")?;
    }
    fs::write(directory.join(NAME), text).with_context(|| format!("cannot write to {}", directory.display()))
}

/// Whether every file has its size and age of that time; takes milliseconds.
pub fn is_untouched(directory: &Path) -> bool {
    holds(directory, |entry, file| {
        size_and_time(file).is_ok_and(|(size, modified)| (size, modified) == (entry.size, entry.modified))
    })
}

/// Whether every file has its content of that time, by SHA-256.
pub fn is_intact(directory: &Path) -> bool {
    holds(directory, |entry, file| sha256(file).is_ok_and(|sha256| sha256 == entry.sha256))
}

fn holds(directory: &Path, good: impl Fn(&Entry, &Path) -> bool) -> bool {
    let Ok(text) = fs::read_to_string(directory.join(NAME)) else { return false };
    !text.is_empty()
        && text
            .lines()
            .all(|line| parse(line).is_some_and(|entry| good(&entry, &directory.join(&entry.path))))
}

fn parse(line: &str) -> Option<Entry> {
    let mut words = line.splitn(4, ' ');
    Some(Entry {
        sha256: words.next()?.to_owned(),
        size: words.next()?.parse().ok()?,
        modified: words.next()?.parse().ok()?,
        path: words.next()?.to_owned(),
    })
}

/// The files below `directory`, in order, without the manifest itself.
fn files(directory: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(place) = open.pop() {
        for entry in fs::read_dir(&place).with_context(|| format!("cannot read {}", place.display()))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            } else if let Ok(path) = entry.path().strip_prefix(directory) {
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    found.retain(|path| path != NAME);
    found.sort();
    Ok(found)
}

fn size_and_time(file: &Path) -> Result<(u64, u128)> {
    let meta = fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok((meta.len(), meta.modified()?.duration_since(UNIX_EPOCH)?.as_nanos()))
}

fn sha256(file: &Path) -> Result<String> {
    let mut file = BufReader::with_capacity(1 << 16, File::open(file)?);
    let mut hasher = Sha256::new();
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        hasher.update(bytes);
        let read = bytes.len();
        file.consume(read);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    fn laid_out() -> Result<tempfile::TempDir> {
        let directory = tempfile::tempdir()?;
        fs::create_dir(directory.path().join("lib"))?;
        fs::write(directory.path().join("lib/a name.so"), "library")?;
        fs::write(directory.path().join("build-version"), "1")?;
        write(directory.path())?;
        Ok(directory)
    }

    #[test]
    fn a_fresh_directory_is_untouched_and_intact() -> Result<()> {
        let directory = laid_out()?;
        assert!(is_untouched(directory.path()));
        assert!(is_intact(directory.path()));
        Ok(())
    }

    #[test]
    fn a_known_hash() -> Result<()> {
        let directory = laid_out()?;
        let text = fs::read_to_string(directory.path().join(NAME))?;
        let first = text.lines().next().and_then(parse).context("no entry")?;
        assert_eq!(first.path, "build-version");
        assert_eq!(first.size, 1);
        assert_eq!(first.sha256, "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b");
        Ok(())
    }

    #[test]
    fn a_file_of_another_age_is_touched_but_intact() -> Result<()> {
        let directory = laid_out()?;
        let file = File::options().write(true).open(directory.path().join("build-version"))?;
        file.set_modified(SystemTime::now() - Duration::from_secs(60))?;
        assert!(!is_untouched(directory.path()));
        assert!(is_intact(directory.path()));
        Ok(())
    }

    #[test]
    fn a_change_that_keeps_size_and_age_is_found_by_the_hash() -> Result<()> {
        let directory = laid_out()?;
        let path = directory.path().join("lib/a name.so");
        let modified = fs::metadata(&path)?.modified()?;
        fs::write(&path, "Library")?;
        File::options().write(true).open(&path)?.set_modified(modified)?;
        assert!(is_untouched(directory.path()));
        assert!(!is_intact(directory.path()));
        Ok(())
    }

    #[test]
    fn a_missing_file_or_manifest_is_neither() -> Result<()> {
        for lost in ["lib/a name.so", NAME] {
            let directory = laid_out()?;
            fs::remove_file(directory.path().join(lost))?;
            assert!(!is_untouched(directory.path()) && !is_intact(directory.path()));
        }
        let directory = laid_out()?;
        for damaged in ["", "half a li"] {
            fs::write(directory.path().join(NAME), damaged)?;
            assert!(!is_untouched(directory.path()) && !is_intact(directory.path()));
        }
        Ok(())
    }
}
