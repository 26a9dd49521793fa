//! How pictures are prepared for a model: what the command line says, else what the model tells, else what is assumed and
//! said.

use super::bind::Bound;
use crate::args::{ImageArgs, Layout, Range};
use dlbacktrace::{Argument, Inputs, Model, PixelRange};

/// How pictures are prepared.
#[derive(Debug)]
pub struct Preparation<'a> {
    /// What the command line says of size, mean and deviation.
    pub args: &'a ImageArgs,
    /// Where the channels stand.
    pub layout: Layout,
    /// The number of channels; that of the file where absent.
    pub channels: Option<u8>,
    /// The range of the pixels.
    pub range: Range,
    /// What the command line does not say, a sentence each.
    pub assumed: Vec<String>,
}

impl<'a> Preparation<'a> {
    /// As far as it is known before a picture was read.
    pub fn of(args: &'a ImageArgs, model: &Model) -> Self {
        let told = model.arguments().iter().find_map(|argument| Some((argument, channels_of(argument)?)));
        let mut assumed = Vec::new();
        let layout = args.layout.unwrap_or_else(|| {
            let (layout, why) = match (&told, list_of_pictures(model)) {
                (Some((Argument { name, kind, .. }, (layout, _))), _) => {
                    (*layout, format!("as {name} is {kind}"))
                }
                (None, Some(list)) => {
                    (Layout::Chw, format!("and no axis of samples goes before, as {list} is a list"))
                }
                (None, None) if model.is_saved_model() => {
                    (Layout::Nhwc, "as SavedModels have them".to_owned())
                }
                (None, None) => (Layout::Nchw, "as TorchScript models have them".to_owned()),
            };
            let place = match layout {
                Layout::Nchw | Layout::Chw => "before",
                Layout::Nhwc | Layout::Hwc => "behind",
            };
            assumed.push(format!(
                "the channels of pictures stand {place} height and width, {why} (--layout for another order)"
            ));
            layout
        });
        let given = if args.grayscale { Some(1) } else { args.channels };
        let channels = given.or(told.and_then(|(_, (_, channels))| channels));
        Self { args, layout, channels, range: args.range.unwrap_or_default(), assumed }
    }

    /// The same for the pictures that a model was given, of which it may tell the range: by the type of its input, or by
    /// what it does with the pixels first, for which it is run.
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
            (Range::Bytes, format!("as {name} takes integers"))
        } else if !self.args.mean.is_empty() || !self.args.std.is_empty() {
            (Range::Unit, "before --mean and --std".to_owned())
        } else {
            scaled(model, bound, &pictures).unwrap_or((
                Range::Unit,
                "as nothing in the model tells (--range 0..255 for others)".to_owned(),
            ))
        };
        self.range = range;
        self.assumed.push(format!("pixels are {range}, {why}"));
        self
    }
}

/// The range that a model scales its pictures from, and how that is known.
fn scaled(model: &Model, bound: Bound, pictures: &[String]) -> Option<(Range, String)> {
    let inputs =
        bound.values.into_iter().fold(Inputs::new(), |inputs, (name, value)| inputs.set(&name, value));
    // Inputs on which the model fails are told of when it is explained.
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
        format!("as the model first makes x · {:.4} ± {:.4} of {name}", scaling.factor, scaling.shift),
    ))
}

/// The argument that takes a list of tensors of any number, as detectors take pictures of different sizes.
fn list_of_pictures(model: &Model) -> Option<&str> {
    let lists = model.arguments().iter().filter(|argument| argument.kind == "List[Tensor]");
    lists.map(|argument| argument.name.as_str()).next()
}

/// The argument of a model that an input is, or is part of.
fn argument_of<'m>(model: &'m Model, input: &str) -> Option<&'m Argument> {
    let top = input.split(['.', '[']).next().unwrap_or(input);
    model.arguments().iter().find(|argument| argument.name == input || argument.name == top)
}

/// Where channels stand, and how many there are, by the shape that an argument says it takes.
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
