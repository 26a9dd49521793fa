//! A Keras SavedModel and a TorchScript archive, explained in one program: where does each look to see a 3?
//!
//!     cargo run --example saved_model

use dlbacktrace::{Explanation, Inputs, Model, Options};
use ndarray::ArrayD;
use std::error::Error;

const SIDE: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let picture = image::open("examples/data/digit_3.png")?.to_luma8();
    let pixels: Vec<f32> = picture.pixels().map(|pixel| f32::from(pixel.0[0]) / 255.0).collect();
    // In pictures, TensorFlow has the channels last, libtorch before the rows.
    let channels_last = ArrayD::from_shape_vec(vec![1, SIDE, SIDE, 1], pixels.clone())?;
    let channels_first = ArrayD::from_shape_vec(vec![1, 1, SIDE, SIDE], pixels)?;

    for (model, input) in
        [("examples/models/digits_keras", channels_last), ("examples/models/digits_cnn.pt", channels_first)]
    {
        let model = Model::load(model)?;
        let explanation = model.explain(&Inputs::new().push(input), &Options::new())?;
        show(&explanation)?;
    }
    Ok(())
}

/// Shows each pixel by its part of the largest relevance.
fn show(explanation: &Explanation) -> Result<(), Box<dyn Error>> {
    let target = explanation.target().ok_or("no class was explained")?;
    println!("\n{} sees a {}", explanation.framework(), target[0]);
    let relevance: Vec<f64> = explanation.inputs()[0].relevance()?.into_iter().collect();
    let largest = relevance.iter().fold(f64::MIN_POSITIVE, |largest, value| largest.max(value.abs()));
    let shade = |value: &f64| match value.abs() / largest {
        part if part > 0.6 => '#',
        part if part > 0.3 => '+',
        part if part > 0.1 => '.',
        _ => ' ',
    };
    for row in relevance.chunks(SIDE) {
        println!("  {}", row.iter().map(shade).collect::<String>());
    }
    Ok(())
}
