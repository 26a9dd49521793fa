//! The options that say what the model is given.

use super::TextArgs;
use clap::{Args, ValueEnum};
use std::fmt;
use std::str::FromStr;

const INPUT_HELP: &str = "\
Inputs, in the model's order or by name: [NAME=]FILE with .npy, .npz, .safetensors, .csv, .json, .png or .jpg, or \
NAME=VALUE with a number, true, false, a JSON list or, where the model takes text, a string (sr=16000, flag=true).

In a file of several arrays (.npz, .safetensors, a JSON object) each array fills the input of the same name; \
NAME=FILE:KEY takes one of them. The same NAME again makes a list or tuple; NAME.KEY fills a dictionary, NAME.0 a list or tuple.";

/// The inputs of the model.
#[derive(Debug, Args)]
pub struct InputArgs {
    #[arg(short, long = "input", value_name = "[NAME=]FILE", help = INPUT_HELP, num_args = 1.., help_heading = "Inputs")]
    pub inputs: Vec<String>,
    /// Element type of floating-point inputs from files; `auto` takes the type of the model's parameters
    #[arg(long, value_enum, default_value_t, help_heading = "Inputs")]
    pub dtype: Dtype,
    #[command(flatten)]
    pub image: ImageArgs,
    #[command(flatten)]
    pub table: TableArgs,
    #[command(flatten)]
    pub text: TextArgs,
}

/// The element type that floating-point inputs get.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Dtype {
    #[default]
    Auto,
    Keep,
    F16,
    Bf16,
    F32,
    F64,
}

/// How an image file becomes an array.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Images")]
pub struct ImageArgs {
    /// Resize to HEIGHTxWIDTH, or so that the shorter side has N pixels
    #[arg(long, value_name = "HxW|N")]
    pub resize: Option<Size>,
    /// Then cut HEIGHTxWIDTH, or NxN, out of the middle
    #[arg(long, value_name = "HxW|N")]
    pub crop: Option<Size>,
    /// The range of the pixels: 0..1, 0..255, -1..1, or bytes (0 to 255 as integers) [default: the range that the type of
    /// the model's input or the model's first operators show, else 0..1]
    #[arg(long, value_name = "RANGE", visible_alias = "pixel-range", allow_hyphen_values = true)]
    pub range: Option<Range>,
    /// Subtract this from the pixels in their range, one number for all channels or one for each: 0.485,0.456,0.406
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    pub mean: Vec<f32>,
    /// Then divide the pixels by this, one number for all channels or one for each
    #[arg(long, value_delimiter = ',', value_parser = nonzero)]
    pub std: Vec<f32>,
    /// 1 or grey, 3 or rgb, 4 or rgba [default: as many as the model says it takes, else 1 for a grey image and 3 for others]
    #[arg(long, value_parser = channels)]
    pub channels: Option<u8>,
    /// Same as --channels 1
    #[arg(long, conflicts_with = "channels")]
    pub grayscale: bool,
    /// The position of the channels (c), and whether an axis of samples (n) comes first [default: what the model says, else
    /// nchw for TorchScript (chw in lists of pictures), nhwc for SavedModels]
    #[arg(long, value_enum)]
    pub layout: Option<Layout>,
}

/// The order of an image's axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    Nchw,
    Nhwc,
    /// Without an axis of samples, as detectors take each picture.
    Chw,
    /// Channels last, without an axis of samples.
    Hwc,
}

impl Layout {
    /// Whether the channels come before height and width.
    pub fn channels_first(self) -> bool {
        matches!(self, Self::Nchw | Self::Chw)
    }

    /// Whether the first axis counts samples.
    pub fn has_samples(self) -> bool {
        matches!(self, Self::Nchw | Self::Nhwc)
    }
}

/// The numbers for the darkest and the lightest pixel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Range {
    /// 0 and 1.
    #[default]
    Unit,
    /// 0 and 255.
    Full,
    /// -1 and 1.
    Signed,
    /// 0 and 255, as integers.
    Bytes,
}

impl Range {
    /// The numbers for the darkest and the lightest pixel.
    pub fn ends(self) -> (f32, f32) {
        match self {
            Self::Unit => (0.0, 1.0),
            Self::Full | Self::Bytes => (0.0, 255.0),
            Self::Signed => (-1.0, 1.0),
        }
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ends: Vec<&str> = text.split("..").map(str::trim).collect();
        match ends.as_slice() {
            ["0", "1"] => Ok(Self::Unit),
            ["0", "255"] => Ok(Self::Full),
            ["-1", "1"] => Ok(Self::Signed),
            ["bytes" | "uint8"] => Ok(Self::Bytes),
            _ => Err("give 0..1, 0..255, -1..1 or bytes".to_owned()),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unit => "0 to 1",
            Self::Full => "0 to 255",
            Self::Signed => "-1 to 1",
            Self::Bytes => "bytes, 0 to 255",
        })
    }
}

/// Height and width in pixels, or one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Height, or the one number.
    pub height: u32,
    /// Width, if given.
    pub width: Option<u32>,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let extent = |text: &str| text.parse().ok().filter(|extent| (1..=16384).contains(extent));
        let (height, width) = match text.split_once(['x', '×', ',']) {
            Some((height, width)) => (extent(height), extent(width).map(Some)),
            None => (extent(text), Some(None)),
        };
        match (height, width) {
            (Some(height), Some(width)) => Ok(Self { height, width }),
            _ => Err("give HEIGHTxWIDTH or one number, such as 224x224 or 256, of at most 16384".to_owned()),
        }
    }
}

fn channels(text: &str) -> Result<u8, String> {
    match text.to_lowercase().as_str() {
        "1" | "grey" | "gray" => Ok(1),
        "3" | "rgb" => Ok(3),
        "4" | "rgba" => Ok(4),
        _ => Err("choose 1 or grey, 3 or rgb, 4 or rgba".to_owned()),
    }
}

fn nonzero(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(number) if number != 0.0 => Ok(number),
        Ok(_) => Err("cannot divide by 0".to_owned()),
        Err(e) => Err(format!("{e}")),
    }
}

/// The part of a table that is used.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Tables")]
pub struct TableArgs {
    /// Rows to use, counted from 0 after the header: 0,3,17 [default: all]
    #[arg(long, value_delimiter = ',', value_name = "N")]
    pub row: Vec<usize>,
    /// Columns to use, by name or number from 0, with commas between them: age,"size, cm",7 [default: all]
    #[arg(long, value_name = "COLUMNS", conflicts_with = "drop")]
    pub columns: Vec<String>,
    /// Columns to leave out, written like --columns
    #[arg(long, value_name = "COLUMNS")]
    pub drop: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (text, range) in [
            ("0..1", Range::Unit),
            ("0..255", Range::Full),
            ("-1..1", Range::Signed),
            ("uint8", Range::Bytes),
        ] {
            assert_eq!(text.parse(), Ok(range));
        }
        for nonsense in ["", "0", "1..0", "0..256", "a..b"] {
            assert!(nonsense.parse::<Range>().is_err(), "{nonsense}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!("224x112".parse(), Ok(Size { height: 224, width: Some(112) }));
        assert_eq!("256".parse(), Ok(Size { height: 256, width: None }));
        for nonsense in ["", "x", "0", "12x", "-3", "99999999x9", "1x2x3"] {
            assert!(nonsense.parse::<Size>().is_err(), "{nonsense}");
        }
    }
}
