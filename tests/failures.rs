//! What does not fit is refused by name, with the exit code of its kind, and never by a panic.

use dlbacktrace::core::Gate;
use dlbacktrace::{Error, Inputs, Mode, Model, Options, Output, Target, Task, Value};
use ndarray::ArrayD;
use std::fs;
use testkit::fixtures::TORCHSCRIPT;
use testkit_torch::fixtures::fixture;

fn model(name: &str) -> Model {
    Model::load(fixture(name).path()).unwrap()
}

fn zeros(shape: &[usize]) -> ArrayD<f32> {
    ArrayD::zeros(shape)
}

/// The error must name what it is about.
#[track_caller]
fn refused(outcome: Result<dlbacktrace::Explanation, Error>, code: i32, names: &str) {
    let error = outcome.expect_err("it does not fit");
    let text = error.to_string();
    assert_eq!(error.exit_code(), code, "{text}");
    assert!(text.contains(names), "{text:?} does not say {names:?}");
    assert!(text.len() < 1000, "too long to read: {text}");
}

#[test]
fn inputs_that_do_not_fit() {
    let mlp = model("mlp_traced");
    let plain = Options::new();
    let given = |inputs: Inputs, names: &str| refused(mlp.explain(&inputs, &plain), 5, names);
    given(Inputs::new(), "x");
    given(Inputs::new().push(zeros(&[2, 4])).push(zeros(&[2, 4])), "");
    given(Inputs::new().set("y", zeros(&[2, 4])), "y");
    given(Inputs::new().push(zeros(&[2, 4])).set("x", zeros(&[2, 4])), "x");
    given(Inputs::new().push(zeros(&[2, 5])), "");
    given(Inputs::new().push(zeros(&[0])), "");
    given(Inputs::new().push(zeros(&[])), "");
    given(Inputs::new().push("text".to_owned()), "x");
    given(Inputs::new().push(1.5), "x");
    given(Inputs::new().push(Value::Nothing), "x");
    given(Inputs::new().push(Value::List(vec![])), "x");
    given(Inputs::new().push(Value::Dict(vec![("x".into(), zeros(&[2, 4]).into())])), "x");
}

#[test]
fn element_types_that_do_not_fit() {
    let wrong: [Value; 4] = [
        ArrayD::<i64>::zeros(vec![2, 4]).into(),
        ArrayD::<bool>::default(vec![2, 4]).into(),
        ArrayD::<f64>::zeros(vec![2, 4]).into(),
        ArrayD::<half::f16>::default(vec![2, 4]).into(),
    ];
    for value in wrong {
        refused(model("mlp_scripted").explain(&Inputs::new().push(value), &Options::new()), 5, "");
    }
    let floats_as_tokens = Inputs::new().push(zeros(&[2, 6]));
    refused(model("embedding").explain(&floats_as_tokens, &Options::new()), 5, "");
    let tokens_beyond_the_table = Inputs::new().push(ArrayD::<i64>::from_elem(vec![1, 6], 99));
    refused(model("embedding").explain(&tokens_beyond_the_table, &Options::new()), 5, "");
}

#[test]
fn structures_that_do_not_fit() {
    for name in
        ["input_dict", "input_tuple", "input_list", "input_nested", "input_namedtuple", "input_scalars"]
    {
        let model = model(name);
        for inputs in [
            Inputs::new(),
            Inputs::new().push(zeros(&[2, 4])),
            Inputs::new().push(Value::Dict(vec![])),
            Inputs::new().push(Value::Tuple(vec![])),
            Inputs::new().push(Value::Tuple(vec![Value::Nothing, Value::Flag(true)])),
            Inputs::new().push(Value::List(vec![Value::Integer(1)])),
        ] {
            refused(model.explain(&inputs, &Options::new()), 5, "");
        }
    }
}

#[test]
fn options_that_do_not_fit() {
    let fixture = fixture("mlp_traced");
    let mlp = model("mlp_traced");
    let given = |options: Options, names: &str| {
        refused(mlp.explain(&fixture.inputs(&fixture.tensors()), &options), 2, names);
    };
    given(Options::new().output(Output::Index(1)), "output");
    given(Options::new().output(Output::Name("logits".into())), "logits");
    given(Options::new().target(Target::Class(3)), "3");
    given(Options::new().target(Target::AllOutputs).mode(Mode::Contrastive), "contrastive");
    given(Options::new().start(ArrayD::zeros(vec![2, 4])), "[2, 4]");
    given(Options::new().start(ArrayD::zeros(vec![])), "[2, 3]");
    given(
        Options::new()
            .mode(Mode::Contrastive)
            .start(ArrayD::ones(vec![2, 3]))
            .negative_start(ArrayD::ones(vec![3])),
        "[3]",
    );
    given(Options::new().mode(Mode::Contrastive).negative_start(ArrayD::ones(vec![2, 3])), "negative_start");
    given(Options::new().gate_of("third", None), "module third");
    let no_number = Gate { lower: Some(f64::NAN), upper: None, swish: None };
    given(Options::new().gate_of("first", Some(no_number)), "module first");
    let never_open = Gate { lower: Some(2.0), upper: Some(1.0), swish: None };
    given(Options::new().gate_of("first", Some(never_open)), "opens above 2 and below 1, so never");
    given(Options::new().scaler(f64::NAN), "scaler is NaN");
    given(Options::new().multiplier(f64::INFINITY), "multiplier is inf");
    given(Options::new().task(Task::Segmentation { threshold: f64::NAN }), "threshold is NaN");
    given(Options::new().start_at("third", ArrayD::zeros(vec![2, 6])), "third");
    given(Options::new().start_at("second", ArrayD::zeros(vec![2, 7])), "[2, 6]");
    given(Options::new().numeric_input("z"), "z");
    given(Options::new().constant_input("z"), "z");
    given(Options::new().constant_input("x"), "does not depend");
    given(Options::new().task(Task::NextToken).mode(Mode::Contrastive), "contrastive");
    given(Options::new().task(Task::NextToken).target(Target::Class(99)), "99");
}

#[test]
fn outputs_that_cannot_be_explained() {
    for (name, code) in
        [("integer_output", 2), ("constant_output", 2), ("no_tensor_output", 2), ("raises", 5)]
    {
        let fixture = fixture(name);
        let inputs = fixture.inputs(&fixture.tensors());
        refused(model(name).explain(&inputs, &Options::new()), code, "");
    }
}

#[test]
fn files_that_are_no_models() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let whole = fs::read(fixture("mlp_traced").path()).unwrap();
    fs::write(path("empty.pt"), []).unwrap();
    fs::write(path("text.pt"), "no model").unwrap();
    fs::write(path("half.pt"), &whole[..whole.len() / 2]).unwrap();
    fs::create_dir(path("saved")).unwrap();
    fs::write(path("saved/saved_model.pb"), []).unwrap();
    for name in ["absent.pt", "empty.pt", "text.pt", "half.pt", "saved", ""] {
        let error = Model::load(path(name)).err().unwrap_or_else(|| panic!("{name} was loaded"));
        assert_eq!(error.exit_code(), 3, "{name}: {error}");
    }
    let tensors = Model::load(TORCHSCRIPT.path("mlp_traced.safetensors")).err().unwrap();
    assert_eq!(tensors.exit_code(), 3, "{tensors}");
    let no_forward = Model::load(fixture("no_forward").path()).err();
    assert_eq!(no_forward.map(|error| error.exit_code()), Some(3));
}
