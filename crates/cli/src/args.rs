//! What can be asked for on the command line.

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::str::FromStr;

const INPUT_HELP: &str = "\
Inputs, in the model's order or by name: [NAME=]FILE with .npy, .npz, .safetensors, .csv, .json, .png or .jpg, or \
NAME=VALUE with a number, true, false, a JSON list or, where the model takes text, a string (sr=16000, flag=true).

A file of several arrays (.npz, .safetensors, a JSON object) gives each to the input of its name; NAME=FILE:KEY takes \
one of them. The same NAME again makes a list or tuple; NAME.KEY fills a dictionary, NAME.0 a list or tuple.";

/// The command.
#[derive(Debug, Parser)]
#[command(name = "dlbacktrace", version, max_term_width = 100, after_help = EXIT_CODES)]
#[command(
    about = "Says why a deep model decided as it did: traces relevance from its output back to its inputs"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 the results cannot be written or do not verify, 2 usage, 3 the model cannot be loaded, 4 an \
operator has no rule, 5 the inputs do not fit the model, 6 the framework's library is missing or wrong.";

/// The four things to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Trace a model's output back to its inputs
    Explain(Box<Explain>),
    /// Show what a model takes, gives, is made of, and which of its operators have a rule
    Inspect(Inspect),
    /// Check that what was recorded is what ran, and that every step accounts for its relevance
    Verify(Box<Verify>),
    /// List the operators that have a rule
    Ops(Ops),
}

/// `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub inputs: InputArgs,
    #[command(flatten)]
    pub rules: RuleArgs,
    /// Also write the relevance of every recorded value
    #[arg(long, help_heading = "Results")]
    pub all_values: bool,
    /// Directory for relevance.npz, explanation.json and the pictures [default: dlbacktrace-out; with --json: none]
    #[arg(long, value_name = "DIR", help_heading = "Results")]
    pub out: Option<PathBuf>,
    /// Print the document of explanation.json, and nothing else
    #[arg(long, help_heading = "Results")]
    pub json: bool,
    /// Print no summary
    #[arg(short, long, help_heading = "Results")]
    pub quiet: bool,
}

/// `inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub inputs: InputArgs,
    #[command(flatten)]
    pub rules: RuleArgs,
    /// Print JSON
    #[arg(long, help_heading = "Results")]
    pub json: bool,
}

/// `ops`.
#[derive(Debug, Args)]
pub struct Ops {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Which model.
#[derive(Debug, Args)]
pub struct ModelArgs {
    /// The model: a TorchScript archive or the directory of a SavedModel
    pub model: PathBuf,
    /// A library of further operators that a TorchScript model needs; may be given several times
    #[arg(long = "library", value_name = "FILE", help_heading = "Model")]
    pub libraries: Vec<PathBuf>,
    /// The signature of a SavedModel [default: serving_default]
    #[arg(long, value_name = "NAME", help_heading = "Model")]
    pub signature: Option<String>,
    /// The tags of a SavedModel's graph, all of them [default: serve]
    #[arg(long, value_name = "TAG", value_delimiter = ',', help_heading = "Model")]
    pub tags: Vec<String>,
    /// The library of TensorFlow, its file or directory [default: searched for]
    #[arg(long, value_name = "PATH", help_heading = "Model")]
    pub tensorflow: Option<PathBuf>,
    /// Threads for the operators of a SavedModel; for TorchScript set OMP_NUM_THREADS [default: all]
    #[arg(long, value_name = "N", help_heading = "Model")]
    pub threads: Option<usize>,
}

/// What the model is given.
#[derive(Debug, Args)]
pub struct InputArgs {
    #[arg(short, long = "input", value_name = "[NAME=]FILE", help = INPUT_HELP, num_args = 1.., help_heading = "Inputs")]
    pub inputs: Vec<String>,
    /// Element type of floating inputs from files; `auto` is that of the model's parameters
    #[arg(long, value_enum, default_value_t, help_heading = "Inputs")]
    pub dtype: Dtype,
    #[command(flatten)]
    pub image: ImageArgs,
    #[command(flatten)]
    pub table: TableArgs,
}

/// The element type that floating inputs get.
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
    /// Subtract from pixels in 0..1, one number for all channels or one each: 0.485,0.456,0.406
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true)]
    pub mean: Vec<f32>,
    /// Then divide by, likewise
    #[arg(long, value_delimiter = ',', value_parser = nonzero)]
    pub std: Vec<f32>,
    /// 1 (grey), 3 (RGB) or 4 (RGBA) [default: 1 for a grey image, else 3]
    #[arg(long)]
    pub channels: Option<u8>,
    /// Same as --channels 1
    #[arg(long, conflicts_with = "channels")]
    pub grayscale: bool,
    /// Where the channels stand
    #[arg(long, value_enum, default_value_t)]
    pub layout: Layout,
}

/// The order of an image's axes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    #[default]
    Nchw,
    Nhwc,
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

fn nonzero(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(number) if number != 0.0 => Ok(number),
        Ok(_) => Err("cannot divide by 0".to_owned()),
        Err(e) => Err(format!("{e}")),
    }
}

/// Which part of a table.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Tables")]
pub struct TableArgs {
    /// Rows to use, counted from 0 after the header: 0,3,17 [default: all]
    #[arg(long, value_delimiter = ',', value_name = "N")]
    pub row: Vec<usize>,
    /// Columns to use, by name or number from 0 [default: all]
    #[arg(long, value_delimiter = ',', value_name = "COLUMN", conflicts_with = "drop")]
    pub columns: Vec<String>,
    /// Columns to leave out
    #[arg(long, value_delimiter = ',', value_name = "COLUMN")]
    pub drop: Vec<String>,
}

/// What is explained, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Explanation")]
pub struct RuleArgs {
    /// Which output: its name or number, counted over all tensors of the result
    #[arg(long, value_name = "NAME|INDEX")]
    pub output: Option<String>,
    /// Which unit of the output: argmax, one number for all samples, or all
    #[arg(long, value_name = "argmax|K|all", default_value = "argmax")]
    pub target: TargetArg,
    /// What the output means
    #[arg(long, value_enum, default_value_t)]
    pub task: TaskArg,
    /// With --task segmentation: cells above it are explained
    #[arg(long, default_value_t = 0.5, allow_negative_numbers = true)]
    pub threshold: f64,
    /// A start of your own: an .npy array of the output's shape
    #[arg(long, value_name = "FILE.npy", conflicts_with_all = ["target", "task", "scaler", "from_logits"])]
    pub seed: Option<PathBuf>,
    /// The start of the channel against, with --mode contrastive [default: zeros]
    #[arg(long, value_name = "FILE.npy", requires = "seed")]
    pub negative_seed: Option<PathBuf>,
    /// Start at what this module returns, such as layer1.0.conv1, instead of the output
    #[arg(long, value_name = "MODULE", requires = "seed", conflicts_with = "output")]
    pub seed_at: Option<String>,
    /// One channel of relevance, or one for and one against
    #[arg(long, value_enum, default_value_t)]
    pub mode: ModeArg,
    /// Whether saturated activations block relevance
    #[arg(long, value_name = "on|off", default_value = "on", value_parser = on_off, action = ArgAction::Set)]
    pub gates: bool,
    /// Scale the start to this total
    #[arg(long, value_name = "TOTAL", allow_negative_numbers = true)]
    pub scaler: Option<f64>,
    /// Multiply the start
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, allow_negative_numbers = true)]
    pub multiplier: f64,
    /// The output are logits: take softmax or sigmoid of them for the start
    #[arg(long)]
    pub from_logits: bool,
    /// An integer input that is a quantity to explain, not a token; may be given several times
    #[arg(long, value_name = "NAME")]
    pub numeric_input: Vec<String>,
    /// Let operators without a rule through; what reaches them is lost and the ledger says so
    #[arg(long)]
    pub allow_unruled: bool,
}

fn on_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("give on or off".to_owned()),
    }
}

/// The explained unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetArg {
    Argmax,
    Unit(usize),
    All,
}

impl FromStr for TargetArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "argmax" => Ok(Self::Argmax),
            "all" => Ok(Self::All),
            _ => text
                .parse()
                .map(Self::Unit)
                .map_err(|_| "give argmax, all, or a unit's number from 0".to_owned()),
        }
    }
}

/// What the output means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum TaskArg {
    #[default]
    Classification,
    Bbox,
    Segmentation,
    NextToken,
}

/// One channel or two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ModeArg {
    #[default]
    Default,
    Contrastive,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes() {
        assert_eq!("224x112".parse(), Ok(Size { height: 224, width: Some(112) }));
        assert_eq!("256".parse(), Ok(Size { height: 256, width: None }));
        for nonsense in ["", "x", "0", "12x", "-3", "99999999x9", "1x2x3"] {
            assert!(nonsense.parse::<Size>().is_err(), "{nonsense}");
        }
    }

    #[test]
    fn options_of_explain() -> Result<(), clap::Error> {
        let line = "dlbacktrace explain m.pt --input a.npy sr=16000 -i x=b.npz:k --target 3 --mode contrastive --gates off \
                    --mean 0.5,0.4 --multiplier -2 --task next-token --row 1,2";
        let Command::Explain(explain) = Cli::try_parse_from(line.split_whitespace())?.command else {
            return Err(clap::Error::new(clap::error::ErrorKind::InvalidSubcommand));
        };
        assert_eq!(explain.inputs.inputs, ["a.npy", "sr=16000", "x=b.npz:k"]);
        assert_eq!(explain.rules.target, TargetArg::Unit(3));
        assert_eq!(explain.rules.multiplier, -2.0);
        assert!(!explain.rules.gates);
        assert_eq!(explain.inputs.table.row, [1, 2]);
        Ok(())
    }
}
