//! Tokens as a picture: running text, with the relevance of each token as the colour behind it.

use super::{Text, TokenEntry, scale, shade, visible};
use crate::Result;
use crate::pictures::svg::{self, FONT, escape, shorten};
use image::RgbImage;
use std::fmt::Write;

const WIDTH: f64 = 900.0;
const MARGIN: f64 = 16.0;
const LINE: f64 = 30.0;
const SIZE: f64 = 15.0;
const CHARACTERS: usize = 40;

/// Draws the texts one below the other.
///
/// # Errors
/// [`Error::Picture`](crate::Error::Picture).
pub fn picture(texts: &[Text<'_>]) -> Result<RgbImage> {
    let mut body = String::new();
    let mut top = MARGIN;
    for text in texts {
        let title = escape(&shorten(&text.title, 110));
        let _ = write!(
            body,
            r#"<text x="{MARGIN}" y="{}" font-family="{FONT}" font-size="13" fill="rgb(80,80,80)">{title}</text>"#,
            top + 14.0
        );
        top = flow(text.tokens, top + 22.0, &mut body) + MARGIN;
    }
    let svg =
        format!(r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}">{body}</svg>"#);
    svg::render(&svg)
}

/// Sets the tokens in lines below `top`; returns the lower edge.
fn flow(tokens: &[TokenEntry], mut top: f64, body: &mut String) -> f64 {
    let scale = scale(tokens);
    let mut left = MARGIN;
    for token in tokens {
        let shown = shorten(&visible(&token.text), CHARACTERS);
        let width = width(&shown) + 10.0;
        if left + width > WIDTH - MARGIN && left > MARGIN {
            left = MARGIN;
            top += LINE;
        }
        let ([r, g, b], light) = shade(scale.unit(token.difference()));
        let ink = if light { "white" } else { "black" };
        let _ = write!(
            body,
            r#"<rect x="{left}" y="{top}" width="{width}" height="{}" rx="3" fill="rgb({r},{g},{b})"/><text x="{}" y="{}" font-family="{FONT}" font-size="{SIZE}" fill="{ink}">{}</text>"#,
            LINE - 6.0,
            left + 5.0,
            top + 17.0,
            escape(&shown)
        );
        left += width + 2.0;
    }
    top + LINE
}

/// An estimate of a text's width that is never too small, though wide letters and scripts take more room.
fn width(text: &str) -> f64 {
    let of = |c: char| match c {
        'i' | 'j' | 'l' | 't' | 'f' | 'r' | '.' | ',' | ':' | ';' | '\'' | '!' | '|' => 0.36,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.95,
        c if c.is_ascii_lowercase() || c.is_ascii_digit() => 0.6,
        c if c.is_ascii() => 0.72,
        _ => 1.0,
    };
    text.chars().map(of).sum::<f64>() * SIZE
}

#[cfg(test)]
mod tests {
    use super::super::entry;
    use super::*;

    #[test]
    fn long_texts_wrap_and_are_coloured() -> Result<()> {
        let short = [entry("good", 1.0)];
        let long: Vec<TokenEntry> = (0..60).map(|i| entry("wonderful", f64::from(i))).collect();
        let draw = |tokens: &[TokenEntry]| picture(&[Text { title: "text".to_owned(), tokens }]);
        let (small, large) = (draw(&short)?, draw(&long)?);
        assert!(large.height() > small.height() + 100);
        assert!(small.pixels().any(|pixel| pixel.0[0] > 150 && pixel.0[2] < 90), "red is there");
        Ok(())
    }
}
