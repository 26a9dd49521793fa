//! Tokens in the terminal.

use super::{TokenEntry, scale, shade, visible};
use crate::number::significant;
use std::fmt::Write;

/// One line for each token: the token, its relevance, and a bar of its share of the strongest.
pub fn table(tokens: &[TokenEntry]) -> String {
    const BAR: f64 = 20.0;
    let names: Vec<String> = tokens.iter().map(|token| visible(&token.text)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let most = tokens.iter().map(|token| token.difference().abs()).fold(0.0, f64::max);
    names.iter().zip(tokens).enumerate().fold(String::new(), |mut text, (position, (name, token))| {
        let relevance = token.difference();
        let cells = if most > 0.0 { (relevance.abs() / most * BAR).round() as usize } else { 0 };
        let bar = if relevance < 0.0 { "-" } else { "#" }.repeat(cells);
        let line =
            format!("{position:>5}  {:<width$}  {:>10}  {bar}", escaped(name), significant(relevance, 4));
        let _ = writeln!(text, "{}", line.trim_end());
        text
    })
}

/// The running text, with the relevance of each token as the colour behind it.
pub fn coloured(tokens: &[TokenEntry]) -> String {
    let scale = scale(tokens);
    let mut text = tokens.iter().fold(String::new(), |mut text, token| {
        let ([r, g, b], light) = shade(scale.unit(token.difference()));
        let ink = if light { 97 } else { 30 };
        let _ = write!(text, "\u{1b}[48;2;{r};{g};{b};{ink}m {} \u{1b}[0m", escaped(&visible(&token.text)));
        text
    });
    text.push('\n');
    text
}

/// The text without characters that control a terminal.
fn escaped(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::entry;
    use super::*;

    #[test]
    fn the_table_has_a_line_a_token() {
        let text = table(&[entry(" good", 0.5), entry("film", -0.25)]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].contains("good") && lines[0].ends_with(&"#".repeat(20)), "{text}");
        assert!(lines[1].contains("-0.2500") && lines[1].ends_with(" ----------"), "{text}");
    }

    #[test]
    fn a_text_cannot_command_the_terminal() {
        assert!(!coloured(&[entry("a\u{1b}[2Jb", 0.5)]).contains("\u{1b}[2J"));
    }
}
