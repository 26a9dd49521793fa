//! What an explanation costs through Rust, to be held beside what it costs through C++ (`cpp/tests/cost.cc`): from the caller's
//! array to the relevance in the caller's hands, as a multiple of what the library's own clock says of the run and the walk
//! within. The median of such pairs, so that other work on the machine does not count.
//!
//!     cargo xtask cpp-test

#[cfg(any(feature = "torch", feature = "tensorflow"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use dlbacktrace::{Inputs, Model, Options};
    use ndarray::ArrayD;
    use std::env;
    use std::time::{Duration, Instant};

    let usage = "usage: cost MODEL EXTENT...";
    let model = Model::load(env::args_os().nth(1).ok_or(usage)?)?;
    let shape = env::args().skip(2).map(|extent| extent.parse()).collect::<Result<Vec<usize>, _>>()?;
    let given = ArrayD::from_shape_fn(shape, |index| (index[0] % 7) as f32 / 7.0);
    let (mut ratios, mut within) = (Vec::new(), Vec::new());
    let begin = Instant::now();
    while ratios.len() < 20 || begin.elapsed() < Duration::from_secs(3) {
        let start = Instant::now();
        let explanation = model.explain(&Inputs::new().push(given.clone()), &Options::new())?;
        let relevance = explanation.inputs()[0].relevance()?;
        let (all, timings) = (start.elapsed(), explanation.timings());
        drop(relevance);
        within.push((timings.forward + timings.relevance).as_secs_f64());
        ratios.push(all.as_secs_f64() / within[within.len() - 1]);
    }
    let median = |numbers: &mut Vec<f64>| {
        numbers.sort_by(f64::total_cmp);
        numbers[numbers.len() / 2]
    };
    println!("Rust: {:.3} of {:.2} ms", median(&mut ratios), 1e3 * median(&mut within));
    Ok(())
}

#[cfg(not(any(feature = "torch", feature = "tensorflow")))]
fn main() {
    eprintln!("the cost needs the feature torch or tensorflow");
}
