//! Which unit inside a network mattered most, and what did it look at? A layer is named by its module path.
//!
//!     cargo run --example inner_unit [MODULE]

use dlbacktrace::{Inputs, Model, Options};
use ndarray::{ArrayD, Axis};
use std::error::Error;
use std::fs::File;

fn main() -> Result<(), Box<dyn Error>> {
    let module = std::env::args().nth(1).unwrap_or_else(|| "conv2".into());
    let model = Model::load("examples/models/digits_cnn.pt")?;
    let images: ArrayD<f32> =
        ndarray_npy::NpzReader::new(File::open("examples/data/digits_test.npz")?)?.by_name("image")?;
    let image = images.select(Axis(0), &[0]);
    let inputs = Inputs::new().push(image.clone());

    // First explain the decision, with the relevance of every value on the way. The walk goes from the last step to
    // the first, so the first value of a module is what the module returned.
    let decision = model.explain(&inputs, &Options::new().all_values(true))?;
    let Some(layer) = decision.values().iter().find(|value| value.module == module) else {
        let modules = model.inspect()?.modules;
        let paths: Vec<&str> = modules.iter().map(|module| module.path.as_str()).collect();
        return Err(
            format!("nothing of {module} took part; the modules are {}", paths[1..].join(", ")).into()
        );
    };
    let relevance = layer.relevance()?;
    let channels: Vec<f64> = relevance.axis_iter(Axis(1)).map(|channel| channel.sum()).collect();
    let Some((best, share)) = channels.iter().copied().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b))
    else {
        return Err(format!("{module} has no channels").into());
    };
    println!("the network sees {:?}; {module} made {:?}", decision.target(), relevance.shape());
    println!("most of it went through channel {best}: {share:.3} of {:.3}\n", relevance.sum());

    // Then explain that channel alone: the start is 0 elsewhere. Any start of the right shape will do, such as
    // a 1 at a single unit.
    let mut start = ArrayD::<f64>::zeros(relevance.raw_dim());
    start.index_axis_mut(Axis(1), best).assign(&relevance.index_axis(Axis(1), best));
    let unit = model.explain(&inputs, &Options::new().start_at(&module, start))?;

    println!("what the channel was made from, in thousandths (brightness in brackets):");
    let pixels = unit.inputs()[0].relevance()?;
    for (relevance, brightness) in pixels.rows().into_iter().zip(image.rows()) {
        let cell =
            |(relevance, brightness): (&f64, &f32)| format!("{:>4.0} ({brightness:.1})", relevance * 1000.0);
        println!("{}", relevance.iter().zip(brightness).map(cell).collect::<Vec<_>>().join(" "));
    }
    println!("\n{:.3} at the channel, {:.3} at the pixels", unit.start_amount().positive, pixels.sum());
    Ok(())
}
