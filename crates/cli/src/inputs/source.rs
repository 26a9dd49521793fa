//! One `--input` as it was typed.

use super::json;
use crate::failure::{Failure, Result};
use dlbacktrace::{Argument, Value};
use std::path::PathBuf;

/// The kinds of file that can be read.
pub const KINDS: [&str; 8] = [".npy", ".npz", ".safetensors", ".csv", ".json", ".png", ".jpg", ".jpeg"];

/// Where an input comes from.
#[derive(Debug)]
pub enum Source {
    /// A file, of several arrays perhaps one.
    File { path: PathBuf, key: Option<String> },
    /// What stands on the command line itself.
    Value(Value),
}

/// Takes `[NAME=]FILE[:KEY]` or `[NAME=]VALUE` apart.
///
/// # Errors
/// [`Failure::Usage`] if it is neither a file nor a value.
pub fn parse(text: &str, arguments: &[Argument]) -> Result<(Option<String>, Source)> {
    let (name, rest) = match text.split_once('=') {
        Some((name, rest)) if is_name(name) && !PathBuf::from(text).exists() => (Some(name), rest),
        _ => (None, text),
    };
    let wants_text = name.is_some_and(|name| {
        arguments.iter().any(|argument| argument.name == name && takes_text(&argument.kind))
    });
    let source = if wants_text {
        Source::Value(Value::Text(rest.to_owned()))
    } else if PathBuf::from(rest).is_file() || is_file_name(rest) {
        Source::File { path: rest.into(), key: None }
    } else if let Some((path, key)) = rest.rsplit_once(':').filter(|(path, _)| is_file_name(path)) {
        Source::File { path: path.into(), key: Some(key.to_owned()) }
    } else {
        Source::Value(json::parse(rest).map_err(|reason| {
            let what = match rest.starts_with(['[', '{']) {
                true => reason,
                false => format!(
                    "`{rest}` is neither a file ({}) nor a number, true, false or a JSON list",
                    KINDS.join(" ")
                ),
            };
            Failure::Usage(format!("--input {text}: {what}"))
        })?)
    };
    Ok((name.map(str::to_owned), source))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

fn is_file_name(text: &str) -> bool {
    let text = text.to_lowercase();
    KINDS.iter().any(|kind| text.ends_with(kind))
}

fn takes_text(kind: &str) -> bool {
    matches!(kind, "str" | "Optional[str]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments() -> Vec<Argument> {
        let argument = |name: &str, kind: &str| Argument {
            name: name.to_owned(),
            kind: kind.to_owned(),
            optional: false,
        };
        vec![argument("x", "Tensor"), argument("sr", "int"), argument("mode", "str")]
    }

    fn parsed(text: &str) -> (Option<String>, Source) {
        parse(text, &arguments()).expect("an input")
    }

    #[test]
    fn files() {
        assert!(
            matches!(parsed("a.npy"), (None, Source::File { path, key: None }) if path.as_os_str() == "a.npy")
        );
        let (name, source) = parsed("batch.ids=dir/b.NPZ:ids");
        assert_eq!(name.as_deref(), Some("batch.ids"));
        assert!(matches!(source, Source::File { key: Some(key), .. } if key == "ids"));
    }

    #[test]
    fn values() {
        assert!(matches!(parsed("sr=16000"), (Some(_), Source::Value(Value::Integer(16000)))));
        assert!(matches!(parsed("0.5"), (None, Source::Value(Value::Float(0.5)))));
        assert!(matches!(parsed("flag=true"), (Some(_), Source::Value(Value::Flag(true)))));
        assert!(matches!(parsed("sizes=[1,2]"), (Some(_), Source::Value(Value::Int(_)))));
        assert!(
            matches!(parsed("mode=16000"), (Some(_), Source::Value(Value::Text(text))) if text == "16000")
        );
    }

    #[test]
    fn neither() {
        assert!(matches!(parse("x=nothing-here", &arguments()), Err(Failure::Usage(_))));
        assert!(matches!(parse("", &arguments()), Err(Failure::Usage(_))));
    }
}
