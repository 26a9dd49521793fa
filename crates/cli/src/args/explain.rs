//! `explain` and `verify`: the model, its inputs, and the explanation wanted.

use super::{InputArgs, ModelArgs, RuleArgs};
use clap::Args;
use std::path::PathBuf;

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
    /// Also report the relevance that passed through each module and each attention head
    #[arg(long, help_heading = "Results")]
    pub modules: bool,
    /// Directory for relevance.npz, explanation.json and the pictures [default: dlbacktrace-out; with --json: none]
    #[arg(long, value_name = "DIR", help_heading = "Results")]
    pub out: Option<PathBuf>,
    /// Print the content of explanation.json, and nothing else
    #[arg(long, help_heading = "Results")]
    pub json: bool,
    /// Print no summary
    #[arg(short, long, help_heading = "Results")]
    pub quiet: bool,
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
