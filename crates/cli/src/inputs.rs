//! The model's inputs: from the command line to values in the model's order.

mod bind;
mod cast;
mod csv;
mod elements;
#[cfg(feature = "tensorflow")]
mod example;
mod fit;
mod item;
mod json;
mod kind;
mod npy;
mod npz;
mod picture;
mod preparation;
mod safetensors;
mod source;
mod takers;
mod tree;

pub use bind::Bound;
pub use fit::run;
pub use item::Note;
pub use kind::Kind;

use crate::args::{InputArgs, Range};
use crate::failure::{Failure, Result};
use crate::text::{self, Batch};
use dlbacktrace::{Model, Value};
use item::{Contents, Item};
use preparation::Preparation;
use std::fs;
use std::path::Path;
use takers::Takers;

/// Reads all inputs and assigns them to the model's arguments.
///
/// # Errors
/// [`Failure::Usage`] for files and names that do not exist, [`Failure::Inputs`] for what cannot be read or does not fit.
pub fn read(model: &Model, options: &InputArgs) -> Result<Bound> {
    let mut bound = settled(model, options)?;
    fit::to_types(model.arguments(), &mut bound)?;
    Ok(bound)
}

/// The inputs, with pictures prepared for the model.
fn settled(model: &Model, options: &InputArgs) -> Result<Bound> {
    let pictures = Preparation::of(&options.image, model);
    let mut bound = bound(model, options, &pictures)?;
    if let Ok(roles) = text::Roles::of(model.arguments()) {
        let given = |name: &&str| bound.values.iter().any(|(present, _)| present == name);
        bound.bookkeeping = roles.bookkeeping().filter(given).map(str::to_owned).collect();
    }
    if bound.pictures().next().is_none() {
        return Ok(bound);
    }
    sized(model, &bound)?;
    let bookkeeping = std::mem::take(&mut bound.bookkeeping);
    let pictures = pictures.settled(model, bound);
    let mut bound = Bound { bookkeeping, ..self::bound(model, options, &pictures)? };
    if pictures.range == Range::Bytes {
        bound.quantities = bound.pictures().map(str::to_owned).collect();
    }
    bound.bounds = bound.is_of_pictures().then(|| pictures.bounds());
    bound.assumed.extend(pictures.assumed);
    Ok(bound)
}

/// Checks the size of pictures for a model that takes one size only.
///
/// # Errors
/// [`Failure::Inputs`] with the size that the model takes.
fn sized(model: &Model, bound: &Bound) -> Result<()> {
    for argument in model.arguments() {
        let value =
            bound.values.iter().find(|(name, _)| *name == argument.name).and_then(|(_, value)| value.shape());
        let note = bound.notes.get(&argument.name);
        let layout = note.and_then(|note| note.image);
        let (Some(layout), Some(given), Some(wanted)) = (layout, value, argument.shape()) else { continue };
        let last = usize::from(!layout.channels_first());
        let axis = |back: usize| given.len().checked_sub(back + last).filter(|_| wanted.len() == given.len());
        let (Some(height), Some(width)) = (axis(2), axis(1)) else { continue };
        let size = |axis: usize| wanted[axis].unwrap_or(given[axis]);
        if (size(height), size(width)) != (given[height], given[width]) {
            let file = note.and_then(|note| note.file.as_ref());
            let file = file.map_or("the picture given".to_owned(), |file| file.display().to_string());
            let (h, w) = (size(height), size(width));
            return Err(Failure::Inputs(format!(
                "input {} takes pictures of {h}×{w} pixels, but {file} has {}×{}; give --resize {h}x{w}, or --resize and \
                 --crop {h}x{w} to keep its proportions",
                argument.name, given[height], given[width]
            )));
        }
    }
    Ok(())
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
        let takers = Takers::of(model, name.as_deref());
        let contents = match source {
            source::Source::Value(value) => {
                let contents = match value {
                    Value::Dict(entries) if name.is_none() => Contents::named(entries),
                    value => Contents::One(value.into()),
                };
                takers.written(contents).map_err(|e| Failure::Inputs(format!("--input {text}: {e}")))?
            }
            source::Source::File { path, key } => {
                let mut contents = file(&path, options, &takers, pictures)?;
                if let Some(key) = key {
                    contents = Contents::One(pick(contents, &key, &path)?);
                }
                takers.written(contents).map_err(|e| unreadable(&path, &e))?.from(&path)
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

fn file(path: &Path, options: &InputArgs, takers: &Takers, pictures: &Preparation<'_>) -> Result<Contents> {
    let bytes = content(path)?;
    let kind = extension(path, &bytes);
    let arrays = ["npy", "npz", "safetensors", "csv", "tsv", "json"];
    if takers.only_texts() && !arrays.contains(&kind.as_str()) {
        return Ok(Contents::One(Value::Bytes(bytes).into()));
    }
    let one = |value: Value| Contents::One(value.into());
    match kind.as_str() {
        "npy" => npy::parse(&bytes).map(one),
        "npz" => npz::parse(&bytes).map(Contents::named),
        "safetensors" => safetensors::parse(&bytes).map(Contents::named),
        "json" => match std::str::from_utf8(&bytes) {
            Ok(text) => json::parse(text).map(|value| match value {
                Value::Dict(entries) => Contents::named(entries),
                value => one(value),
            }),
            Err(_) => Err("it is not a text".to_owned()),
        },
        "csv" | "tsv" => takers.table(&bytes, &options.table),
        "png" | "jpg" | "jpeg" => picture::parse(&bytes, pictures).map(|value| {
            let note = Note { image: Some(pictures.layout), ..Note::default() };
            Contents::One(Item { value, note })
        }),
        _ => {
            let path = path.display();
            let message = format!(
                "neither name nor content shows the format of {path}; give a file of one of these kinds: {}",
                source::KINDS.join(" ")
            );
            return Err(Failure::Usage(message));
        }
    }
    .map_err(|e| unreadable(path, &e))
}

fn content(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            Failure::Usage(format!("there is no file {}; check the path", path.display()))
        }
        _ => Failure::Usage(format!("cannot read {}: {e}", path.display())),
    })
}

fn unreadable(path: &Path, what: &str) -> Failure {
    Failure::Inputs(format!("cannot use {}: {what}", path.display()))
}

/// The kind of a file: by its name, or by its content if the name says nothing.
fn extension(path: &Path, bytes: &[u8]) -> String {
    const MAGIC: [(&[u8], &str); 4] =
        [(b"\x93NUMPY", "npy"), (b"PK\x03\x04", "npz"), (b"\x89PNG", "png"), (b"\xff\xd8\xff", "jpg")];
    let name = path.extension().map_or(String::new(), |extension| extension.to_string_lossy().to_lowercase());
    if source::KINDS.iter().any(|kind| kind.strip_prefix('.') == Some(&name)) {
        return name;
    }
    MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)).map_or(name, |(_, kind)| (*kind).to_owned())
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
        Failure::Usage(format!(
            "{} holds no array {key}; its arrays are {}",
            path.display(),
            names.join(", ")
        ))
    })
}
