//! Which model; `inspect`, which needs no more, and `ops`, which needs none.

use clap::Args;
use std::path::PathBuf;

/// Which model.
#[derive(Debug, Args)]
pub struct ModelArgs {
    /// The model: a TorchScript archive or the directory of a SavedModel (or of its numbered versions; the newest is taken)
    pub model: PathBuf,
    /// A library of further operators that a TorchScript model needs; may be given several times
    #[arg(long = "library", value_name = "FILE", help_heading = "Model")]
    pub libraries: Vec<PathBuf>,
    /// The signature of a SavedModel [default: serving_default]
    #[arg(long, value_name = "NAME", help_heading = "Model")]
    pub signature: Option<String>,
    /// The tags of a SavedModel's graph, all of them; an empty one for a graph without tags [default: serve]
    #[arg(long, value_name = "TAG", value_delimiter = ',', help_heading = "Model")]
    pub tags: Vec<String>,
    /// The library of TensorFlow, its file or directory [default: searched for]
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
