//! Drawings with text that look alike with and without installed fonts.

use crate::{Error, Result};
use image::RgbImage;
use resvg::{tiny_skia, usvg};
use std::sync::{Arc, LazyLock};

/// The font of the drawings; a viewer without it takes the next one.
pub(crate) const FONT: &str = "Ubuntu, Helvetica, Arial, sans-serif";

/// The one font that is included (Ubuntu Light, Ubuntu Font Licence), so that pictures look alike everywhere.
static FONTS: LazyLock<Arc<usvg::fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = usvg::fontdb::Database::new();
    fonts.load_font_data(epaint_default_fonts::UBUNTU_LIGHT.to_vec());
    let family = fonts.faces().find_map(|face| face.families.first().map(|(name, _)| name.clone()));
    fonts.set_sans_serif_family(family.unwrap_or_default());
    Arc::new(fonts)
});

/// Draws SVG on white.
pub(crate) fn render(svg: &str) -> Result<RgbImage> {
    let options = usvg::Options { fontdb: FONTS.clone(), ..usvg::Options::default() };
    let tree = usvg::Tree::from_str(svg, &options).map_err(|e| Error::Picture(e.to_string()))?;
    let size = tree.size().to_int_size();
    let mut pixels = tiny_skia::Pixmap::new(size.width(), size.height())
        .ok_or_else(|| Error::Picture(format!("{}×{} pixels", size.width(), size.height())))?;
    pixels.fill(tiny_skia::Color::WHITE);
    resvg::render(&tree, tiny_skia::Transform::identity(), &mut pixels.as_mut());
    let opaque = pixels.data().chunks_exact(4).flat_map(|pixel| pixel.iter().take(3)).copied().collect();
    RgbImage::from_raw(size.width(), size.height(), opaque)
        .ok_or_else(|| Error::Picture("the drawing has no pixels".to_owned()))
}

/// Text for SVG: markup characters are escaped, control characters (which XML forbids) replaced.
pub(crate) fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, c| {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
        escaped
    })
}

/// A text cut to a number of characters, with an ellipsis if it is longer.
pub(crate) fn shorten(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    text.chars().take(characters.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_leaves_ink() -> Result<()> {
        let svg = format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="60" height="20"><text x="2" y="15" font-family="{FONT}" font-size="14">{}</text></svg>"#,
            escape("a<b>&\u{1}")
        );
        let image = render(&svg)?;
        assert_eq!(image.dimensions(), (60, 20));
        assert!(image.pixels().filter(|pixel| pixel.0[0] < 128).count() > 20);
        Ok(())
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shorten("übermäßig", 5), "über…");
        assert_eq!(shorten("kurz", 5), "kurz");
    }
}
