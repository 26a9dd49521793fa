//! What the Rust library says of the models that the tests from the C++ side explain (`cpp/tests/cases.hpp` has the same
//! list): each a file of bits, which C++ must meet exactly.
//!
//!     cargo xtask cpp-test

#[cfg(all(feature = "torch", feature = "tensorflow"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::path::PathBuf::from(std::env::args().nth(1).ok_or("usage: reference DIRECTORY")?);
    std::fs::create_dir_all(&directory)?;
    for case in reference::CASES {
        std::fs::write(directory.join(case.name), case.bits()?)?;
    }
    Ok(())
}

#[cfg(not(all(feature = "torch", feature = "tensorflow")))]
fn main() {
    eprintln!("the reference needs the features torch and tensorflow");
}

#[cfg(all(feature = "torch", feature = "tensorflow"))]
mod reference {
    use dlbacktrace::{Inputs, Mode, Model, Options};
    use ndarray::ArrayD;

    pub struct Case {
        pub name: &'static str,
        model: &'static str,
        shapes: &'static [&'static [usize]],
        mode: Mode,
    }

    const fn case(
        name: &'static str,
        model: &'static str,
        shapes: &'static [&'static [usize]],
        mode: Mode,
    ) -> Case {
        Case { name, model, shapes, mode }
    }

    pub const CASES: &[Case] = &[
        case("mlp", "tests/fixtures/networks/mlp_traced.pt", &[&[2, 4]], Mode::Default),
        case("mlp_contrastive", "tests/fixtures/networks/mlp_traced.pt", &[&[2, 4]], Mode::Contrastive),
        case("cnn", "tests/fixtures/networks/cnn_scripted.pt", &[&[2, 1, 8, 8]], Mode::Default),
        case(
            "resnet_contrastive",
            "tests/fixtures/blocks/resnet_basic.pt",
            &[&[2, 3, 8, 8]],
            Mode::Contrastive,
        ),
        case("lstm", "tests/fixtures/recurrent/lstm_one.pt", &[&[5, 2, 3]], Mode::Default),
        case("encoder", "tests/fixtures/attention/encoder_layer.pt", &[&[2, 5, 8]], Mode::Default),
        case("two_inputs", "tests/fixtures/networks/two_inputs.pt", &[&[2, 3], &[2, 2]], Mode::Default),
        case("stateful", "tests/fixtures/control/stateful.pt", &[&[2, 4]], Mode::Default),
        case("digits", "examples/models/digits_cnn.pt", &[&[3, 1, 8, 8]], Mode::Default),
        case("keras_mlp", "tests/savedmodels/networks/mlp_export", &[&[4, 8]], Mode::Default),
        case("keras_cnn", "tests/savedmodels/networks/cnn_export", &[&[2, 12, 12, 2]], Mode::Contrastive),
    ];

    impl Case {
        /// All channels of all inputs, then the prediction: each its length and its elements.
        pub fn bits(&self) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
            let mut inputs = Inputs::new();
            for shape in self.shapes {
                inputs = inputs.push(samples(shape)?);
            }
            let options = Options::new().mode(self.mode).all_values(true);
            let explanation = Model::load(self.model)?.explain(&inputs, &options)?;
            let mut bits = Vec::new();
            for input in explanation.inputs() {
                add(&mut bits, input.relevance()?.iter().map(|x| (*x as f32).to_ne_bytes().to_vec()));
                add(
                    &mut bits,
                    input.negative()?.iter().flatten().map(|x| (*x as f32).to_ne_bytes().to_vec()),
                );
            }
            for value in explanation.values() {
                add(&mut bits, value.relevance()?.iter().map(|x| (*x as f32).to_ne_bytes().to_vec()));
            }
            add(&mut bits, explanation.output().iter().map(|x| x.to_ne_bytes().to_vec()));
            Ok(bits)
        }
    }

    fn samples(shape: &[usize]) -> Result<ArrayD<f32>, ndarray::ShapeError> {
        ArrayD::from_shape_vec(shape.to_vec(), (0..shape.iter().product()).map(sample).collect())
    }

    /// Any number will do that both languages compute alike.
    fn sample(index: usize) -> f32 {
        ((index * 37 + 11) % 101) as f32 / 50.0 - 1.0
    }

    fn add(bits: &mut Vec<u8>, elements: impl Iterator<Item = Vec<u8>>) {
        let elements: Vec<Vec<u8>> = elements.collect();
        bits.extend((elements.len() as u64).to_ne_bytes());
        bits.extend(elements.into_iter().flatten());
    }
}
