//! Which pixels make a network see a 3? A picture explained pixel by pixel.
//!
//!     cargo run --example image [PICTURE.png]

use dlbacktrace::{Inputs, Model, Options};
use ndarray::{Array2, ArrayD, Axis, Ix2, ShapeError};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "examples/data/digit_3.png".into());

    // The network takes [N, 1, 8, 8] with brightness from 0 to 1.
    let picture = image::open(&path)?.into_luma8();
    let (width, height) = picture.dimensions();
    let pixels = picture.iter().map(|&grey| f32::from(grey) / 255.0).collect();
    let picture = ArrayD::from_shape_vec(vec![1, 1, height as usize, width as usize], pixels)?;

    let model = Model::load("examples/models/digits_cnn.pt")?;
    let explanation = model.explain(&Inputs::new().push(picture.clone()), &Options::new())?;

    // One target for each sample of the batch; here there is one sample.
    let digit =
        explanation.target().and_then(|targets| targets.first().copied()).ok_or("no digit was explained")?;
    println!(
        "{path}: the network sees a {digit}, with a score of {:.2}\n",
        explanation.output()[[0, digit].as_slice()]
    );

    // Relevance has the shape of the input: how much of the score came through each pixel.
    let relevance = explanation.inputs()[0].relevance()?;
    println!("{:<20}{:<20}", "the picture", "what it was seen by");
    for (seen, counted) in rows(&plane(&picture)?.mapv(f64::from)).iter().zip(rows(&plane(&relevance)?)) {
        println!("{seen:<20}{counted:<20}");
    }

    // What did not arrive at the pixels stayed with biases and the like; the ledger says where.
    println!(
        "\nof {:.3} at the output, {:.3} arrived at the pixels",
        explanation.start_amount().positive,
        relevance.sum()
    );
    for (reason, amount) in explanation.ledger().losses() {
        println!("{:>8.3} went to {reason:?}", amount.positive);
    }
    Ok(())
}

/// The only channel of the only sample.
fn plane<T: Clone>(image: &ArrayD<T>) -> Result<Array2<T>, ShapeError> {
    image.index_axis(Axis(0), 0).index_axis(Axis(0), 0).to_owned().into_dimensionality::<Ix2>()
}

/// Shades from nothing to the largest value. A pixel is two characters, so it is about square.
fn rows(plane: &Array2<f64>) -> Vec<String> {
    let largest = plane.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let shade =
        |value: &f64| [" ", "░", "▒", "▓", "█"][(value.max(0.0) / largest * 4.0).round() as usize].repeat(2);
    plane.outer_iter().map(|row| row.iter().map(shade).collect()).collect()
}
