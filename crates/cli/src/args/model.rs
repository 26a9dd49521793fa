//! The options that name the model; `inspect`, which needs only these, and `ops`, which needs none.

use super::rules::rule_set;
use clap::Args;
use dlbacktrace::rules::RuleSet;
use std::path::PathBuf;

/// The options that name the model.
#[derive(Debug, Args)]
pub struct ModelArgs {
    /// The model: a TorchScript archive, the directory of a SavedModel, or a directory of numbered versions (the newest is taken)
    pub model: PathBuf,
    /// A library of custom operators that a TorchScript model needs; may be given several times
    #[arg(long = "library", value_name = "FILE", help_heading = "Model")]
    pub libraries: Vec<PathBuf>,
    /// The signature of a SavedModel [default: serving_default]
    #[arg(long, value_name = "NAME", help_heading = "Model")]
    pub signature: Option<String>,
    /// All tags of the SavedModel's graph; give an empty tag for a graph without tags [default: serve]
    #[arg(long, value_name = "TAG", value_delimiter = ',', help_heading = "Model")]
    pub tags: Vec<String>,
    /// The library of TensorFlow: its file or directory [default: search for it]
    #[arg(long, value_name = "PATH", help_heading = "Model")]
    pub tensorflow: Option<PathBuf>,
    /// Threads for the operators of a SavedModel; for TorchScript set OMP_NUM_THREADS [default: all]
    #[arg(long, value_name = "N", help_heading = "Model")]
    pub threads: Option<usize>,
}

/// `inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Show which rules of this set the operators take, as far as that is known without a run; exit with 4 if it has none for one
    #[arg(long, value_name = "NAME|FILE.toml", value_parser = rule_set)]
    pub rules: Option<RuleSet>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `ops`.
#[derive(Debug, Args)]
pub struct Ops {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
