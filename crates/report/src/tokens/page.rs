//! Tokens as a page of its own: no script, nothing fetched.

use super::{Text, TokenEntry, scale, shade, visible};
use crate::number::significant;
use crate::pictures::svg::escape;
use std::fmt::Write;

pub(super) const STYLE: &str = "\
body { font: 16px/2 system-ui, sans-serif; margin: 2em; color: #111; background: #fff; }
h1 { font-size: 1.2em; } h2 { font-size: 1em; margin: 1.5em 0 0.2em; }
span { padding: 0.2em 0.3em; margin: 0 1px; border-radius: 3px; }
small { color: #555; }";

/// A page on which the colour behind each token is its relevance; pointing at a token shows the number.
pub fn page(title: &str, texts: &[Text<'_>]) -> String {
    let mut body = String::new();
    for text in texts {
        let _ = writeln!(body, "<h2>{}</h2>\n<p>", escape(&text.title));
        let scale = scale(text.tokens);
        for token in text.tokens {
            let style = style(scale.unit(token.difference()));
            let shown = escape(&visible(&token.text));
            let _ = writeln!(body, "<span style=\"{style}\" title=\"{}\">{shown}</span>", hint(token));
        }
        let limit = significant(scale.limit, 3);
        let _ = writeln!(
            body,
            "</p>\n<p><small>Red speaks for, blue against; the strongest colours stand for ±{limit}.</small></p>"
        );
    }
    document(title, &body)
}

/// A whole page around its body.
pub(super) fn document(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<style>\n{STYLE}\n</style>\n</head>\n\
         <body>\n<h1>{title}</h1>\n{body}</body>\n</html>\n"
    )
}

/// Background and ink of a value between −1 and 1.
pub(super) fn style(value: f64) -> String {
    let ([r, g, b], light) = shade(value);
    format!("background:#{r:02x}{g:02x}{b:02x};color:{}", if light { "#fff" } else { "#111" })
}

fn hint(token: &TokenEntry) -> String {
    let names = token.tokens.iter().enumerate().map(|(place, name)| match token.ids.get(place) {
        Some(id) => format!("{} ({id})", visible(name)),
        None => visible(name),
    });
    let names: Vec<String> = names.collect();
    escape(&format!("{}: {}", names.join(" "), significant(token.difference(), 4)))
}

#[cfg(test)]
mod tests {
    use super::super::entry;
    use super::*;

    #[test]
    fn markup_in_a_text_is_text() {
        let tokens = [entry("<script>", 0.5), entry("\"&", -0.1)];
        let page = page("a < b", &[Text { title: "<i>".to_owned(), tokens: &tokens }]);
        assert!(!page.contains("<script") && !page.contains("<i>"), "{page}");
        assert!(
            page.contains("&lt;script&gt;</span>") && page.contains("title=\"##&quot;&amp; (7): -0.1000\""),
            "{page}"
        );
        assert!(!page.contains("http") && !page.contains("src="), "nothing is fetched");
    }
}
