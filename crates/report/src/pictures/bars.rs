//! A bar chart: the features with the most relevance, each with its sign.

use super::diverging;
use super::svg::{self, FONT, escape, shorten};
use crate::Result;
use crate::number::significant;
use image::{Rgb, RgbImage};
use std::fmt::Write;

const WIDTH: f64 = 760.0;
const NAMES: f64 = 250.0;
const VALUES: f64 = 78.0;
const ROW: f64 = 24.0;
const TOP: f64 = 52.0;
const BOTTOM: f64 = 34.0;
const NAME_CHARACTERS: usize = 34;

/// One feature of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// The feature's name, with its value if that helps.
    pub name: String,
    /// Its relevance; in contrastive mode, for minus against.
    pub relevance: f64,
    /// In contrastive mode: for and against, the latter drawn to the left.
    pub channels: Option<[f64; 2]>,
}

impl Bar {
    fn magnitude(&self) -> f64 {
        if self.relevance.is_finite() { self.relevance.abs() } else { 0.0 }
    }

    /// The ends of the channels' bars.
    fn sides(&self) -> impl Iterator<Item = f64> {
        self.channels.into_iter().flat_map(|[positive, negative]| [positive, -negative])
    }
}

/// The features with the most relevance, and the sum of the others.
#[derive(Debug, Clone, PartialEq)]
pub struct BarChart {
    title: String,
    bars: Vec<Bar>,
    rest: Option<Bar>,
}

impl BarChart {
    /// Takes the `most` features of the greatest magnitude, in falling order; equal ones keep their order.
    pub fn new(title: impl Into<String>, mut bars: Vec<Bar>, most: usize) -> Self {
        bars.sort_by(|a, b| b.magnitude().total_cmp(&a.magnitude()));
        let rest = bars.split_off(most.min(bars.len()));
        let rest = (!rest.is_empty()).then(|| {
            let channels = rest.iter().filter_map(|bar| bar.channels);
            Bar {
                name: format!("{} others together", rest.len()),
                relevance: rest.iter().map(|bar| bar.relevance).sum(),
                channels: channels.reduce(|[p, n], [positive, negative]| [p + positive, n + negative]),
            }
        });
        Self { title: title.into(), bars, rest }
    }

    /// The chart as SVG text.
    pub fn svg(&self) -> String {
        let rows = self.bars.len() + usize::from(self.rest.is_some());
        let height = TOP + ROW * rows as f64 + BOTTOM;
        let axis = Axis::of(self.bars.iter().chain(&self.rest));
        let mut body = format!(
            r#"<text x="16" y="28" font-size="17" fill="rgb(34,34,34)">{}</text>"#,
            escape(&shorten(&self.title, 90))
        );
        body += &axis.grid(TOP, height - BOTTOM);
        for (i, bar) in self.bars.iter().chain(&self.rest).enumerate() {
            body += &axis.row(bar, TOP + ROW * i as f64, i < self.bars.len());
        }
        format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="{FONT}"><rect width="100%" height="100%" fill="white"/>{body}</svg>"#
        )
    }

    /// The chart as pixels.
    ///
    /// # Errors
    /// [`Error::Picture`](crate::Error::Picture).
    pub fn draw(&self) -> Result<RgbImage> {
        svg::render(&self.svg())
    }
}

/// The horizontal axis: where a value lies between names and values.
struct Axis {
    low: f64,
    high: f64,
    limit: f64,
}

impl Axis {
    fn of<'a>(bars: impl Iterator<Item = &'a Bar>) -> Self {
        let ends = bars.flat_map(|bar| bar.sides().chain([bar.relevance])).filter(|v| v.is_finite());
        let (low, high) = ends.fold((0.0_f64, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)));
        let span = if high > low { high - low } else { 1.0 };
        // A used side gets some space for the number at the end of a bar.
        let air = |end: f64| if end == 0.0 { 0.0 } else { end + 0.02 * span * end.signum() };
        let (low, high) = if high > low { (air(low), air(high)) } else { (0.0, 1.0) };
        Self { low, high, limit: high.max(-low) }
    }

    fn x(&self, value: f64) -> f64 {
        let (left, right) = (NAMES + if self.low < 0.0 { VALUES } else { 12.0 }, WIDTH - VALUES);
        left + (value - self.low) / (self.high - self.low) * (right - left)
    }

    fn grid(&self, top: f64, bottom: f64) -> String {
        let zero = self.x(0.0);
        format!(
            r#"<line x1="{zero:.1}" y1="{:.1}" x2="{zero:.1}" y2="{:.1}" stroke="rgb(150,150,150)"/><text x="{zero:.1}" y="{:.1}" font-size="12" text-anchor="middle" fill="rgb(110,110,110)">0</text>"#,
            top - 6.0,
            bottom + 6.0,
            bottom + 21.0
        )
    }

    /// The bar of one feature is coloured, that of the others' sum is grey.
    fn row(&self, bar: &Bar, top: f64, is_own: bool) -> String {
        let ink = if is_own { "rgb(34,34,34)" } else { "rgb(120,120,120)" };
        let mut svg = format!(
            r#"<text x="{:.1}" y="{:.1}" font-size="14" text-anchor="end" fill="{ink}">{}</text>"#,
            NAMES - 8.0,
            top + 16.0,
            escape(&shorten(&bar.name, NAME_CHARACTERS))
        );
        let value = bar.relevance;
        let strength = (value / self.limit).clamp(-1.0, 1.0);
        // Even a small bar shows its sign by its colour.
        let colour = diverging(0.45 * strength.signum() + 0.45 * strength);
        let Rgb([r, g, b]) = if is_own { colour } else { Rgb([190; 3]) };
        svg += &self.bar(value, top + 3.5, ROW - 7.0, &format!("rgb({r},{g},{b})"));
        for end in bar.sides() {
            svg += &self.bar(end, top + ROW - 3.0, 2.5, "rgb(150,150,150)");
        }
        let (anchor, gap) = if value < 0.0 { ("end", -5.0) } else { ("start", 5.0) };
        let _ = write!(
            svg,
            r#"<text x="{:.1}" y="{:.1}" font-size="12" text-anchor="{anchor}" fill="rgb(85,85,85)">{}</text>"#,
            self.tip(value) + gap,
            top + 16.0,
            signed(value)
        );
        svg
    }

    /// A bar from 0 to a value.
    fn bar(&self, end: f64, top: f64, height: f64, colour: &str) -> String {
        let (zero, tip) = (self.x(0.0), self.tip(end));
        format!(
            r#"<rect x="{:.1}" y="{top:.1}" width="{:.1}" height="{height:.1}" rx="1.5" fill="{colour}"/>"#,
            zero.min(tip),
            (tip - zero).abs(),
        )
    }

    /// The place of a value; that of 0 if it is not finite.
    fn tip(&self, value: f64) -> f64 {
        self.x(if value.is_finite() { value } else { 0.0 })
    }
}

fn signed(value: f64) -> String {
    let digits = significant(value.abs(), 3);
    if value < 0.0 { format!("−{digits}") } else { digits }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(values: &[f64]) -> Vec<Bar> {
        values
            .iter()
            .enumerate()
            .map(|(i, v)| Bar { name: format!("feature <{i}>"), relevance: *v, channels: None })
            .collect()
    }

    #[test]
    fn strongest_first_and_the_rest_in_one() {
        let chart = BarChart::new("t", bars(&[0.1, -3.0, 2.0, 0.5, -0.25]), 2);
        let names: Vec<_> = chart.bars.iter().map(|bar| bar.name.as_str()).collect();
        assert_eq!(names, ["feature <1>", "feature <2>"]);
        let rest = Bar { name: "3 others together".to_owned(), relevance: 0.1 + 0.5 - 0.25, channels: None };
        assert_eq!(chart.rest, Some(rest));
    }

    #[test]
    fn draws_whatever_the_numbers() -> Result<()> {
        for values in [&[][..], &[0.0, 0.0], &[f64::NAN, 1.0], &[f64::INFINITY], &[1e-30, -1e-30], &[-5.0]] {
            let picture = BarChart::new("numbers & names", bars(values), 10).draw()?;
            assert_eq!(picture.width(), WIDTH as u32);
        }
        Ok(())
    }

    #[test]
    fn bars_start_at_zero_and_point_to_their_side() {
        let axis = Axis::of(bars(&[2.0, -1.0]).iter());
        assert!(axis.x(-1.0) < axis.x(0.0) && axis.x(0.0) < axis.x(2.0));
        let contrastive = |relevance, positive, negative| Bar {
            name: "both".to_owned(),
            relevance,
            channels: Some([positive, negative]),
        };
        assert_eq!(contrastive(1.0, 2.0, 1.0).sides().collect::<Vec<_>>(), [2.0, -1.0]);
        // The channels have their room, and the difference decides the order.
        let bars =
            vec![contrastive(-0.5, 3.0, 3.5), contrastive(1.0, 2.0, 1.0), contrastive(-0.25, 0.5, 0.75)];
        let axis = Axis::of(bars.iter());
        assert!(axis.low <= -3.5 && axis.high >= 3.0);
        let chart = BarChart::new("both", bars, 1);
        assert_eq!(chart.bars[0], contrastive(1.0, 2.0, 1.0));
        let rest = chart.rest.as_ref().map(|rest| (rest.relevance, rest.channels));
        assert_eq!(rest, Some((-0.75, Some([3.5, 4.25]))));
        assert_eq!(chart.svg().matches("<rect ").count(), 1 + 2 * 3);
    }
}
