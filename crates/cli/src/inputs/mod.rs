//! What the model is given: from the command line to values in the model's order.

mod bind;
mod cast;
mod csv;
mod elements;
mod json;
mod kind;
mod npy;
mod npz;
mod picture;
mod preparation;
mod safetensors;
mod source;
mod tree;

pub use bind::{Bound, Note};

use crate::args::{InputArgs, Range};
use crate::failure::{Failure, Result};
use crate::text::{self, Batch};
use dlbacktrace::{Argument, Model, Value};
use preparation::Preparation;
use std::fs;
use std::path::Path;

/// A value as read, with what the file knows beyond it.
#[derive(Debug)]
pub struct Item {
    value: Value,
    note: Note,
}

impl From<Value> for Item {
    fn from(value: Value) -> Self {
        Self { value, note: Note::default() }
    }
}

/// What a source holds.
#[derive(Debug)]
enum Contents {
    One(Item),
    /// Arrays with names of their own.
    Many(Vec<(String, Item)>),
}

/// Reads all inputs and assigns them to the model's arguments.
///
/// # Errors
/// [`Failure::Usage`] for what cannot be found, [`Failure::Inputs`] for what cannot be read or does not fit.
pub fn read(model: &Model, options: &InputArgs) -> Result<Bound> {
    let pictures = Preparation::of(&options.image, model);
    let mut bound = bound(model, options, &pictures)?;
    if let Ok(roles) = text::Roles::of(model.arguments()) {
        let given = |name: &&str| bound.values.iter().any(|(present, _)| present == name);
        bound.bookkeeping = roles.bookkeeping().filter(given).map(str::to_owned).collect();
    }
    if bound.pictures().next().is_none() {
        return Ok(bound);
    }
    let bookkeeping = std::mem::take(&mut bound.bookkeeping);
    let pictures = pictures.settled(model, bound);
    let mut bound = Bound { bookkeeping, ..self::bound(model, options, &pictures)? };
    if pictures.range == Range::Bytes {
        bound.quantities = bound.pictures().map(str::to_owned).collect();
    }
    bound.assumed.extend(pictures.assumed);
    Ok(bound)
}

fn bound(model: &Model, options: &InputArgs, pictures: &Preparation<'_>) -> Result<Bound> {
    let arguments = model.arguments();
    let mut binder = bind::Binder::new(arguments, model.ordered());
    if let Some(Batch { values, ids, rows }) = text::batch(&options.text, arguments)? {
        for (name, value) in values {
            let texts = (name == ids).then(|| rows.clone());
            let item = Item { value, note: Note { texts, ..Note::default() } };
            binder.add(Some(name), Contents::One(item), "")?;
        }
    }
    for text in &options.inputs {
        let (name, source) = source::parse(text, arguments)?;
        let contents = match source {
            source::Source::Value(value) => Contents::One(value.into()),
            source::Source::File { path, key } => {
                let contents = file(&path, options, arguments, pictures)?;
                match key {
                    Some(key) => Contents::One(pick(contents, &key, &path)?),
                    None => contents,
                }
            }
        };
        let value =
            name.as_deref().and_then(|name| text.strip_prefix(name)?.strip_prefix('=')).unwrap_or(text);
        binder.add(name.clone(), contents, value)?;
    }
    let mut bound = binder.finish()?;
    for (_, value) in &mut bound.values {
        cast::floats(value, options.dtype, model.precision());
    }
    Ok(bound)
}

/// Reads the array of a `.npy` file.
///
/// # Errors
/// As [`read`].
pub fn array(path: &Path) -> Result<Value> {
    npy::parse(&content(path)?).map_err(|e| unreadable(path, &e))
}

fn file(
    path: &Path,
    options: &InputArgs,
    arguments: &[Argument],
    pictures: &Preparation<'_>,
) -> Result<Contents> {
    let bytes = content(path)?;
    let one = |value: Value| Contents::One(value.into());
    let many = |arrays: Vec<(String, Value)>| {
        Contents::Many(arrays.into_iter().map(|(name, value)| (name, value.into())).collect())
    };
    match extension(path).as_str() {
        "npy" => npy::parse(&bytes).map(one),
        "npz" => npz::parse(&bytes).map(many),
        "safetensors" => safetensors::parse(&bytes).map(many),
        "json" => match std::str::from_utf8(&bytes) {
            Ok(text) => json::parse(text).map(|value| match value {
                Value::Dict(entries) => many(entries),
                value => one(value),
            }),
            Err(_) => Err("it is no text".to_owned()),
        },
        "csv" => csv::parse(&bytes, &options.table, arguments).map(|table| match table {
            csv::Table::Numbers { values, names } => {
                let note = Note { features: names, ..Note::default() };
                Contents::One(Item { value: Value::F64(values.into_dyn()), note })
            }
            csv::Table::Columns(columns) => many(columns),
        }),
        "png" | "jpg" | "jpeg" => picture::parse(&bytes, pictures).map(|value| {
            let note = Note { image: Some(pictures.layout), ..Note::default() };
            Contents::One(Item { value, note })
        }),
        _ => {
            let path = path.display();
            let message = format!(
                "the kind of input file {path} is not known; give one of {}",
                source::KINDS.join(" ")
            );
            return Err(Failure::Usage(message));
        }
    }
    .map_err(|e| unreadable(path, &e))
}

fn content(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|e| Failure::Usage(format!("cannot read {}: {e}", path.display())))
}

fn unreadable(path: &Path, what: &str) -> Failure {
    Failure::Inputs(format!("cannot use {}: {what}", path.display()))
}

fn extension(path: &Path) -> String {
    path.extension().map_or(String::new(), |extension| extension.to_string_lossy().to_lowercase())
}

fn pick(contents: Contents, key: &str, path: &Path) -> Result<Item> {
    let Contents::Many(items) = contents else {
        return Err(Failure::Usage(format!(
            "{} holds one array without a name, so leave out :{key}",
            path.display()
        )));
    };
    let names: Vec<String> = items.iter().map(|(name, _)| name.clone()).collect();
    items.into_iter().find(|(name, _)| name == key).map(|(_, item)| item).ok_or_else(|| {
        Failure::Usage(format!("{} holds no array {key}; there are {}", path.display(), names.join(", ")))
    })
}
