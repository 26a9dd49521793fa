//! Wheels of the Python package index that are needed in part: fetched by pip, unpacked here.

use anyhow::{Context, Result, bail};
use dlbacktrace_libtorch::python;
use indicatif::{ProgressBar, ProgressStyle};
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;
use zip::ZipArchive;

/// Options that choose the wheel whatever the Python at hand, because the libraries in it do not depend on Python.
const FOR_PYTHON: [&str; 6] = ["--implementation", "cp", "--python-version", "3.11", "--abi", "cp311"];

/// One wheel, and the part of it that is needed.
#[derive(Debug, Clone, Copy)]
pub struct Wheel {
    /// The name of the package.
    pub package: &'static str,
    pub version: &'static str,
    pub platform: &'static str,
    pub sha256: &'static str,
    /// Its name and size, for the message while it is fetched.
    pub described: &'static str,
    /// What to do if it cannot be fetched.
    pub instead: &'static str,
    /// The place of a file of the wheel, if the file is needed.
    pub place: fn(&Path) -> Option<PathBuf>,
}

impl Wheel {
    /// Fetches the wheel into `directory`, with pip working in `scratch`. pip checks the hash, keeps a wheel that is already there
    /// and complete, and replaces any other.
    pub fn fetch(&self, directory: &Path, scratch: &Path) -> Result<PathBuf> {
        let Self { package, version, platform, sha256, described, instead, .. } = self;
        eprintln!("Fetching {described}, once for all checkouts");
        for directory in [directory, scratch] {
            fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        }
        let requirement = scratch.join("requirement.txt");
        fs::write(&requirement, format!("{package}=={version} --hash=sha256:{sha256}\n"))?;
        let status = Command::new(python())
            .args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes"])
            .args(FOR_PYTHON)
            .args(["--platform", platform])
            .arg("--requirement")
            .arg(&requirement)
            .arg("--dest")
            .arg(directory)
            .env("TMPDIR", scratch)
            .status()
            .with_context(|| format!("`{}` does not start; set-up needs Python 3 with pip", python()))?;
        if !status.success() {
            bail!(
                "pip could not fetch {package} {version} (its message is above). Fix what it names and run the same \
             command again, or {instead}"
            );
        }
        let wheels = fs::read_dir(directory)?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        wheels
            .into_iter()
            .find(|path| path.extension().is_some_and(|e| e == "whl"))
            .context("pip left no wheel")
    }

    /// Unpacks the needed part of the wheel in the file `wheel` into `directory`.
    pub fn unpack(&self, wheel: &Path, directory: &Path) -> Result<()> {
        let file = File::open(wheel).with_context(|| format!("cannot read {}", wheel.display()))?;
        let mut archive = ZipArchive::new(BufReader::new(file)).context("the wheel is not a zip archive")?;
        let mut chosen = Vec::new();
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index)?;
            let name = entry.enclosed_name().context("a path in the wheel leads out of it")?;
            if let Some(place) = (self.place)(&name).filter(|_| entry.is_file()) {
                chosen.push((index, place, entry.size()));
            }
        }
        let bar = ProgressBar::new(chosen.iter().map(|(_, _, size)| size).sum());
        bar.set_style(ProgressStyle::with_template("Unpacking {wide_bar} {bytes}/{total_bytes} eta {eta}")?);
        for (index, place, _) in chosen {
            let path = directory.join(place);
            fs::create_dir_all(path.parent().unwrap_or(directory))?;
            File::create(&path)
                .and_then(|file| io::copy(&mut archive.by_index(index)?, &mut bar.wrap_write(file)))
                .with_context(|| format!("cannot unpack {}", path.display()))?;
        }
        bar.finish_and_clear();
        Ok(())
    }
}
