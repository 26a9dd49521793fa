//! Pictures of relevance: a heatmap over an image, a bar chart of features.

mod bars;
mod colour;
mod heatmap;
mod layout;
mod scale;
pub(crate) mod svg;

pub use bars::{Bar, BarChart};
pub use colour::diverging;
pub use heatmap::{Heatmap, Panel};
pub use layout::{Channels, ImageLayout};
pub use scale::Scale;
