//! Which tokens end a text.

use crate::failure::{Failure, Result};
use crate::text::{Tokenizer, beside};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The tokens named on the command line; else those that the files beside the model or the tokenizer name, if any.
///
/// # Errors
/// [`Failure::Usage`] if there is no such token.
pub fn of(asked: &[String], model: &Path, file: &Path, tokenizer: &Tokenizer) -> Result<BTreeSet<u32>> {
    if !asked.is_empty() {
        return asked.iter().map(|name| named("--stop", name, tokenizer)).collect();
    }
    let files = [
        beside(model, "generation_config.json"),
        file.with_file_name("generation_config.json"),
        beside(model, "config.json"),
        file.with_file_name("tokenizer_config.json"),
    ];
    let found = files.iter().filter_map(|file| serde_json::from_slice(&fs::read(file).ok()?).ok());
    Ok(found.map(|config| ends(&config, tokenizer)).find(|ends| !ends.is_empty()).unwrap_or_default())
}

/// The token of the name or number that an option gave.
pub fn named(option: &str, name: &str, tokenizer: &Tokenizer) -> Result<u32> {
    let number = || name.parse().ok();
    tokenizer
        .id(name)
        .or_else(number)
        .ok_or_else(|| Failure::Usage(format!("{option} {name}: the tokenizer has no such token")))
}

/// `eos_token_id`, a number or several, or `eos_token`, a name or an object with one.
fn ends(config: &Value, tokenizer: &Tokenizer) -> BTreeSet<u32> {
    let number = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match &config["eos_token_id"] {
        Value::Array(ids) => ids.iter().filter_map(number).collect(),
        Value::Number(_) => number(&config["eos_token_id"]).into_iter().collect(),
        _ => {
            let name = config["eos_token"].as_str().or_else(|| config["eos_token"]["content"].as_str());
            name.and_then(|name| tokenizer.id(name)).into_iter().collect()
        }
    }
}
