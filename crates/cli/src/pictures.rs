//! Which pictures an explanation gets: a heatmap over an image, a bar chart of a vector of features.

use crate::document::SHOWN;
use crate::explained::{Explained, Values};
use crate::failure::Result;
use crate::samples::{self, samples};
use dlbacktrace_report::Staging;
use dlbacktrace_report::pictures::{Bar, BarChart, Channels, Heatmap, ImageLayout, Panel};
use ndarray::{ArrayD, ArrayViewD};

/// The largest number of bars in a chart.
const BARS: usize = 20;

/// What the pictures of one explanation have in common.
pub struct Pictures<'a> {
    /// The number of samples that were explained together.
    pub batch: usize,
    /// The explained unit of each sample, where there is one.
    pub target: Option<&'a [usize]>,
    /// Its name, where it has one.
    pub names: &'a [String],
    /// What it is told apart from, as words behind it.
    pub versus: &'a str,
    /// Where to write.
    pub staging: &'a Staging,
}

/// What was drawn.
#[derive(Default)]
pub struct Drawn {
    pub files: Vec<String>,
    /// Notes on samples that were left out.
    pub warnings: Vec<String>,
}

/// The kind of picture for an input.
enum View {
    Image(ImageLayout),
    Features,
}

impl Pictures<'_> {
    /// Draws pictures of every input that has a kind of picture, one for each of the first samples; no bars for an input that received nothing, such as a mask.
    ///
    /// # Errors
    /// If a picture cannot be drawn or written.
    pub fn draw(&self, inputs: &[Explained]) -> Result<Drawn> {
        let mut drawn = Drawn::default();
        // The masks and types of a text's tokens have the shape of its tokens, which are shown elsewhere.
        let text = inputs.iter().find(|input| input.note.texts.is_some());
        let text = text.map(|input| input.relevance.positive.shape());
        for (index, input) in inputs.iter().enumerate() {
            let Values::Numbers(data) = &input.values else { continue };
            if text == Some(data.shape()) {
                continue;
            }
            let Some((view, count)) = self.view(input, data) else { continue };
            let name = file_name(index, inputs);
            for sample in 0..count.min(SHOWN) {
                let name = if count == 1 { name.clone() } else { format!("{name}-{sample}") };
                match &view {
                    View::Image(layout) => self.heatmap(input, data, *layout, sample, &name, &mut drawn)?,
                    View::Features => self.chart(input, data, sample, &name, &mut drawn)?,
                }
            }
            if count > SHOWN {
                let name = &input.name;
                drawn
                    .warnings
                    .push(format!("pictures of input {name} show the first {SHOWN} of {count} samples"));
            }
        }
        Ok(drawn)
    }

    /// The kind of picture for an input, and the number of its samples.
    fn view(&self, input: &Explained, data: &ArrayD<f64>) -> Option<(View, usize)> {
        let relevance = &input.relevance.positive;
        let layout = match input.note.image {
            Some(layout) => {
                let channels = if layout.channels_first() { Channels::First } else { Channels::Last };
                ImageLayout::of_images(relevance.shape(), channels)
            }
            None => ImageLayout::detect(relevance.shape()),
        };
        // Names and colours of elements apply only if the relevance has the input's shape, which that of tokens has not.
        if let Some(layout) = layout.filter(|_| relevance.shape() == data.shape()) {
            return Some((View::Image(layout), layout.images(relevance.shape())));
        }
        let samples = samples(relevance, self.batch);
        let vectors = samples.iter().all(|sample| sample.ndim() == 1 && sample.len() > 1);
        let received = input.relevance.channels().flatten().any(|x| *x != 0.0);
        (vectors && received && !samples.is_empty()).then_some((View::Features, samples.len()))
    }

    fn heatmap(
        &self,
        input: &Explained,
        data: &ArrayD<f64>,
        layout: ImageLayout,
        sample: usize,
        name: &str,
        drawn: &mut Drawn,
    ) -> Result<()> {
        let plane = |channel: &ArrayD<f64>| layout.plane(channel.view(), sample);
        let unit = self.unit(sample);
        let relevance = &input.relevance;
        // Relevance against is drawn negative, so it becomes blue.
        let maps = match &relevance.negative {
            None => vec![(format!("relevance{unit}"), relevance.positive.clone())],
            Some(negative) => vec![
                (format!("for minus against{unit}"), relevance.difference()),
                ("for".to_owned(), relevance.positive.clone()),
                ("against".to_owned(), -negative),
            ],
        };
        let panel = |(title, map): (String, ArrayD<f64>)| Some(Panel { title, relevance: plane(&map)? });
        let panels: Option<Vec<Panel>> = maps.into_iter().map(panel).collect();
        let Some((image, panels)) = layout.plane(data.view(), sample).zip(panels) else {
            return Ok(());
        };
        let file = format!("heatmap-{name}.png");
        self.staging.write_picture(&file, &Heatmap { image, panels }.draw()?)?;
        drawn.files.push(file);
        Ok(())
    }

    fn chart(
        &self,
        input: &Explained,
        data: &ArrayD<f64>,
        sample: usize,
        name: &str,
        drawn: &mut Drawn,
    ) -> Result<()> {
        let difference = input.relevance.difference();
        let relevance = samples(&difference, self.batch);
        let channels: Vec<_> =
            input.relevance.channels().map(|channel| samples(channel, self.batch)).collect();
        let at = |samples: &[ArrayViewD<'_, f64>], position: usize| {
            samples.get(sample).and_then(|values| values.iter().nth(position).copied()).unwrap_or_default()
        };
        let values = samples(data, self.batch);
        let features = input.note.features.as_deref();
        let bar = |(position, value): (usize, &f64)| Bar {
            name: format!("{} = {}", samples::name(position, &[data.len()], features), plain(*value)),
            relevance: at(&relevance, position),
            channels: match &channels[..] {
                [positive, negative] => Some([at(positive, position), at(negative, position)]),
                _ => None,
            },
        };
        let bars = values.get(sample).into_iter().flatten().enumerate().map(bar).collect();
        let what = match channels.len() {
            1 => format!("relevance of {}", input.name),
            _ => format!("relevance of {} for minus against (both in grey)", input.name),
        };
        let chart = BarChart::new(what + &self.unit(sample), bars, BARS);
        let (svg, png) = (format!("bars-{name}.svg"), format!("bars-{name}.png"));
        self.staging.write(&svg, chart.svg().as_bytes())?;
        self.staging.write_picture(&png, &chart.draw()?)?;
        drawn.files.extend([png, svg]);
        Ok(())
    }

    /// The explained unit, as the end of a title.
    fn unit(&self, sample: usize) -> String {
        let Some(unit) = self.target.and_then(|target| target.get(sample)) else { return String::new() };
        let name = self.names.get(sample).cloned().unwrap_or_else(|| format!("output unit {unit}"));
        let unit = name + self.versus;
        let several = self.target.is_some_and(|target| target.len() > 1);
        if several { format!(", sample {sample}, {unit}") } else { format!(", {unit}") }
    }
}

/// A number in plain decimal notation.
fn plain(value: f64) -> String {
    let text = format!("{value:.4}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// An input's name as part of a file name, with its position if two inputs would get the same.
fn file_name(index: usize, inputs: &[Explained]) -> String {
    let plain = |input: &Explained| -> String {
        input
            .name
            .chars()
            .map(|c| if c.is_alphanumeric() || matches!(c, '.' | '_') { c } else { '_' })
            .collect()
    };
    let Some(name) = inputs.get(index).map(plain) else { return index.to_string() };
    let alone = inputs.iter().enumerate().all(|(other, input)| other == index || plain(input) != name);
    if alone { name } else { format!("{index}_{name}") }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn numbers_without_idle_digits() {
        assert_eq!([17.0, 0.1054, -2.5, 0.0].map(plain), ["17", "0.1054", "-2.5", "0"]);
    }
}
