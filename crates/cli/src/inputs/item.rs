//! What is read from a file or the command line, before it has a place in the model.

use crate::args::Layout;
use crate::text::Row;
use dlbacktrace::Value;
use std::path::{Path, PathBuf};

/// A value as read, with what the file knows beyond it.
#[derive(Debug)]
pub struct Item {
    pub(super) value: Value,
    pub(super) note: Note,
}

impl From<Value> for Item {
    fn from(value: Value) -> Self {
        Self { value, note: Note::default() }
    }
}

/// What a source holds.
#[derive(Debug)]
pub enum Contents {
    One(Item),
    /// Arrays with names of their own.
    Many(Vec<(String, Item)>),
}

impl Contents {
    pub(super) fn named(values: Vec<(String, Value)>) -> Self {
        Self::Many(values.into_iter().map(|(name, value)| (name, value.into())).collect())
    }

    /// Notes the file that it is from.
    pub(super) fn from(mut self, path: &Path) -> Self {
        let note = |item: &mut Item| item.note.file = Some(path.to_owned());
        match &mut self {
            Self::One(item) => note(item),
            Self::Many(items) => items.iter_mut().for_each(|(_, item)| note(item)),
        }
        self
    }
}

/// What a file knows of an input beyond its numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Note {
    /// Names along the last axis.
    pub features: Option<Vec<String>>,
    /// That it is an image, and where its channels stand.
    pub image: Option<Layout>,
    /// The texts whose tokens it is.
    pub texts: Option<Vec<Row>>,
    /// The file that it is from.
    pub file: Option<PathBuf>,
}
