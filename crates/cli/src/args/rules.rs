//! The options that say what is explained, and how.

use crate::failure::Failure;
use clap::{ArgAction, Args, ValueEnum};
use dlbacktrace::rules::{BatchNorm, Bounds, RuleSet};
use dlbacktrace::{Coordinate, Samples};
use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// `rules`.
#[derive(Debug, Args)]
pub struct Rules {
    /// Print this set as a file for --rules holds it, instead of the list of all
    #[arg(value_name = "NAME|FILE.toml", value_parser = rule_set)]
    pub set: Option<RuleSet>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The options that say what is explained, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Explanation")]
pub struct RuleArgs {
    /// The output to explain, by name or number, counted over all tensors of the result
    #[arg(long, value_name = "NAME|INDEX")]
    pub output: Option<String>,
    /// The unit to explain: argmax; a unit's number (in a segmentation, a class); coordinates, one for each axis of the
    /// output, such as :,17,4 or 0,-1,argmax (`:` is every index, -1 the last); a name from --labels; or all
    #[arg(
        long,
        value_name = "argmax|K|NAME|I,J,…|all",
        default_value = "argmax",
        allow_hyphen_values = true
    )]
    pub target: TargetArg,
    /// Start at the difference between the target and another unit, by its number or its name from --labels, or all others,
    /// weighted by their softmax: tells the target apart from these. In default mode only
    #[arg(
        long,
        value_name = "K|NAME|others",
        allow_hyphen_values = true,
        conflicts_with_all = ["one_box", "box_class", "start"]
    )]
    pub versus: Option<VersusArg>,
    /// The names of the output's units, separated by commas, or a file with one name a line, a JSON list, or names by
    /// number [default: MODEL.labels.json, labels.json or config.json beside the model]
    #[arg(long, value_name = "NAMES|FILE")]
    pub labels: Option<String>,
    /// The box of a detector, by number: explain its score, in the output that is named as scores or in --output
    #[arg(long = "box", value_name = "N", conflicts_with = "target")]
    pub one_box: Option<usize>,
    /// The box with the highest score among those of this class
    #[arg(long, value_name = "CLASS", conflicts_with_all = ["target", "one_box"])]
    pub box_class: Option<i64>,
    /// The axis of the output that counts samples, or none if the whole output is one sample [default: a second run finds
    /// it where it matters]
    #[arg(long, value_name = "AXIS|none", value_parser = sample_axis)]
    pub sample_axis: Option<Samples>,
    /// With --task segmentation: the axis of the output that counts classes [default: the axis of the picture's channels,
    /// else the first of a sample in TorchScript and the last in SavedModels]
    #[arg(long, value_name = "AXIS")]
    pub class_axis: Option<usize>,
    /// What the output means
    #[arg(long, value_enum, default_value_t)]
    pub task: TaskArg,
    /// With --task segmentation: explain the cells above this value
    #[arg(long, default_value_t = 0.5, allow_negative_numbers = true)]
    pub threshold: f64,
    /// A start of your own: an .npy array of the output's shape
    #[arg(long, value_name = "FILE.npy", conflicts_with_all = ["target", "task", "scaler", "from_logits"])]
    pub start: Option<PathBuf>,
    /// With --mode contrastive: the start of the channel against [default: zeros]
    #[arg(long, value_name = "FILE.npy", requires = "start")]
    pub negative_start: Option<PathBuf>,
    /// Start at what this module returns, such as layer1.0.conv1, instead of the output
    #[arg(long, value_name = "MODULE", requires = "start", conflicts_with = "output")]
    pub start_at: Option<String>,
    /// Carry one channel of relevance (default), or two: one for and one against (contrastive). Then add --from-logits if the
    /// model returns logits, and read the difference, for minus against
    #[arg(long, value_enum, default_value_t)]
    pub mode: ModeArg,
    /// The rules of the walk: a set by its name (`dlbacktrace rules` lists them), or a file in TOML. All but backtrace are signed,
    /// and go with default mode
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "backtrace", value_parser = rule_set)]
    pub rules: RuleSet,
    /// The least and the largest number that the layer of the rule box can read, if the rules leave them open [default: the range of the
    /// pictures, if all inputs are pictures]
    #[arg(long, value_name = "LOW,HIGH", value_parser = bounds, allow_hyphen_values = true)]
    pub bounds: Option<Bounds>,
    /// What becomes of batch norms: they pass relevance, or are folded into the layers beside them, which gives the same as a model in
    /// which they were folded before [default: what the rule set says; backtrace lets them pass]
    #[arg(long, value_name = "pass|fold")]
    pub batch_norm: Option<BatchNorm>,
    /// Whether saturated activations block relevance
    #[arg(long, value_name = "on|off", default_value = "on", value_parser = on_off, action = ArgAction::Set)]
    pub gates: bool,
    /// Scale the start to this total; with --versus, that of the target
    #[arg(long, value_name = "TOTAL", allow_negative_numbers = true)]
    pub scaler: Option<f64>,
    /// Multiply the start by this
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, allow_negative_numbers = true)]
    pub multiplier: f64,
    /// The outputs are logits: take their softmax or sigmoid for the start
    #[arg(long)]
    pub from_logits: bool,
    /// An integer input that holds quantities to explain, not tokens; may be given several times
    #[arg(long, value_name = "NAME")]
    pub numeric_input: Vec<String>,
    /// An input of token types or positions to explain beside the tokens; may be given several times
    #[arg(long, value_name = "NAME")]
    pub token_input: Vec<String>,
    /// An input that is not evidence, such as a mask of floats: it is not explained, and whatever is computed from it alone
    /// is constant; may be given several times
    #[arg(long, value_name = "NAME")]
    pub constant_input: Vec<String>,
    /// Give a token the share of the constants that are added to its embedding, such as its position
    #[arg(long)]
    pub whole_tokens: bool,
    /// Let operators without a rule through; the relevance that reaches them is lost, and the ledger says so
    #[arg(long)]
    pub allow_unruled: bool,
    /// The seed for a model that draws random numbers, as dropout in training mode does
    #[arg(long, value_name = "N")]
    pub random_seed: Option<u64>,
}

impl RuleArgs {
    /// The rule set, with what the command line changes in it.
    pub fn rules(&self) -> RuleSet {
        let mut rules = self.bounds.iter().fold(self.rules.clone(), RuleSet::bounded);
        rules.batch_norm = self.batch_norm.unwrap_or(rules.batch_norm);
        rules
    }

    /// Refuses bounds that no rule takes.
    pub fn check_bounds(&self) -> Result<(), Failure> {
        match self.bounds {
            Some(_) if !self.rules.lacks_bounds() => Err(Failure::Usage(format!(
                "--bounds: no rule of the set {} leaves bounds open; leave it out, or give --rules a set with the rule box, such as \
                 epsilon-gamma-box",
                self.rules.name
            ))),
            _ => Ok(()),
        }
    }
}

/// The rule set of this name, or in this file.
pub(super) fn rule_set(text: &str) -> Result<RuleSet, String> {
    let path = Path::new(text);
    if path.extension().is_none() && !path.exists() {
        return RuleSet::named(text).map_err(|error| format!("{error} (a file in TOML will do too)"));
    }
    let file = fs::read_to_string(path).map_err(|error| {
        format!("cannot read the file {text} ({error}); check the path, or give one of the names that `dlbacktrace rules` lists")
    })?;
    RuleSet::from_toml(&file).map_err(|error| error.to_string())
}

/// The bounds of the rule box, as LOW,HIGH.
fn bounds(text: &str) -> Result<Bounds, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    text.split_once(',')
        .and_then(|(low, high)| Some((number(low)?, number(high)?)))
        .filter(|(low, high)| low < high)
        .map(|(low, high)| Bounds::of_operand(low, high))
        .ok_or_else(|| "give two numbers, the lower first, such as 0,1".to_owned())
}

fn sample_axis(text: &str) -> Result<Samples, String> {
    match text {
        "none" => Ok(Samples::One),
        _ => text
            .parse()
            .map(Samples::Axis)
            .map_err(|_| "give the number of an axis from 0, or none".to_owned()),
    }
}

pub(super) fn on_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("give on or off".to_owned()),
    }
}

/// The explained unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetArg {
    Argmax,
    Unit(usize),
    At(Vec<Coordinate>),
    Name(String),
    All,
}

impl FromStr for TargetArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "argmax" => Ok(Self::Argmax),
            "all" => Ok(Self::All),
            _ => Ok(text
                .parse()
                .map(Self::Unit)
                .or_else(|_| coordinates(text))
                .unwrap_or_else(|_| Self::Name(text.to_owned()))),
        }
    }
}

/// What the explained unit is told apart from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersusArg {
    Others,
    Unit(usize),
    Name(String),
}

impl FromStr for VersusArg {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "others" => Self::Others,
            _ => text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Unit),
        })
    }
}

fn coordinates(text: &str) -> Result<TargetArg, String> {
    text.split(',').map(str::parse).collect::<Result<_, _>>().map(TargetArg::At)
}

/// What the output means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum TaskArg {
    #[default]
    Classification,
    /// Coordinates of a box, or any regression
    #[value(alias = "regression")]
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
