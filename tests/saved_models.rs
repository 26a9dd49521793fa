//! SavedModels through the public interface.
#![cfg(feature = "tensorflow")]

use dlbacktrace::{Inputs, Model, Options, Value};
use testkit::fixtures::{SAVED_MODELS, TORCHSCRIPT};

fn model(name: &str) -> Model {
    Model::load(SAVED_MODELS.path(name)).unwrap()
}

#[test]
fn bytes_are_the_elements_of_texts() {
    let model = model("text_export");
    let found = |value: Value| {
        let explanation = model.explain(&Inputs::new().set("text", value), &Options::new()).unwrap();
        explanation.inputs()[0].relevance().unwrap()
    };
    let text = || Value::Text("The dog sat!".into());
    let bytes = || Value::Bytes(b"The dog sat!".to_vec());
    let single = found(text());
    assert!(single.sum() != 0.0);
    assert_eq!(single, found(bytes()));
    assert_eq!(single, found(Value::List(vec![Value::List(vec![bytes()])])));
}

#[cfg(feature = "torch")]
#[test]
fn torchscript_takes_no_bytes() {
    let model = Model::load(TORCHSCRIPT.path("mlp_traced.pt")).unwrap();
    let error = model.explain(&Inputs::new().push(vec![1_u8]), &Options::new()).unwrap_err();
    assert_eq!(error.exit_code(), 5);
    assert!(error.to_string().contains("not take the bytes of a file"), "{error}");
}
