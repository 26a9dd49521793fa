//! One `--input` as it is typed.

use super::json;
use super::kind::{Kind, Leaf};
use crate::failure::{Failure, Result};
use dlbacktrace::{Argument, Value};
use std::path::{Path, PathBuf};

/// The kinds of file that can be read.
pub const KINDS: [&str; 9] =
    [".npy", ".npz", ".safetensors", ".csv", ".tsv", ".json", ".png", ".jpg", ".jpeg"];

/// The source of an input.
#[derive(Debug)]
pub enum Source {
    /// A file, or one array of a file of several.
    File { path: PathBuf, key: Option<String> },
    /// A value on the command line itself.
    Value(Value),
}

/// Splits `[NAME=]FILE[:KEY]` or `[NAME=]VALUE`. For an input of texts, what is neither a file nor a list is a text.
///
/// # Errors
/// [`Failure::Usage`] if it is neither a file nor a value.
pub fn parse(text: &str, arguments: &[Argument]) -> Result<(Option<String>, Source)> {
    let (name, rest) = named(text, arguments);
    let kind = match name {
        Some(name) => arguments.iter().find(|argument| argument.name == name),
        None => arguments.first().filter(|_| arguments.len() == 1),
    };
    let kind = kind.map_or("", |argument| argument.kind.as_str());
    let texts = Leaf::of(kind) == Leaf::Text;
    let source = if texts && matches!(Kind::of(kind), Kind::Single) && !kind.starts_with("Tensor") {
        Source::Value(Value::Text(rest.to_owned()))
    } else if Path::new(rest).is_file() || is_file_name(rest) {
        Source::File { path: rest.into(), key: None }
    } else if let Some((path, key)) = keyed(rest) {
        Source::File { path: path.into(), key: Some(key.to_owned()) }
    } else if texts && !rest.starts_with(['[', '{', '"']) {
        Source::Value(Value::Text(rest.to_owned()))
    } else {
        // Python's spelling.
        let value = match rest {
            "True" => "true",
            "False" => "false",
            "None" => "null",
            other => other,
        };
        Source::Value(json::parse(value).map_err(|reason| unusable(text, rest, &reason))?)
    };
    Ok((name.map(str::to_owned), source))
}

/// The name before the `=`. The name of a model's input is taken whatever characters it has, quoted or not, and so is a
/// part of an input (`batch.ids`). Other names must be plain, since the names of files may contain `=` too.
fn named<'a>(text: &'a str, arguments: &[Argument]) -> (Option<&'a str>, &'a str) {
    for quote in ['"', '\''] {
        let quoted = text.strip_prefix(quote).and_then(|rest| rest.split_once(&format!("{quote}=")));
        if let Some((name, rest)) = quoted {
            return (Some(name), rest);
        }
    }
    let own = |argument: &Argument| {
        let rest = text.strip_prefix(&argument.name)?;
        let end = if rest.starts_with('.') { rest.find('=')? } else { 0 };
        let value = rest.get(end..)?.strip_prefix('=')?;
        Some((argument.name.len(), argument.name.len() + end, value))
    };
    if let Some((_, end, value)) = arguments.iter().filter_map(own).max_by_key(|(length, ..)| *length) {
        return (text.get(..end), value);
    }
    match text.split_once('=') {
        Some((name, rest)) if is_name(name) && !Path::new(text).exists() => (Some(name), rest),
        _ => (None, text),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// A file and the key of an array in it; both may contain a colon.
fn keyed(text: &str) -> Option<(&str, &str)> {
    let parts = text.match_indices(':').map(|(place, _)| (&text[..place], &text[place + 1..]));
    parts.into_iter().find(|(path, _)| is_file_name(path))
}

fn unusable(text: &str, rest: &str, reason: &str) -> Failure {
    if rest.starts_with(['[', '{']) && (rest.contains("NaN") || rest.contains("Infinity")) {
        return Failure::Inputs(format!(
            "--input {text}: NaN and Infinity cannot be explained; give numbers in their place"
        ));
    }
    let what = if rest.starts_with(['[', '{']) {
        reason.to_owned()
    } else if Path::new(rest).is_dir() {
        format!("`{rest}` is a directory; give a file in it")
    } else if rest.is_empty() {
        "nothing is given; give a file or a value".to_owned()
    } else {
        format!(
            "`{rest}` is neither an existing file ({}) nor a number, true, false or a JSON list",
            KINDS.join(" ")
        )
    };
    Failure::Usage(format!("--input {text}: {what}"))
}

fn is_file_name(text: &str) -> bool {
    let text = text.to_lowercase();
    KINDS.iter().any(|kind| text.ends_with(kind))
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
        vec![
            argument("x", "Tensor"),
            argument("sr", "int"),
            argument("mode", "str"),
            argument("a/b [c]", "Tensor"),
            argument("a/b [c].d=e", "Tensor"),
            argument("word", "Tensor string [?, 1]"),
        ]
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
        assert!(matches!(parsed("flag=True"), (Some(_), Source::Value(Value::Flag(true)))));
        assert!(matches!(parsed("flag=None"), (Some(_), Source::Value(Value::Nothing))));
        assert!(matches!(parsed("flag=true"), (Some(_), Source::Value(Value::Flag(true)))));
        assert!(matches!(parsed("sizes=[1,2]"), (Some(_), Source::Value(Value::Int(_)))));
        assert!(
            matches!(parsed("mode=16000"), (Some(_), Source::Value(Value::Text(text))) if text == "16000")
        );
    }

    #[test]
    fn names_of_the_model_are_taken_as_they_are() {
        for (text, expected) in [
            ("a/b [c]=x.npy", "a/b [c]"),
            ("\"a/b [c]\"=x.npy", "a/b [c]"),
            ("'a/b [c]'=x.npy", "a/b [c]"),
            ("a/b [c].d=e=x.npy", "a/b [c].d=e"),
            ("a/b [c].key=x.npy", "a/b [c].key"),
            ("'no such'=x.npy", "no such"),
        ] {
            let (name, source) = parsed(text);
            assert_eq!(name.as_deref(), Some(expected));
            assert!(matches!(source, Source::File { path, .. } if path.as_os_str() == "x.npy"), "{text}");
        }
        assert!(matches!(parsed("x=a.npz:x:0").1, Source::File { key: Some(key), .. } if key == "x:0"));
    }

    #[test]
    fn texts_for_inputs_of_texts() {
        assert!(matches!(parsed("word=0150").1, Source::Value(Value::Text(text)) if text == "0150"));
        assert!(matches!(parsed("word=[\"a\"]").1, Source::Value(Value::List(_))));
        assert!(matches!(parsed("word=cat.jpg").1, Source::File { .. }));
        let only = [Argument { name: "text".into(), kind: "Tensor string [?]".into(), optional: false }];
        let (name, source) = parse("The film: not=bad", &only).expect("a text");
        assert!(name.is_none() && matches!(source, Source::Value(Value::Text(_))));
    }

    #[test]
    fn neither() {
        assert!(matches!(parse("x=nothing-here", &arguments()), Err(Failure::Usage(_))));
        assert!(matches!(parse("", &arguments()), Err(Failure::Usage(_))));
    }
}
