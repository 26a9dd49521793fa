//! How pictures are prepared for a model: as the command line says, else as the model shows, else as we assume and report.

use super::bind::Bound;
use crate::args::{ImageArgs, Layout, Range};
use dlbacktrace::rules::{Bounds, Level};
use dlbacktrace::{Argument, Inputs, Model, PixelRange};

/// How pictures are prepared.
#[derive(Debug)]
pub struct Preparation<'a> {
    /// The options for size, mean and deviation.
    pub args: &'a ImageArgs,
    /// The position of the channels.
    pub layout: Layout,
    /// The number of channels; `None` for that of the file.
    pub channels: Option<u8>,
    /// The range of the pixels.
    pub range: Range,
    /// What the command assumed, one sentence each.
    pub assumed: Vec<String>,
}

impl<'a> Preparation<'a> {
    /// What is known before a picture is read.
    pub fn of(args: &'a ImageArgs, model: &Model) -> Self {
        let told = model.arguments().iter().find_map(|argument| Some((argument, channels_of(argument)?)));
        let mut assumed = Vec::new();
        let layout = args.layout.unwrap_or_else(|| {
            let (layout, why) = match (&told, list_of_pictures(model)) {
                (Some((Argument { name, kind, .. }, (layout, _))), _) => {
                    (*layout, format!("because {name} is {kind}"))
                }
                (None, Some(list)) => {
                    (Layout::Chw, format!("without an axis of samples, because {list} is a list"))
                }
                (None, None) if model.is_saved_model() => {
                    (Layout::Nhwc, "the usual order in SavedModels".to_owned())
                }
                (None, None) => (Layout::Nchw, "the usual order in TorchScript".to_owned()),
            };
            let place = match layout {
                Layout::Nchw | Layout::Chw => "before",
                Layout::Nhwc | Layout::Hwc => "after",
            };
            assumed.push(format!(
                "the channels of pictures come {place} height and width, {why} (--layout for another order)"
            ));
            layout
        });
        let given = if args.grayscale { Some(1) } else { args.channels };
        let channels = given.or(told.and_then(|(_, (_, channels))| channels));
        Self { args, layout, channels, range: args.range.unwrap_or_default(), assumed }
    }

    /// The darkest and the lightest pixel behind the preparation.
    pub fn bounds(&self) -> Bounds {
        let (low, high) = self.range.ends();
        let ImageArgs { mean, std, .. } = self.args;
        let number = |numbers: &[f32], channel: usize, default| {
            if numbers.is_empty() { default } else { numbers[channel % numbers.len()] }
        };
        let end = |pixel: f32, channel| (pixel - number(mean, channel, 0.0)) / number(std, channel, 1.0);
        let ends = |channel| (f64::from(end(low, channel)), f64::from(end(high, channel)));
        // A negative deviation exchanges them.
        let ordered = |(low, high): (f64, f64)| if low <= high { (low, high) } else { (high, low) };
        let channels = mean.len().max(std.len());
        if channels <= 1 {
            let (low, high) = ordered(ends(0));
            return Bounds::of_input(low, high);
        }
        let (low, high): (Vec<f64>, Vec<f64>) = (0..channels).map(ends).map(ordered).unzip();
        Bounds::of_input(Level::Each(low), Level::Each(high))
    }

    /// The preparation for the pictures given, whose range the model may show: by the type of its input, or by what it does
    /// first with the pixels, for which it is run once.
    pub fn settled(mut self, model: &Model, bound: Bound) -> Self {
        if self.args.range.is_some() {
            return self;
        }
        let pictures: Vec<String> = bound.pictures().map(str::to_owned).collect();
        let integer = |name: &&String| {
            let element = argument_of(model, name).and_then(Argument::element);
            element.is_some_and(|element| element.contains("int"))
        };
        let (range, why) = if let Some(name) = pictures.iter().find(integer) {
            (Range::Bytes, format!("because {name} takes integers"))
        } else if !self.args.mean.is_empty() || !self.args.std.is_empty() {
            (Range::Unit, "before --mean and --std".to_owned())
        } else {
            scaled(model, bound, &pictures).unwrap_or((
                Range::Unit,
                "because nothing in the model shows their range (--range 0..255 for others)".to_owned(),
            ))
        };
        self.range = range;
        self.assumed.push(format!("pixels are {range}, {why}"));
        self
    }
}

/// The range from which a model scales its pictures, and the reason for it.
fn scaled(model: &Model, bound: Bound, pictures: &[String]) -> Option<(Range, String)> {
    let inputs =
        bound.values.into_iter().fold(Inputs::new(), |inputs, (name, value)| inputs.set(&name, value));
    // If the model fails on its inputs, the explanation will report it.
    let scalings = model.scalings(&inputs).ok()?;
    let told = scalings.into_iter().filter(|(name, _)| pictures.contains(name));
    let mut ranges = told.filter_map(|(name, scaling)| Some((name, scaling, scaling.pixels()?)));
    let (name, scaling, range) = ranges.next()?;
    let range = match range {
        PixelRange::Unit => Range::Unit,
        PixelRange::Bytes => Range::Full,
    };
    Some((
        range,
        format!("because the model first computes {name} · {:.4} ± {:.4}", scaling.factor, scaling.shift),
    ))
}

/// The argument that takes a list of any number of tensors, as detectors take pictures of different sizes.
fn list_of_pictures(model: &Model) -> Option<&str> {
    let lists = model.arguments().iter().filter(|argument| argument.kind == "List[Tensor]");
    lists.map(|argument| argument.name.as_str()).next()
}

/// The argument of a model that has this input as a whole or as a part.
fn argument_of<'m>(model: &'m Model, input: &str) -> Option<&'m Argument> {
    let top = input.split(['.', '[']).next().unwrap_or(input);
    model.arguments().iter().find(|argument| argument.name == input || argument.name == top)
}

/// The position and number of channels that the shape of an argument shows.
fn channels_of(argument: &Argument) -> Option<(Layout, Option<u8>)> {
    let shape = argument.shape()?;
    let few = |extent: Option<usize>| {
        extent.and_then(|extent| u8::try_from(extent).ok()).filter(|e| matches!(e, 1 | 3 | 4))
    };
    let [.., first, _, last] = shape.as_slice() else { return None };
    Some(match (shape.len(), few(*first), few(*last)) {
        (3, None, Some(channels)) => (Layout::Hwc, Some(channels)),
        (3, Some(channels), None) => (Layout::Chw, Some(channels)),
        (4, None, Some(channels)) => (Layout::Nhwc, Some(channels)),
        (4, Some(channels), None) => (Layout::Nchw, Some(channels)),
        _ => return None,
    })
}
