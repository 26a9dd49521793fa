//! The names of an output's units.

use crate::failure::{Failure, Result};
use dlbacktrace::core::names::did_you_mean;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The number of names that an error lists.
const LISTED: usize = 10;

/// The names of an output's units, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    names: Vec<String>,
    /// Where the names come from.
    from: String,
    /// Whether the names belong to this very model; else they may belong to another one in the same directory.
    meant: bool,
}

/// The names that `--labels` gives, in a list or in a file. Without it, those of `MODEL.labels.json` beside the model, of
/// `labels.json`, or of `id2label` in `config.json`.
///
/// # Errors
/// [`Failure::Usage`] for a file that does not exist, [`Failure::Inputs`] for one that holds something else.
pub fn of(given: Option<&str>, model: &Path) -> Result<Option<Labels>> {
    if let Some(given) = given {
        return asked(given).map(Some);
    }
    let stem = if model.is_dir() { model.file_name() } else { model.file_stem() };
    let own = format!("{}.labels.json", stem.unwrap_or_default().to_string_lossy());
    for (file, meant) in [(model.with_file_name(own), true), (beside(model, "labels.json"), false)] {
        if let Ok(content) = fs::read_to_string(&file) {
            return read(&file, &content, meant).map(Some);
        }
    }
    let file = beside(model, "config.json");
    let config =
        fs::read_to_string(&file).ok().and_then(|content| serde_json::from_str::<Value>(&content).ok());
    let names = config.as_ref().and_then(|config| config.get("id2label")).and_then(of_json);
    Ok(names.map(|names| Labels { names, from: file.display().to_string(), meant: false }))
}

fn asked(given: &str) -> Result<Labels> {
    let path = Path::new(given);
    if path.is_file() {
        let content = fs::read_to_string(path)
            .map_err(|e| Failure::Usage(format!("cannot read the labels in {given}: {e}")))?;
        return read(path, &content, true);
    }
    if path
        .extension()
        .is_some_and(|extension| ["txt", "json", "csv"].iter().any(|known| extension == *known))
    {
        return Err(Failure::Usage(format!("there is no file {given} with labels; check the path")));
    }
    let names = given.split(',').map(|name| name.trim().to_owned()).collect();
    Ok(Labels { names, from: "--labels".to_owned(), meant: true })
}

/// The names in a file: one a line, or JSON.
fn read(path: &Path, content: &str, meant: bool) -> Result<Labels> {
    let from = path.display().to_string();
    let is_json =
        content.trim_start().starts_with(['[', '{']) || path.extension().is_some_and(|end| end == "json");
    let names = if is_json {
        serde_json::from_str(content).ok().and_then(|json| of_json(&json)).ok_or_else(|| {
            Failure::Inputs(format!(
                "{from} holds no names of units; give a list of names, names by number, numbers by name, or a text with one name \
                 a line"
            ))
        })?
    } else {
        content.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    };
    Ok(Labels { names, from, meant })
}

/// A list, names by number (also within `id2label`), or numbers by name.
fn of_json(json: &Value) -> Option<Vec<String>> {
    match json {
        Value::Array(names) => names.iter().map(name).collect(),
        Value::Object(entries) => match entries.get("id2label") {
            Some(inner) => of_json(inner),
            None => by_number(entries),
        },
        _ => None,
    }
}

fn by_number(entries: &Map<String, Value>) -> Option<Vec<String>> {
    let numbered = |(key, value): (&String, &Value)| Some((key.parse::<usize>().ok()?, name(value)?));
    let inverted =
        |(key, value): (&String, &Value)| Some((usize::try_from(value.as_u64()?).ok()?, key.clone()));
    let names: Option<BTreeMap<usize, String>> = entries.iter().map(numbered).collect();
    let names = names.or_else(|| entries.iter().map(inverted).collect())?;
    let whole = names.len() == entries.len() && names.keys().copied().eq(0..names.len());
    whole.then(|| names.into_values().collect())
}

/// A name; if several words stand for one class, as in ImageNet's list, the last.
fn name(json: &Value) -> Option<String> {
    match json {
        Value::String(name) => Some(name.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(words) => words.last().and_then(Value::as_str).map(str::to_owned),
        _ => None,
    }
}

impl Labels {
    /// The names for an output whose samples have this shape; `None` if the names belong to another model or the units have
    /// several axes.
    ///
    /// # Errors
    /// [`Failure::Usage`] if the names belong to this model and are too many or too few.
    pub fn of_units(&self, sample: &[usize]) -> Result<Option<&[String]>> {
        let count = self.names.len();
        match sample {
            [units] if *units == count => Ok(Some(&self.names)),
            _ if !self.meant || (sample.len() > 1 && sample.contains(&count)) => Ok(None),
            _ => Err(Failure::Usage(format!(
                "{} has {count} names, but the output has {} units; give one name for each unit",
                self.from,
                sample.iter().product::<usize>()
            ))),
        }
    }

    /// The unit of this name, which an option gave; case matters only where it distinguishes two names.
    ///
    /// # Errors
    /// [`Failure::Usage`] with the known names.
    pub fn unit(&self, option: &str, wanted: &str) -> Result<usize> {
        let exact = self.names.iter().position(|name| name == wanted);
        let alike = |name: &String| name.to_lowercase() == wanted.to_lowercase();
        let only = || {
            self.names.iter().position(alike).filter(|_| self.names.iter().filter(|n| alike(n)).count() == 1)
        };
        exact.or_else(only).ok_or_else(|| {
            let more = if self.names.len() > LISTED { ", …" } else { "" };
            let names = self.names.iter().take(LISTED).map(String::as_str).collect::<Vec<_>>().join(", ");
            Failure::Usage(format!(
                "{option} {wanted}: no unit has this name in {}; the names are {names}{more}{}",
                self.from,
                did_you_mean(wanted, self.names.iter().map(String::as_str))
            ))
        })
    }
}

/// A file in the model's directory: within a SavedModel, next to an archive.
pub fn beside(model: &Path, name: &str) -> PathBuf {
    if model.is_dir() { model.join(name) } else { model.with_file_name(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    fn names(given: Option<&str>, model: &Path, units: usize) -> Result<Option<Vec<String>>> {
        let labels = of(given, model)?;
        let names = labels.as_ref().map(|labels| labels.of_units(&[units])).transpose()?.flatten();
        Ok(names.map(<[String]>::to_vec))
    }

    fn owned(names: &[&str]) -> Option<Vec<String>> {
        Some(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn names_come_from_files_beside_and_only_where_they_fit() -> Outcome {
        let room = tempfile::tempdir()?;
        let model = room.path().join("model.pt");
        assert_eq!(names(None, &model, 2)?, None);
        fs::write(
            room.path().join("config.json"),
            r#"{"id2label": {"1": "good", "0": "bad"}, "hidden_size": 4}"#,
        )?;
        assert_eq!(names(None, &model, 2)?, owned(&["bad", "good"]));
        assert_eq!(names(None, &model, 3)?, None);
        fs::write(room.path().join("labels.json"), r#"["no", "yes"]"#)?;
        assert_eq!(names(None, room.path(), 2)?, owned(&["no", "yes"]));
        fs::write(room.path().join("labels.json"), "7")?;
        assert!(names(None, &model, 2).is_err());
        fs::write(room.path().join("model.labels.json"), r#"["a", "b"]"#)?;
        assert_eq!(names(None, &model, 2)?, owned(&["a", "b"]));
        let told = names(None, &model, 3).expect_err("another count").to_string();
        assert!(told.contains("2 names") && told.contains("3 units"), "{told}");
        Ok(())
    }

    #[test]
    fn names_are_given_in_every_usual_form() -> Outcome {
        let room = tempfile::tempdir()?;
        let expected = owned(&["cat", "dog"]);
        for (file, content) in [
            ("lines.txt", "cat\ndog\n\n"),
            ("list.json", r#"["cat", "dog"]"#),
            ("map.json", r#"{"1": "dog", "0": "cat"}"#),
            ("config.json", r#"{"id2label": {"0": "cat", "1": "dog"}}"#),
            ("keras.json", r#"{"dog": 1, "cat": 0}"#),
            ("imagenet.json", r#"{"0": ["n1", "cat"], "1": ["n2", "dog"]}"#),
        ] {
            let path = room.path().join(file);
            fs::write(&path, content)?;
            assert_eq!(names(path.to_str(), Path::new("m.pt"), 2)?, expected, "{file}");
        }
        assert_eq!(names(Some("cat, dog"), Path::new("m.pt"), 2)?, expected);
        assert!(names(Some("missing.txt"), Path::new("m.pt"), 2).is_err());
        assert!(names(Some("cat,dog"), Path::new("m.pt"), 3).is_err());
        Ok(())
    }

    #[test]
    fn a_unit_is_found_by_its_name() -> Outcome {
        let labels = of(Some("cat,Dog,dog"), Path::new("m.pt"))?.ok_or("names")?;
        let unit = |name: &str| labels.unit("--target", name);
        assert_eq!((unit("CAT")?, unit("dog")?, unit("Dog")?), (0, 2, 1));
        assert!(unit("DOG").is_err());
        let told = unit("cow").expect_err("none").to_string();
        assert!(told.contains("--target cow") && told.contains("cat, Dog, dog"), "{told}");
        Ok(())
    }
}
