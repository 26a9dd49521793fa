//! What may take what is read: the arguments of a model, or the features of the messages that it parses.

#[cfg(feature = "tensorflow")]
use super::example;
use super::kind::Leaf;
use super::{Contents, Item, Note, csv};
use crate::args::TableArgs;
use dlbacktrace::{Argument, Model};

/// The arguments that a source may go to.
pub struct Takers {
    arguments: Vec<Argument>,
    #[cfg(feature = "tensorflow")]
    parsed: Option<dlbacktrace::tensorflow::ExampleSpec>,
}

impl Takers {
    /// The argument of this name, or all.
    pub fn of(model: &Model, name: Option<&str>) -> Self {
        let named = model.arguments().iter().find(|argument| Some(argument.name.as_str()) == name);
        Self {
            arguments: named.map_or(model.arguments(), std::slice::from_ref).to_vec(),
            #[cfg(feature = "tensorflow")]
            parsed: model.examples().filter(|spec| name.is_none_or(|name| name == spec.input)),
        }
    }

    /// Whether there is one, and it takes texts.
    pub fn only_texts(&self) -> bool {
        matches!(self.arguments.as_slice(), [only] if Leaf::of(&only.kind) == Leaf::Text)
    }

    /// The content of a table.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn table(&self, bytes: &[u8], options: &TableArgs) -> Result<Contents, String> {
        #[cfg(feature = "tensorflow")]
        if let Some(spec) = &self.parsed {
            let features = example::arguments(spec);
            return match csv::parse(bytes, options, &features, true)? {
                csv::Table::Columns(columns) => Ok(Contents::named(columns)),
                csv::Table::Whole { .. } => {
                    let names: Vec<_> = features.into_iter().map(|feature| feature.name).collect();
                    Err(format!(
                        "none of its columns is a feature that the model reads: {}",
                        names.join(", ")
                    ))
                }
            };
        }
        let table = csv::parse(bytes, options, &self.arguments, self.arguments.len() != 1)?;
        Ok(match table {
            csv::Table::Whole { value, names } => {
                Contents::One(Item { value, note: Note { features: names, ..Note::default() } })
            }
            csv::Table::Columns(columns) => Contents::named(columns),
        })
    }

    /// What is named as the features of messages, as these.
    ///
    /// # Errors
    /// What is missing.
    pub fn written(&self, contents: Contents) -> Result<Contents, String> {
        #[cfg(feature = "tensorflow")]
        if let Some(spec) = &self.parsed {
            return example::messages(spec, contents);
        }
        Ok(contents)
    }
}
