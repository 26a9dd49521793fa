//! Finds out from the usual names which argument of a model takes which part of a text.

use crate::failure::{Failure, Result};
use dlbacktrace::{Argument, Value};
use ndarray::Array2;

const IDS: [&str; 6] = ["input_ids", "ids", "input_word_ids", "tokens", "token_ids", "decoder_input_ids"];
const MASK: [&str; 3] = ["attention_mask", "input_mask", "padding_mask"];
const TYPES: [&str; 4] = ["token_type_ids", "segment_ids", "input_type_ids", "type_ids"];
const POSITIONS: [&str; 2] = ["position_ids", "positions"];

/// The arguments of a model that takes tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// Takes the tokens' numbers.
    pub ids: String,
    mask: Option<String>,
    types: Option<String>,
    positions: Option<String>,
}

impl Roles {
    /// Looks for the arguments. If there is only one, it takes the tokens, whatever its name.
    ///
    /// # Errors
    /// [`Failure::Inputs`] if no argument can be identified as the one that takes the tokens.
    pub fn of(arguments: &[Argument]) -> Result<Self> {
        let named = |names: &[&str]| {
            let has = |name: &&&str| arguments.iter().any(|argument| argument.name == ***name);
            names.iter().find(has).map(|name| (*name).to_owned())
        };
        let only = || match arguments {
            [only] => Some(only.name.clone()),
            _ => None,
        };
        let Some(ids) = named(&IDS).or_else(only) else {
            let takes: Vec<&str> = arguments.iter().map(|argument| argument.name.as_str()).collect();
            return Err(Failure::Inputs(format!(
                "the model takes {}; none of them has a usual name for tokens ({}), so --text does not know where to go; give the \
                 tokens with --input NAME=FILE",
                takes.join(", "),
                IDS.join(", ")
            )));
        };
        Ok(Self { ids, mask: named(&MASK), types: named(&TYPES), positions: named(&POSITIONS) })
    }

    /// The values of the arguments that the model has.
    pub fn values(
        &self,
        ids: Array2<i64>,
        mask: Array2<i64>,
        types: Array2<i64>,
        positions: Array2<i64>,
    ) -> Vec<(String, Value)> {
        [
            (Some(&self.ids), ids),
            (self.mask.as_ref(), mask),
            (self.types.as_ref(), types),
            (self.positions.as_ref(), positions),
        ]
        .into_iter()
        .filter_map(|(name, array)| Some((name?.clone(), Value::Int(array.into_dyn()))))
        .collect()
    }

    /// The values for one text without padding.
    pub fn values_of(&self, ids: &[u32]) -> Vec<(String, Value)> {
        let row = |of: &dyn Fn(usize) -> i64| Array2::from_shape_fn((1, ids.len()), |(_, place)| of(place));
        let id = |place| ids.get(place).map_or(0, |id| i64::from(*id));
        self.values(row(&id), row(&|_| 1), row(&|_| 0), row(&|place| place as i64))
    }

    /// The arguments that say where a token stands or to which text of a pair it belongs, not what it is.
    pub fn bookkeeping(&self) -> impl Iterator<Item = &str> {
        self.types.iter().chain(&self.positions).filter(|name| **name != self.ids).map(String::as_str)
    }

    /// Checks that a text gives all that the model needs.
    pub fn suffice(&self, arguments: &[Argument]) -> Result<()> {
        let ours = [Some(&self.ids), self.mask.as_ref(), self.types.as_ref(), self.positions.as_ref()];
        let missing: Vec<&str> = arguments
            .iter()
            .filter(|argument| !argument.optional && !ours.contains(&Some(&argument.name)))
            .map(|argument| argument.name.as_str())
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Failure::Inputs(format!(
            "the model also needs {}, which a text does not give; generate works for models that take tokens and at most an attention mask, token \
             types or positions",
            missing.join(", ")
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(names: &[&str]) -> Vec<Argument> {
        let argument =
            |name: &&str| Argument { name: (*name).to_owned(), kind: "Tensor".to_owned(), optional: false };
        names.iter().map(argument).collect()
    }

    #[test]
    fn what_a_tokenizer_keeps_books_of_is_no_evidence() -> Result<()> {
        let kept = |names: &[&str]| -> Result<Vec<String>> {
            Ok(Roles::of(&arguments(names))?.bookkeeping().map(str::to_owned).collect())
        };
        assert_eq!(
            kept(&["input_ids", "token_type_ids", "position_ids"])?,
            ["token_type_ids", "position_ids"]
        );
        assert_eq!(kept(&["positions"])?, Vec::<String>::new(), "an only argument is what the model reads");
        Ok(())
    }

    #[test]
    fn names_tell_what_an_argument_takes() -> Result<()> {
        let takes = |names: &[&str]| -> Result<Vec<String>> {
            let values = Roles::of(&arguments(names))?.values_of(&[5, 6]);
            Ok(values.into_iter().map(|(name, _)| name).collect())
        };
        assert_eq!(takes(&["attention_mask", "input_ids"])?, ["input_ids", "attention_mask"]);
        assert_eq!(takes(&["input_word_ids", "input_type_ids"])?, ["input_word_ids", "input_type_ids"]);
        assert_eq!(takes(&["x"])?, ["x"]);
        assert!(takes(&["x", "y"]).is_err());
        assert!(
            Roles::of(&arguments(&["input_ids", "image"]))?
                .suffice(&arguments(&["input_ids", "image"]))
                .is_err()
        );
        Ok(())
    }
}
