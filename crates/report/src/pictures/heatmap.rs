//! A heatmap: relevance laid over the image it belongs to.

use super::svg::{self, FONT, escape, shorten};
use super::{Scale, diverging};
use crate::number::significant;
use crate::{Error, Result};
use image::{Rgb, RgbImage, imageops};
use ndarray::Array2;
use std::fmt::Write;

/// The side of an enlarged image, about, in pixels.
const SIDE: usize = 320;
const MARGIN: u32 = 16;
const TITLE: u32 = 22;
const LEGEND: u32 = 44;
/// The image's darkest grey under relevance, light enough that dark images do not muddy the colours.
const LIFT: f64 = 0.45;
/// How far the colour covers the image where relevance is 0, and where it is strongest.
const COVER: (f64, f64) = (0.3, 0.95);

/// One map of relevance over the image.
#[derive(Debug, Clone)]
pub struct Panel {
    /// The title above it.
    pub title: String,
    /// Relevance, `H × W`, channels summed.
    pub relevance: Array2<f64>,
}

/// The image and one or more maps of relevance side by side, on one scale, with its legend.
#[derive(Debug, Clone)]
pub struct Heatmap {
    /// The image in grey, `H × W`, in any range.
    pub image: Array2<f64>,
    /// Maps of relevance of the image's size.
    pub panels: Vec<Panel>,
}

impl Heatmap {
    /// Draws the picture.
    ///
    /// # Errors
    /// [`Error::Picture`] if a map is not of the image's size, or the image is empty.
    pub fn draw(&self) -> Result<RgbImage> {
        let (height, width) = self.image.dim();
        if let Some(odd) = self.panels.iter().find(|panel| panel.relevance.dim() != (height, width)) {
            let (h, w) = odd.relevance.dim();
            return Err(Error::Picture(format!(
                "relevance of {h}×{w} cells over an image of {height}×{width}"
            )));
        }
        if height == 0 || width == 0 {
            return Err(Error::Picture("the image is empty".to_owned()));
        }
        let scale = Scale::of(self.panels.iter().map(|panel| &panel.relevance));
        let grey = stretched(&self.image);
        let plain = pixels(&grey, |cell| shade(grey[cell]));
        let overlays = self
            .panels
            .iter()
            .map(|panel| pixels(&grey, |cell| blend(grey[cell], scale.unit(panel.relevance[cell]))));
        let tiles: Vec<RgbImage> =
            std::iter::once(plain).chain(overlays).map(|tile| enlarged(&tile)).collect();
        let titles = std::iter::once("input").chain(self.panels.iter().map(|panel| panel.title.as_str()));

        let (tile_width, tile_height) = tiles[0].dimensions();
        let mut page = svg::render(&frame(titles, tile_width, tile_height, scale))?;
        for (tile, left) in tiles.iter().zip(lefts(tile_width)) {
            imageops::replace(&mut page, tile, left.into(), (MARGIN + TITLE).into());
        }
        Ok(page)
    }
}

/// The left edges of the tiles, one after the other.
fn lefts(tile_width: u32) -> impl Iterator<Item = u32> {
    (0..).map(move |tile| MARGIN + tile * (tile_width + MARGIN))
}

/// Titles and legend, with room for the tiles.
fn frame<'a>(
    titles: impl Iterator<Item = &'a str>,
    tile_width: u32,
    tile_height: u32,
    scale: Scale,
) -> String {
    let titles: Vec<_> = titles.collect();
    let width = MARGIN + titles.len() as u32 * (tile_width + MARGIN);
    let height = MARGIN + TITLE + tile_height + LEGEND + MARGIN;
    let fits = (tile_width / 8) as usize;
    let mut body = String::new();
    for (title, left) in titles.iter().zip(lefts(tile_width)) {
        let _ = write!(
            body,
            r#"<text x="{left}" y="{y}" font-size="15" fill="rgb(51,51,51)">{}</text>"#,
            escape(&shorten(title, fits)),
            y = MARGIN + TITLE - 8,
        );
    }
    body += &legend(scale, MARGIN, width - 2 * MARGIN, MARGIN + TITLE + tile_height + 14);
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="{FONT}">{body}</svg>"#
    )
}

/// The colour bar with the values of its ends and middle.
fn legend(scale: Scale, left: u32, room: u32, top: u32) -> String {
    const STRIPES: u32 = 64;
    let bar = room.min(320);
    let left = f64::from(left + (room - bar) / 2);
    let stripe = f64::from(bar) / f64::from(STRIPES);
    let mut svg = String::new();
    for i in 0..STRIPES {
        let Rgb([r, g, b]) = diverging(2.0 * (f64::from(i) + 0.5) / f64::from(STRIPES) - 1.0);
        let x = left + f64::from(i) * stripe;
        let _ = write!(
            svg,
            r#"<rect x="{x:.2}" y="{top}" width="{:.2}" height="12" fill="rgb({r},{g},{b})"/>"#,
            stripe + 0.5
        );
    }
    let limit = significant(scale.limit, 3);
    for (part, anchor, label) in [
        (0.0, "start", format!("−{limit}")),
        (0.5, "middle", "0".to_owned()),
        (1.0, "end", format!("+{limit}")),
    ] {
        let _ = write!(
            svg,
            r#"<text x="{x:.2}" y="{y}" font-size="13" text-anchor="{anchor}" fill="rgb(85,85,85)">{label}</text>"#,
            x = left + part * f64::from(bar),
            y = top + 27,
        );
    }
    svg
}

/// The image scaled to 0 … 1; NaN counts as dark.
fn stretched(image: &Array2<f64>) -> Array2<f64> {
    let finite = || image.iter().copied().filter(|v| v.is_finite());
    let (low, high) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    image.mapv(|v| if !v.is_finite() || high <= low { 0.0 } else { (v - low) / (high - low) })
}

fn shade(grey: f64) -> Rgb<u8> {
    Rgb([(grey * 255.0).round() as u8; 3])
}

/// Lays relevance over grey: strong relevance covers more. The cover follows the root, because weak colours need it most.
fn blend(grey: f64, relevance: f64) -> Rgb<u8> {
    let strength = if relevance.is_nan() { 1.0 } else { relevance.abs().sqrt() };
    let cover = COVER.0 + (COVER.1 - COVER.0) * strength;
    let grey = 255.0 * (LIFT + (1.0 - LIFT) * grey);
    let Rgb(colour) = diverging(relevance);
    Rgb(colour.map(|c| (cover * f64::from(c) + (1.0 - cover) * grey).round() as u8))
}

fn pixels(like: &Array2<f64>, colour: impl Fn((usize, usize)) -> Rgb<u8>) -> RgbImage {
    let (height, width) = like.dim();
    RgbImage::from_fn(width as u32, height as u32, |x, y| colour((y as usize, x as usize)))
}

/// Enlarges by a whole number, so that every cell stays a clean square.
fn enlarged(tile: &RgbImage) -> RgbImage {
    let (width, height) = tile.dimensions();
    let times = (SIDE as u32).div_ceil(width.max(height)).max(1);
    imageops::resize(tile, width * times, height * times, imageops::FilterType::Nearest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    fn one_panel(image: Array2<f64>, relevance: Array2<f64>) -> Heatmap {
        Heatmap { image, panels: vec![Panel { title: "relevance of class 3".to_owned(), relevance }] }
    }

    #[test]
    fn signs_have_their_colours_in_place() -> Result<()> {
        let picture = one_panel(arr2(&[[0.0, 1.0], [1.0, 0.0]]), arr2(&[[1.0, 0.0], [0.0, -1.0]])).draw()?;
        let tile = 320;
        let overlay = MARGIN + tile + MARGIN;
        assert_eq!(picture.width(), overlay + tile + MARGIN);
        let at = |column: u32, row: u32| {
            let half = tile / 2;
            *picture.get_pixel(overlay + column * half + half / 2, MARGIN + TITLE + row * half + half / 2)
        };
        assert_eq!(at(0, 0), blend(0.0, 1.0));
        assert_eq!(at(1, 1), blend(0.0, -1.0));
        assert_eq!(at(1, 0), blend(1.0, 0.0));
        assert_ne!(at(0, 0), at(1, 1));
        Ok(())
    }

    #[test]
    fn large_images_keep_their_size() -> Result<()> {
        let picture = one_panel(Array2::zeros((400, 500)), Array2::zeros((400, 500))).draw()?;
        assert_eq!(picture.width(), 3 * MARGIN + 1000);
        Ok(())
    }

    #[test]
    fn sizes_must_agree() {
        assert!(one_panel(Array2::zeros((2, 2)), Array2::zeros((2, 3))).draw().is_err());
        assert!(one_panel(Array2::zeros((0, 2)), Array2::zeros((0, 2))).draw().is_err());
    }
}
