//! Libraries in a cache that all checkouts share; each is made from a wheel, once.

use crate::manifest;
use crate::wheel::Wheel;
use anyhow::{Context, Result, bail};
use dlbacktrace_libtorch::{cache, cached};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// A directory of the cache.
pub struct Layout {
    /// What it holds.
    pub what: &'static str,
    pub version: &'static str,
    /// The wheel it is made from.
    pub wheel: Wheel,
    /// Adds what the wheel lacks.
    pub complete: fn(&Path) -> Result<()>,
}

impl Layout {
    /// Makes sure that the directory is complete; returns its path. This takes milliseconds if it is. With `verify`, every byte is
    /// read again.
    pub fn make(&self, verify: bool) -> Result<PathBuf> {
        let (Some(cache), Some(home)) = (cache(), cached(self.what, self.version)) else {
            bail!("no place for {}: none of DLBACKTRACE_CACHE, XDG_CACHE_HOME and HOME is set", self.what)
        };
        fs::create_dir_all(&cache).with_context(|| format!("cannot make the cache {}", cache.display()))?;
        if verify || !manifest::is_untouched(&home) {
            let _lock = lock(&cache)?;
            self.mend(&home, verify)?;
        }
        Ok(home)
    }

    /// Makes the directory again unless it is complete.
    fn mend(&self, home: &Path, verify: bool) -> Result<()> {
        if !verify && manifest::is_untouched(home) {
            return Ok(()); // Another set-up has made it while this one waited.
        }
        if manifest::is_intact(home) {
            return manifest::write(home); // The content is right, only the age differs: it was copied, perhaps.
        }
        if home.exists() {
            eprintln!("The {} in {} is damaged; making it again", self.what, home.display());
        }
        // Everything is made in one directory beside it. From an interrupted set-up, only a fetched wheel can be reused.
        let mut partial = home.as_os_str().to_owned();
        partial.push(".partial");
        let [wheel, scratch, tree, old] =
            ["wheel", "scratch", "tree", "old"].map(|p| Path::new(&partial).join(p));
        for rest in [&scratch, &tree, &old] {
            remove(rest)?;
        }
        let wheel = self.wheel.fetch(&wheel, &scratch)?;
        self.wheel.unpack(&wheel, &tree)?;
        (self.complete)(&tree)?;
        manifest::write(&tree)?;
        if home.exists() {
            fs::rename(home, &old).with_context(|| format!("cannot move {} away", home.display()))?;
        }
        fs::rename(&tree, home).with_context(|| format!("cannot make {}", home.display()))?;
        remove(Path::new(&partial))?;
        eprintln!("{} {} is ready in {}", self.what, self.version, home.display());
        Ok(())
    }
}

/// Only one set-up works in the cache at a time; the lock ends with the process, however that ends.
fn lock(cache: &Path) -> Result<File> {
    let path = cache.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            eprintln!("Waiting for another set-up in {}", cache.display());
            file.lock()?;
        }
        other => other?,
    }
    Ok(file)
}

fn remove(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}
