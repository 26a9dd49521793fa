//! Runs the program as a user does.

use crate::fixtures::{Fixtures, SAVED_MODELS, TORCHSCRIPT, checkout};
use serde_json::Value;
use std::env;
use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

pub type Outcome = Result<(), Box<dyn Error>>;

/// The program, to be run in the root of the checkout.
pub fn program() -> Command {
    let path = env::var_os("CARGO_BIN_EXE_dlbacktrace").expect("cargo test tells where the program is");
    let mut command = Command::new(path);
    command.current_dir(checkout()).env_remove("RUST_BACKTRACE");
    command
}

/// The result of a run.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Runs the program with these arguments.
pub fn run(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<Run, Box<dyn Error>> {
    let Output { status, stdout, stderr } = program().args(arguments).output()?;
    Ok(Run { code: status.code(), out: String::from_utf8(stdout)?, err: String::from_utf8(stderr)? })
}

impl Run {
    /// Fails unless the run succeeded and said nothing on standard error.
    pub fn succeeded(self) -> Result<Self, Box<dyn Error>> {
        if self.code == Some(0) && self.err.is_empty() { Ok(self) } else { Err(format!("{self:?}").into()) }
    }

    /// Fails unless the run ended with this code, a few lines on standard error and nothing on standard output.
    pub fn failed(self, code: i32) -> Result<String, Box<dyn Error>> {
        let short = self.err.starts_with("error: ") && self.err.trim_end().lines().count() < 6;
        let panicked = self.err.contains("panicked") || self.err.contains("defect");
        if self.code == Some(code) && self.out.is_empty() && short && !panicked {
            Ok(self.err)
        } else {
            Err(format!("not code {code} with a few lines: {self:?}").into())
        }
    }
}

/// The document that `explain` wrote.
pub fn document(out: &Path) -> Result<Value, Box<dyn Error>> {
    Ok(serde_json::from_slice(&fs::read(out.join("explanation.json"))?)?)
}

/// The names of the files in a directory.
pub fn listing(directory: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// A file of a TorchScript fixture, as an argument.
pub fn torchscript(file: &str) -> &'static str {
    argument(TORCHSCRIPT, file)
}

/// A SavedModel or its tensors, as an argument.
pub fn saved_model(file: &str) -> &'static str {
    argument(SAVED_MODELS, file)
}

/// Leaked, because lines of arguments are lists of borrowed text.
fn argument(form: Fixtures, file: &str) -> &'static str {
    form.path(file).into_os_string().into_string().unwrap().leak()
}

pub const DIGITS: &str = "examples/models/digits_cnn.pt";
pub const DIGIT: &str = "examples/data/digit_3.png";
pub const CANCER: &str = "examples/models/breast_cancer_mlp.pt";
pub const CELLS: &str = "examples/data/breast_cancer.csv";
