//! The relevance of each token (rows) for each generated token (columns).

use super::page::{document, style};
use super::visible;
use crate::number::significant;
use crate::pictures::svg::{self, FONT, escape, shorten};
use crate::pictures::{Scale, diverging};
use crate::{Error, Result};
use image::RgbImage;
use ndarray::Array2;
use std::fmt::Write;

const CELL: usize = 18;
const LABEL: usize = 150;
const CHARACTERS: usize = 18;
/// The most cells along an axis that a picture can show.
const MOST: usize = 600;

/// Tokens, steps, and the relevance of the tokens for the steps.
#[derive(Debug, Clone)]
pub struct TokenGrid<'a> {
    /// All tokens.
    pub tokens: &'a [String],
    /// The number of each explained step, from 1, and the token that it generated.
    pub steps: &'a [(usize, String)],
    /// `[tokens, steps]`.
    pub relevance: &'a Array2<f32>,
    /// The number of tokens in the prompt.
    pub prompt: usize,
}

impl TokenGrid<'_> {
    /// A page with the text and a table whose cells show their numbers when pointed at.
    pub fn page(&self, title: &str) -> String {
        let scale = self.scale();
        let (given, made) = self.tokens.split_at(self.prompt.min(self.tokens.len()));
        let join =
            |tokens: &[String]| escape(&tokens.iter().map(|t| visible(t)).collect::<Vec<_>>().join(" "));
        let mut body = format!("<p>{} <b>{}</b></p>\n", join(given), join(made));
        body.push_str("<style>td, th { padding: 0 0.4em; line-height: 1.5; font-weight: normal; text-align: left; }\nthead th { writing-mode: vertical-rl; }\ntd { min-width: 1.2em; }</style>\n");
        body.push_str("<table>\n<thead><tr><th></th>");
        for (step, token) in self.steps {
            let _ = write!(body, "<th>{step} {}</th>", escape(&visible(token)));
        }
        body.push_str("</tr></thead>\n");
        for (row, token) in self.relevance.rows().into_iter().zip(self.tokens) {
            let shown = escape(&visible(token));
            let _ = write!(body, "<tr><th>{shown}</th>");
            for (value, (step, made)) in row.iter().map(|v| f64::from(*v)).zip(self.steps) {
                let hint = escape(&format!(
                    "{} for {step} {}: {}",
                    visible(token),
                    visible(made),
                    significant(value, 4)
                ));
                let _ = write!(body, "<td style=\"{}\" title=\"{hint}\"></td>", style(scale.unit(value)));
            }
            body.push_str("</tr>\n");
        }
        let _ = writeln!(
            body,
            "</table>\n<p><small>Red speaks for, blue against; the strongest colours stand for ±{}.</small></p>",
            significant(scale.limit, 3)
        );
        document(title, &body)
    }

    /// Draws the grid; `None` if it has no rows or columns, or too many to show.
    ///
    /// # Errors
    /// [`Error::Picture`].
    pub fn picture(&self) -> Result<Option<RgbImage>> {
        let (rows, columns) = self.relevance.dim();
        if rows == 0 || columns == 0 || rows > MOST || columns > MOST {
            return Ok(None);
        }
        let scale = self.scale();
        let (width, height) = (LABEL + columns * CELL + CELL, LABEL + rows * CELL + CELL);
        let mut body = String::new();
        for (row, token) in self.tokens.iter().take(rows).enumerate() {
            let weight = if row < self.prompt { "90,90,90" } else { "0,0,0" };
            let (x, y) = (LABEL - 6, LABEL + row * CELL + 13);
            let shown = escape(&shorten(&visible(token), CHARACTERS));
            let _ = write!(
                body,
                r#"<text x="{x}" y="{y}" text-anchor="end" font-family="{FONT}" font-size="12" fill="rgb({weight})">{shown}</text>"#
            );
        }
        for (column, (step, token)) in self.steps.iter().take(columns).enumerate() {
            let (x, y) = (LABEL + column * CELL + 13, LABEL - 6);
            let shown = escape(&shorten(&format!("{step} {}", visible(token)), CHARACTERS));
            let _ = write!(
                body,
                r#"<text x="{x}" y="{y}" transform="rotate(-90 {x} {y})" font-family="{FONT}" font-size="12">{shown}</text>"#
            );
        }
        let frame = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">{body}</svg>"#
        );
        let mut page = svg::render(&frame)?;
        for ((row, column), value) in self.relevance.indexed_iter() {
            let colour = diverging(scale.unit(f64::from(*value)));
            for (y, x) in (0..CELL - 1).flat_map(|y| (0..CELL - 1).map(move |x| (y, x))) {
                let at = (LABEL + column * CELL + x, LABEL + row * CELL + y);
                let pixel = page.get_pixel_mut_checked(at.0 as u32, at.1 as u32);
                *pixel.ok_or_else(|| Error::Picture("a cell outside the page".to_owned()))? = colour;
            }
        }
        Ok(Some(page))
    }

    fn scale(&self) -> Scale {
        Scale::of([&self.relevance.mapv(f64::from)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    #[test]
    fn cells_stand_where_tokens_and_steps_meet() -> Result<()> {
        let tokens = ["the", "<b>", "end"].map(str::to_owned);
        let steps = [(1, "<b>".to_owned()), (2, "end".to_owned())];
        let relevance = arr2(&[[1.0, -0.5], [0.0, 0.5], [0.0, 0.0]]);
        let grid = TokenGrid { tokens: &tokens, steps: &steps, relevance: &relevance, prompt: 1 };
        let page = grid.page("generated");
        assert_eq!(page.matches("<td ").count(), 6);
        assert!(!page.contains("<b>&lt;b&gt;<") && page.contains("the for 2 end: -0.5000"), "{page}");
        let picture = grid.picture()?.ok_or_else(|| Error::Picture("none".to_owned()))?;
        let at = |row: usize, column: usize| {
            picture.get_pixel((LABEL + column * CELL + 5) as u32, (LABEL + row * CELL + 5) as u32)
        };
        assert_eq!(*at(0, 0), diverging(1.0));
        assert_eq!(*at(0, 1), diverging(-0.5));
        assert_eq!(*at(2, 1), diverging(0.0));
        let none = Array2::zeros((3, 0));
        assert!(TokenGrid { relevance: &none, steps: &[], ..grid }.picture()?.is_none());
        Ok(())
    }
}
