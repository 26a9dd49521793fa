//! The explained steps on disk. Each is written as soon as it is done, so that an interrupt loses at most one.

use crate::failure::Result;
use dlbacktrace::rules::RuleSet;
use dlbacktrace_report::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const DIRECTORY: &str = "steps";
const WORK: &str = "work.json";

/// The task. Steps that were kept for another task cannot be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Work {
    pub model: String,
    pub output: Option<String>,
    pub ids: Vec<u32>,
    pub prompt: usize,
    #[serde(default)]
    pub rules: RuleSet,
    #[serde(default)]
    pub versus: Option<String>,
    pub gates: bool,
    #[serde(default)]
    pub whole_tokens: bool,
    pub allow_unruled: bool,
}

/// The explanation of one generated token.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub step: usize,
    pub id: u32,
    /// The relevance at the start.
    #[serde(default = "one")]
    pub start: f64,
    /// The relevance of each token before it.
    pub relevance: Vec<f32>,
    pub other_inputs: f64,
    pub lost: BTreeMap<String, f64>,
    pub warnings: Vec<String>,
}

/// The start of records that do not tell theirs.
fn one() -> f64 {
    1.0
}

/// The directory `steps`, which exists until the work is complete.
pub struct Steps {
    directory: PathBuf,
    pub records: BTreeMap<usize, Record>,
    /// The steps that an earlier run left.
    pub found: Found,
}

/// The steps that an earlier run left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Nothing,
    /// Steps of the same task, which need not be computed again.
    Same(usize),
    /// Steps of another task, which were removed.
    Other(usize),
}

impl Steps {
    /// Begins or resumes the work in `out`.
    ///
    /// # Errors
    /// If nothing can be written there.
    pub fn open(out: &Path, work: &Work) -> Result<Self> {
        let directory = out.join(DIRECTORY);
        fs::create_dir_all(&directory).map_err(failed(&directory))?;
        let mut steps = Self { directory, records: BTreeMap::new(), found: Found::Nothing };
        let before: Option<Work> = steps.read(WORK);
        let left = steps.left()?;
        if before.as_ref() == Some(work) {
            let records = left.iter().filter_map(|name| steps.read::<Record>(name));
            steps.records = records.map(|record| (record.step, record)).collect();
            steps.found = Found::Same(steps.records.len());
            return Ok(steps);
        }
        if before.is_some() || !left.is_empty() {
            steps.found = Found::Other(left.len());
            for name in &left {
                let path = steps.directory.join(name);
                fs::remove_file(&path).map_err(failed(&path))?;
            }
        }
        steps.write(WORK, work)?;
        Ok(steps)
    }

    /// Keeps a step.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn add(&mut self, record: Record) -> Result<()> {
        self.write(&format!("{:06}.json", record.step), &record)?;
        self.records.insert(record.step, record);
        Ok(())
    }

    /// Removes the files of steps, whose content now stands in the results. Other files stay, and then the directory too.
    pub fn remove(&self) -> Result<()> {
        for name in self.left()?.iter().map(String::as_str).chain([WORK]) {
            let path = self.directory.join(name);
            fs::remove_file(&path).map_err(failed(&path))?;
        }
        let _ = fs::remove_dir(&self.directory);
        Ok(())
    }

    /// The names of the files of steps in the directory.
    fn left(&self) -> Result<Vec<String>> {
        let is_step = |name: &String| {
            name.strip_suffix(".json")
                .is_some_and(|stem| !stem.is_empty() && stem.bytes().all(|b| b.is_ascii_digit()))
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed(&self.directory))? {
            let entry = entry.map_err(failed(&self.directory))?;
            names.extend(entry.file_name().into_string().ok().filter(is_step));
        }
        Ok(names)
    }

    /// The content of a file, if it exists and is complete.
    fn read<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Option<T> {
        serde_json::from_slice(&fs::read(self.directory.join(name)).ok()?).ok()
    }

    /// Writes a file completely or not at all.
    fn write(&self, name: &str, content: &impl Serialize) -> Result<()> {
        let (new, path) = (self.directory.join(".new"), self.directory.join(name));
        let content = serde_json::to_vec(content).map_err(Error::from)?;
        fs::write(&new, content).and_then(|()| fs::rename(&new, &path)).map_err(failed(&path))?;
        Ok(())
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_found_again_by_the_same_work_only() -> Result<(), Box<dyn std::error::Error>> {
        let room = tempfile::tempdir()?;
        let work = |ids: &[u32]| Work {
            model: "00".to_owned(),
            output: None,
            ids: ids.to_vec(),
            prompt: 1,
            rules: RuleSet::default(),
            versus: None,
            gates: true,
            whole_tokens: false,
            allow_unruled: false,
        };
        let record = Record { step: 2, id: 5, relevance: vec![0.1, 0.7], ..Record::default() };
        let mut steps = Steps::open(room.path(), &work(&[1, 2]))?;
        assert_eq!(steps.found, Found::Nothing);
        steps.add(record.clone())?;
        fs::write(room.path().join("steps/000003.json"), "{\"step\": 3, ")?;
        fs::write(room.path().join("steps/notes.json"), "mine")?;
        let again = Steps::open(room.path(), &work(&[1, 2]))?;
        assert_eq!((again.found, again.records.get(&2)), (Found::Same(1), Some(&record)));
        let other = Steps::open(room.path(), &work(&[1, 3]))?;
        assert_eq!((other.found, other.records.len()), (Found::Other(2), 0));
        other.remove()?;
        assert!(room.path().join("steps/notes.json").exists());
        fs::remove_file(room.path().join("steps/notes.json"))?;
        Steps::open(room.path(), &work(&[1]))?.remove()?;
        assert!(!room.path().join("steps").exists());
        Ok(())
    }
}
