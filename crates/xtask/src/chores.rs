//! The chores after set-up, each a few calls of cargo.

use crate::cargo::{cargo, checkout, finish};
use anyhow::Result;

/// Model, input and name of the explanations that the demo shows.
const DEMO: [(&str, &str, &str); 4] = [
    ("examples/models/digits_cnn.pt", "examples/data/digit_3.png", "digit"),
    ("examples/models/breast_cancer_mlp.pt", "examples/data/breast_cancer.csv", "breast_cancer"),
    ("examples/models/digits_keras", "examples/data/digit_3.png", "digit_keras"),
    ("examples/models/breast_cancer_keras", "examples/data/breast_cancer.csv", "breast_cancer_keras"),
];

/// Explains the bundled models; results under `target/demo`.
pub fn demo() -> Result<()> {
    for (model, input, name) in DEMO {
        let out = format!("target/demo/{name}");
        println!("{model}");
        // SavedModels have the channels of pictures last.
        let layout = if name.ends_with("keras") { "nhwc" } else { "nchw" };
        let explain = ["explain", model, "--input", input, "--layout", layout, "--out", &out];
        finish(cargo(&["run", "--quiet", "--package", "dlbacktrace-cli", "--"]).args(explain))?;
    }
    Ok(())
}

/// `cargo test` of the whole workspace.
pub fn test(arguments: &[String]) -> Result<()> {
    finish(cargo(&["test", "--workspace"]).args(arguments))
}

/// The benchmark, optimised.
pub fn bench(arguments: &[String]) -> Result<()> {
    finish(cargo(&["run", "--release", "--example", "bench", "--"]).args(arguments))
}

/// Formatting, clippy and documentation, each without a warning.
pub fn lint() -> Result<()> {
    finish(&mut cargo(&["fmt", "--all", "--check"]))?;
    finish(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    finish(cargo(&["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings"))?;
    eprintln!("{} is formatted, free of lints and documented.", checkout().display());
    Ok(())
}
