//! One network with the same weights in both frameworks: relevance is the same.
#![cfg(all(feature = "torch", feature = "tensorflow"))]

use dlbacktrace::{Explanation, Inputs, Mode, Model, Options, Value};
use ndarray::ArrayD;
use serde::Deserialize;
use std::fs;
use tch::{Kind, Tensor};

const FOLDER: &str = "tests/twins";

#[derive(Deserialize)]
struct Index {
    twins: Vec<Twin>,
}

#[derive(Deserialize)]
struct Twin {
    name: String,
    /// The input's name in the signature.
    input: String,
    /// The order that makes TensorFlow's axes libtorch's; absent if they are the same.
    axes: Option<Vec<usize>>,
}

impl Twin {
    fn stored(&self, key: &str) -> Tensor {
        let file = format!("{FOLDER}/{}/inputs.safetensors", self.name);
        let tensors = Tensor::read_safetensors(file).unwrap();
        tensors.into_iter().find(|(name, _)| name == key).unwrap_or_else(|| panic!("no {key}")).1
    }

    fn explained(&self, torch: bool, mode: Mode) -> Explanation {
        let (file, key) =
            if torch { ("model.pt", "torch:input") } else { ("saved_model", "tensorflow:input") };
        let model = Model::load(format!("{FOLDER}/{}/{file}", self.name)).unwrap();
        let input = value(&self.stored(key));
        let inputs = if torch { Inputs::new().push(input) } else { Inputs::new().set(&self.input, input) };
        model.explain(&inputs, &Options::new().mode(mode)).unwrap()
    }

    /// An array of TensorFlow in libtorch's order of axes.
    fn turned(&self, array: ArrayD<f64>) -> ArrayD<f64> {
        match &self.axes {
            Some(axes) if axes.len() == array.ndim() => array.permuted_axes(axes.clone()),
            _ => array,
        }
    }
}

fn value(tensor: &Tensor) -> Value {
    let shape: Vec<usize> = tensor.size().into_iter().map(|extent| extent as usize).collect();
    let flat = tensor.flatten(0, -1);
    if tensor.kind() == Kind::Float {
        let numbers: Vec<f32> = flat.try_into().unwrap();
        ArrayD::from_shape_vec(shape, numbers).unwrap().into()
    } else {
        let tokens: Vec<i64> = flat.to_kind(Kind::Int64).try_into().unwrap();
        ArrayD::from_shape_vec(shape, tokens).unwrap().into()
    }
}

fn gap(a: &ArrayD<f64>, b: &ArrayD<f64>) -> f64 {
    assert_eq!(a.shape(), b.shape());
    let scale = a.iter().fold(1e-6_f64, |scale, value| scale.max(value.abs()));
    (a - b).iter().fold(0.0_f64, |gap, value| gap.max(value.abs())) / scale
}

#[test]
fn twins_agree() {
    let index: Index =
        serde_json::from_str(&fs::read_to_string(format!("{FOLDER}/index.json")).unwrap()).unwrap();
    assert!(index.twins.len() >= 5);
    for twin in &index.twins {
        for mode in [Mode::Default, Mode::Contrastive] {
            let (torch, tensorflow) = (twin.explained(true, mode), twin.explained(false, mode));
            for explanation in [&torch, &tensorflow] {
                assert_eq!(explanation.coverage(), 1.0, "{}", twin.name);
                assert!(explanation.ledger().closes(), "{}", twin.name);
            }
            let (a, b) = (&torch.inputs()[0], &tensorflow.inputs()[0]);
            let found = gap(&a.relevance().unwrap(), &twin.turned(b.relevance().unwrap()));
            assert!(found <= 1e-4, "{} differs by {found:e} in {mode:?} mode", twin.name);
            if let (Some(a), Some(b)) = (a.negative().unwrap(), b.negative().unwrap()) {
                let found = gap(&a, &twin.turned(b));
                assert!(found <= 1e-4, "{} differs by {found:e} in the negative channel", twin.name);
            }
        }
    }
}
