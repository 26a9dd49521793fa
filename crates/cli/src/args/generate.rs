//! `generate`.

use super::ModelArgs;
use super::rules::{on_off, rule_set};
use clap::{ArgAction, ArgGroup, Args};
use dlbacktrace::rules::RuleSet;
use std::path::PathBuf;
use std::str::FromStr;

/// `generate`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("given").required(true))]
pub struct Generate {
    #[command(flatten)]
    pub model: ModelArgs,
    /// The model's tokenizer, a tokenizer.json
    #[arg(long, value_name = "FILE", help_heading = "Text")]
    pub tokenizer: PathBuf,
    /// The text to continue
    #[arg(long, value_name = "TEXT", group = "given", allow_hyphen_values = true, help_heading = "Text")]
    pub prompt: Option<String>,
    /// A file with the text to continue
    #[arg(long, value_name = "FILE", group = "given", help_heading = "Text")]
    pub prompt_file: Option<PathBuf>,
    /// Add no special tokens to the text
    #[arg(long, help_heading = "Text")]
    pub no_special_tokens: bool,
    /// The output that holds the scores, by name or number [default: the first with floating-point numbers for each token]
    #[arg(long, value_name = "NAME|INDEX", help_heading = "Model")]
    pub output: Option<String>,
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// Which generated tokens to explain: all, none, first:N, or steps:1,5,9, counted from 1
    #[arg(long, value_name = "WHICH", default_value = "all", help_heading = "Explanation")]
    pub explain: Which,
    /// The rules of the walk: a set by its name (`dlbacktrace rules` lists them), or a file in TOML. All but backtrace are signed
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "backtrace", value_parser = rule_set, help_heading = "Explanation")]
    pub rules: RuleSet,
    /// Start at the difference between each generated token and another one, by its name or number, or all others, weighted by their
    /// softmax: why this token and not that one
    #[arg(long, value_name = "TOKEN|ID|others", allow_hyphen_values = true, help_heading = "Explanation")]
    pub versus: Option<String>,
    /// Whether saturated activations block relevance
    #[arg(long, value_name = "on|off", default_value = "on", value_parser = on_off, action = ArgAction::Set, help_heading = "Explanation")]
    pub gates: bool,
    /// Give a token the share of the constants that are added to its embedding, such as its position
    #[arg(long, help_heading = "Explanation")]
    pub whole_tokens: bool,
    /// Let operators without a rule through; the relevance that reaches them is lost, and the ledger says so
    #[arg(long, help_heading = "Explanation")]
    pub allow_unruled: bool,
    /// Directory for generation.json, relevance.npz, the page and the picture
    #[arg(long, value_name = "DIR", default_value = "dlbacktrace-out", help_heading = "Results")]
    pub out: PathBuf,
    /// Print the content of generation.json, and nothing else
    #[arg(long, help_heading = "Results")]
    pub json: bool,
    /// Print nothing
    #[arg(short, long, help_heading = "Results")]
    pub quiet: bool,
}

/// How tokens are chosen.
#[derive(Debug, Args)]
#[command(next_help_heading = "Choice of tokens (by default the most probable one)")]
pub struct ChoiceArgs {
    /// The largest number of tokens to generate
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_new_tokens: u32,
    /// The number of tokens to generate before the text may end
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub min_new_tokens: u32,
    /// A token that ends the text, by name or number; may be given several times [default: what the files beside the
    /// model and the tokenizer say]
    #[arg(long, value_name = "TOKEN|ID")]
    pub stop: Vec<String>,
    /// Draw tokens at random, from scores divided by T
    #[arg(long, value_name = "T", value_parser = positive)]
    pub temperature: Option<f64>,
    /// Draw from the K most probable tokens
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    pub top_k: Option<u32>,
    /// Draw from the most probable tokens that together have this probability
    #[arg(long, value_name = "P", value_parser = share)]
    pub top_p: Option<f64>,
    /// The seed of the random draws: the same number gives the same text
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Follow the N most probable texts (beam search)
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64), conflicts_with_all = ["temperature", "top_k", "top_p"])]
    pub beams: u32,
    /// With --beams: compare texts by log-probability / length^X; an X above 0 favours long texts
    #[arg(long, value_name = "X", default_value_t = 1.0, allow_negative_numbers = true, value_parser = finite)]
    pub length_penalty: f64,
    /// Make tokens that already occur less probable: divide their positive scores by X, multiply their negative ones by X
    #[arg(long, value_name = "X", default_value_t = 1.0, value_parser = positive)]
    pub repetition_penalty: f64,
    /// Never repeat a sequence of N tokens
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub no_repeat_ngram: Option<u32>,
}

/// Which steps are explained, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    All,
    None,
    First(usize),
    Steps(Vec<usize>),
}

impl Which {
    /// The chosen ones of `count` steps.
    pub fn of(&self, count: usize) -> Vec<usize> {
        match self {
            Self::All => (1..=count).collect(),
            Self::None => Vec::new(),
            Self::First(first) => (1..=count.min(*first)).collect(),
            Self::Steps(steps) => (1..=count).filter(|step| steps.contains(step)).collect(),
        }
    }
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let step = |text: &str| text.parse().ok().filter(|step| *step > 0);
        let which = match text.split_once(':') {
            None if text == "all" => Some(Self::All),
            None if text == "none" => Some(Self::None),
            Some(("first", count)) => step(count).map(Self::First),
            Some(("steps", steps)) => steps.split(',').map(step).collect::<Option<_>>().map(Self::Steps),
            _ => None,
        };
        which.ok_or_else(|| "give all, none, first:N or steps:1,5,9".to_owned())
    }
}

fn number(text: &str, fits: impl Fn(f64) -> bool, wanted: &str) -> Result<f64, String> {
    text.parse().ok().filter(|number| fits(*number)).ok_or_else(|| format!("give {wanted}"))
}

fn positive(text: &str) -> Result<f64, String> {
    number(text, |x| x > 0.0 && x.is_finite(), "a number above 0")
}

fn share(text: &str) -> Result<f64, String> {
    number(text, |x| x > 0.0 && x <= 1.0, "a number above 0 and at most 1")
}

fn finite(text: &str) -> Result<f64, String> {
    number(text, f64::is_finite, "a number")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_chosen() -> Result<(), String> {
        let of = |text: &str| Ok::<_, String>(text.parse::<Which>()?.of(4));
        assert_eq!(of("all")?, [1, 2, 3, 4]);
        assert_eq!(of("none")?, Vec::<usize>::new());
        assert_eq!(of("first:2")?, [1, 2]);
        assert_eq!(of("first:9")?, [1, 2, 3, 4]);
        assert_eq!(of("steps:3,1,9")?, [1, 3]);
        for nonsense in ["", "first", "first:0", "steps:", "steps:0", "steps:1,x", "last:1"] {
            assert!(nonsense.parse::<Which>().is_err(), "{nonsense}");
        }
        Ok(())
    }
}
