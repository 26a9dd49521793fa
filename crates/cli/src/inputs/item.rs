//! What is read from a file or the command line, before it is assigned to an argument.

use crate::args::Layout;
use crate::text::Row;
use dlbacktrace::Value;
use std::path::{Path, PathBuf};

/// A value, with what the file says about it.
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

/// The content of a source.
#[derive(Debug)]
pub enum Contents {
    One(Item),
    /// Named arrays.
    Many(Vec<(String, Item)>),
}

impl Contents {
    pub(super) fn named(values: Vec<(String, Value)>) -> Self {
        Self::Many(values.into_iter().map(|(name, value)| (name, value.into())).collect())
    }

    /// Notes the source file.
    pub(super) fn from(mut self, path: &Path) -> Self {
        let note = |item: &mut Item| item.note.file = Some(path.to_owned());
        match &mut self {
            Self::One(item) => note(item),
            Self::Many(items) => items.iter_mut().for_each(|(_, item)| note(item)),
        }
        self
    }
}

/// What a file says about an input beyond its numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Note {
    /// Names along the last axis.
    pub features: Option<Vec<String>>,
    /// For an image: the position of its channels.
    pub image: Option<Layout>,
    /// For tokens: the texts.
    pub texts: Option<Vec<Row>>,
    /// The source file.
    pub file: Option<PathBuf>,
}
