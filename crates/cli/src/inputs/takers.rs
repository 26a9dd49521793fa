//! The places that inputs can go to: the arguments of a model, or the features of the messages that it parses.

#[cfg(feature = "tensorflow")]
use super::example;
use super::kind::{Kind, Leaf};
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

    /// Whether there are arguments and all of them take texts.
    pub fn only_texts(&self) -> bool {
        matches!(self.arguments.as_slice(), [only] if Leaf::of(&only.kind) == Leaf::Text)
    }

    /// The content of a table for these arguments.
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
                        "none of its columns is named as a feature that the model reads: {}",
                        names.join(", ")
                    ))
                }
            };
        }
        let dict = match self.arguments.as_slice() {
            [only] => dict_of(only, csv::names(bytes, options)?),
            _ => None,
        };
        let arguments = dict.as_deref().unwrap_or(&self.arguments);
        let columns = dict.is_some() || self.arguments.len() != 1;
        Ok(match csv::parse(bytes, options, arguments, columns)? {
            csv::Table::Whole { value, names } => {
                Contents::One(Item { value, note: Note { features: names, ..Note::default() } })
            }
            csv::Table::Columns(columns) => Contents::named(columns),
        })
    }

    /// Values that are named as the features of messages, packed into messages.
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

/// The entries of a dictionary as arguments of their own, one for each column of a table.
fn dict_of(argument: &Argument, columns: Vec<String>) -> Option<Vec<Argument>> {
    let Kind::Dict(entry) = Kind::of(&argument.kind) else { return None };
    let of = |name| Argument { name, kind: entry.to_owned(), optional: true };
    Some(columns.into_iter().map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_a_table_are_the_entries_of_a_dictionary() {
        let argument = |kind: &str| Argument { name: "batch".into(), kind: kind.into(), optional: false };
        let columns = || vec!["age".to_owned(), "size".to_owned()];
        let entries = dict_of(&argument("Dict[str, Tensor]"), columns()).unwrap_or_default();
        let found: Vec<_> = entries.iter().map(|entry| (entry.name.as_str(), entry.kind.as_str())).collect();
        assert_eq!(found, [("age", "Tensor"), ("size", "Tensor")]);
        assert!(dict_of(&argument("Tensor"), columns()).is_none());
    }
}
