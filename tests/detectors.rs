//! Detectors of torchvision, explained for one box. They need torchvision's library, and models that a script makes:
//!
//!     python python_shims/make_detectors.py target/detectors
//!     DLBACKTRACE_TORCHVISION=…/torchvision/_C.so cargo test --test detectors -- --ignored

use dlbacktrace::{Inputs, LoadOptions, Mode, Model, Options, Output, Target, Value};
use ndarray::{ArrayD, IxDyn};
use std::path::PathBuf;

/// A picture with something in it everywhere.
fn picture() -> ArrayD<f32> {
    ArrayD::from_shape_fn(IxDyn(&[3, 240, 200]), |at| {
        let (channel, row, column) = (at[0] as f32, at[1] as f32, at[2] as f32);
        0.5 + 0.4 * (row / (9.0 + channel)).sin() * (column / (13.0 - channel)).cos()
    })
}

#[test]
#[ignore = "DLBACKTRACE_TORCHVISION must name torchvision's library, and target/detectors hold what make_detectors.py makes"]
fn a_box_and_its_class_are_explained() {
    let library =
        PathBuf::from(std::env::var_os("DLBACKTRACE_TORCHVISION").expect("DLBACKTRACE_TORCHVISION"));
    let options = LoadOptions { libraries: vec![library], ..LoadOptions::default() };
    let inputs = || Inputs::new().set("images", Value::List(vec![Value::F32(picture())]));
    for name in ["ssdlite", "faster_rcnn", "retinanet"] {
        let path = format!("{}/target/detectors/{name}.pt", env!("CARGO_MANIFEST_DIR"));
        let model = Model::load_with(path, &options).unwrap();
        for mode in [Mode::Default, Mode::Contrastive] {
            for (output, target) in [("scores", Target::Box(1)), ("boxes", Target::Class(6))] {
                let options = Options::new().mode(mode).output(Output::Name(output.into())).target(target);
                let explanation = model.explain(&inputs(), &options).unwrap();
                let relevance = explanation.inputs()[0].relevance().unwrap();
                assert!(explanation.ledger().closes(), "{name}, {output}: {:?}", explanation.warnings());
                assert_eq!(explanation.coverage(), 1.0, "{name}: {:?}", explanation.operators());
                assert_eq!(relevance.shape(), [3, 240, 200]);
                assert!(relevance.iter().all(|value| value.is_finite()), "{name}, {output}");
                assert!(relevance.iter().any(|&value| value != 0.0), "{name}, {output}");
            }
        }
    }
}
