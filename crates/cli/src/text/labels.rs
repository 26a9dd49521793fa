//! What the units of an output are called, as a file beside the model says.

use crate::failure::{Failure, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Config {
    id2label: Option<BTreeMap<usize, String>>,
}

/// The names of `units` units, from `labels.json` beside the model, else `id2label` of its `config.json`. Names of another
/// number of units belong to another model.
///
/// # Errors
/// [`Failure::Inputs`] if `labels.json` holds something else.
pub fn of(model: &Path, units: usize) -> Result<Option<Vec<String>>> {
    let fits = |names: &Vec<String>| names.len() == units;
    let file = beside(model, "labels.json");
    if let Ok(content) = fs::read(&file) {
        let list = serde_json::from_slice(&content);
        let by_number = || serde_json::from_slice::<BTreeMap<usize, String>>(&content);
        let names = list.or_else(|_| by_number().map(|names| names.into_values().collect()));
        let names: Vec<String> = names.map_err(|_| {
            Failure::Inputs(format!("{} holds neither a list of names nor names by number", file.display()))
        })?;
        return Ok(Some(names).filter(fits));
    }
    let config = fs::read(beside(model, "config.json")).ok();
    let config: Option<Config> = config.and_then(|content| serde_json::from_slice(&content).ok());
    Ok(config.and_then(|config| config.id2label).map(|names| names.into_values().collect()).filter(fits))
}

/// A file in the model's directory: within a SavedModel, next to an archive.
pub fn beside(model: &Path, name: &str) -> PathBuf {
    if model.is_dir() { model.join(name) } else { model.with_file_name(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_either_file_and_only_where_they_fit() -> Result<(), Box<dyn std::error::Error>> {
        let room = tempfile::tempdir()?;
        let model = room.path().join("model.pt");
        assert_eq!(of(&model, 2)?, None);
        fs::write(
            room.path().join("config.json"),
            r#"{"id2label": {"1": "good", "0": "bad"}, "hidden_size": 4}"#,
        )?;
        assert_eq!(of(&model, 2)?, Some(vec!["bad".to_owned(), "good".to_owned()]));
        assert_eq!(of(&model, 3)?, None);
        fs::write(room.path().join("labels.json"), r#"["no", "yes"]"#)?;
        assert_eq!(of(room.path(), 2)?, Some(vec!["no".to_owned(), "yes".to_owned()]));
        fs::write(room.path().join("labels.json"), "7")?;
        assert!(of(&model, 2).is_err());
        Ok(())
    }
}
