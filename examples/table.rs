//! Which measurements speak for a diagnosis, and which against? One row of a table, in both modes.
//!
//!     cargo run --example table [ROW]

use dlbacktrace::{Inputs, Mode, Model, Options};
use ndarray::ArrayD;
use std::error::Error;

const CLASSES: [&str; 2] = ["malignant", "benign"];

fn main() -> Result<(), Box<dyn Error>> {
    // Row 25 is a close call.
    let row: usize = std::env::args().nth(1).map_or(Ok(25), |row| row.parse())?;
    let mut table = csv::Reader::from_path("examples/data/breast_cancer.csv")?;
    let names = table.headers()?.clone();
    let record = table.records().nth(row).ok_or(format!("the table has no row {row}"))??;
    let values: Vec<f32> = record.iter().map(str::parse).collect::<Result<_, _>>()?;
    let features = ArrayD::from_shape_vec(vec![1, values.len()], values.clone())?;

    let model = Model::load("examples/models/breast_cancer_mlp.pt")?;
    let inputs = Inputs::new().push(features);

    // Default mode: one number for each feature, how much of the score came through it.
    let default = model.explain(&inputs, &Options::new())?;
    let class =
        default.target().and_then(|targets| targets.first().copied()).ok_or("no class was explained")?;
    println!(
        "row {row} is {} with a score of {:.2}",
        CLASSES[class],
        default.output()[[0, class].as_slice()]
    );
    top("what the score came through", &names, &values, default.inputs()[0].relevance()?);

    // Contrastive mode: two numbers for each feature, for and against the class; their difference tells classes apart.
    let contrastive = model.explain(&inputs, &Options::new().mode(Mode::Contrastive).from_logits(true))?;
    let difference = contrastive.inputs()[0].difference()?;
    top(&format!("for (+) and against (−) {}", CLASSES[class]), &names, &values, difference);
    Ok(())
}

/// Prints the five features with the largest relevance.
fn top(title: &str, names: &csv::StringRecord, values: &[f32], relevance: ArrayD<f64>) {
    let mut ranked: Vec<_> = names.iter().zip(values).zip(relevance).collect();
    ranked.sort_by(|(_, a), (_, b)| b.abs().total_cmp(&a.abs()));
    println!("\n{title}");
    for ((name, value), relevance) in ranked.into_iter().take(5) {
        println!("  {relevance:>+9.4}  {name} = {value}");
    }
}
